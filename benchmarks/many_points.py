"""Half a million points and a live run on top: how soon the page shows them, and what each further point costs it.

Two runs of 500 000 points: one machine's steps with one spike among them, and 100 hospitals × 500 rounds × 10 metrics.
`fpd serve` has read both before Chromium opens them: until the first words stand there, and until the curve or the
board does. Then the run of steps goes on, twenty steps a second, while the page counts its frames, its layout shifts
and its tasks above 50 ms; a page of the same browser that only animates says how many frames there are to be had. The
spike is looked for in the SVG of the chart, which is drawn from what the chart draws.
"""

from __future__ import annotations

import gzip
import math
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from benchmarks._browser import browser_page, get_json
from benchmarks._figures import figure
from benchmarks._server import Server, serving
from federated_pneumonia_detection.progress import FederatedProgressLogger, ProgressLogger

STEPS, EPOCHS = 500_000, 50
CLIENTS, ROUNDS, METRICS = 100, 500, 10
SPIKE, SPIKE_AT = 40.0, 0.37
A_SECOND = 20
WATCHED_S = 10.0
TIMES = 5
FIRST_VIEW_MS, FRAMES_SHARE, TASK_MS, SCRIPT_KIB = 1000.0, 0.85, 50.0, 250.0

EMPTY = "<style>@keyframes a{to{transform:translateX(300px)}}p{animation:a 1s infinite alternate}</style><p>·</p>"
WATCH = """
window.seen = { frames: 0, shift: 0, tasks: [] };
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.seen.shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.seen.tasks.push(entry.duration);
}).observe({ type: "longtask", buffered: true });
const frame = () => { window.seen.frames += 1; requestAnimationFrame(frame); };
requestAnimationFrame(frame);
"""


def tell_steps(log_dir: Path, steps: int) -> ProgressLogger:
    """A run on one machine with so many steps in all but its last epochs, a spike among them; it stays open."""
    draw = random.Random(7)
    total = steps // EPOCHS
    start = {
        "total_epochs": EPOCHS + 10,
        "config": {"batch_size": 32},
        "data": {"splits": {"train": {"n": 32 * total}}},
    }
    logger = ProgressLogger(log_dir, "steps", run_id="steps", run_start=start)
    spike = int(steps * SPIKE_AT)
    for epoch in range(1, EPOCHS + 1):
        logger.log_epoch_start(epoch, EPOCHS + 10)
        for step in range(1, total + 1):
            at = (epoch - 1) * total + step
            loss = SPIKE if at == spike else 0.6 * math.exp(-4 * at / steps) + 0.1 + draw.gauss(0, 0.02)
            logger.log_step(epoch, step, total, {"train_loss": loss})
        logger.log_epoch_end(epoch, {"val_loss": 0.6 / epoch, "val_auroc": 1 - 0.3 / epoch}, phase="val")
    logger.log_epoch_start(EPOCHS + 1, EPOCHS + 10)
    return logger


def tell_rounds(log_dir: Path, clients: int, rounds: int) -> None:
    """A federated run in which each hospital tells ten metrics a round."""
    start = {"total_rounds": rounds, "config": {"num_clients": clients, "local_epochs": 1}}
    whole = FederatedProgressLogger(None, log_dir, "rounds", run_id="rounds", run_start=start)
    sites = [FederatedProgressLogger(f"site_{i:03}", log_dir, run_id="rounds") for i in range(clients)]
    for round_ in range(1, rounds + 1):
        values = {f"val_m{i}": 1 - 0.5 / (round_ + i) for i in range(METRICS - 1)} | {"val_auroc": 1 - 0.4 / round_}
        for site in sites:
            site.log_round_end(round_, {"num_samples": 47}, values)
        whole.log_round_aggregated(round_, values, clients, [])
    whole.log_training_complete({"total_epochs": rounds})
    for logger in (*sites, whole):
        logger.close()


def wait_until_read(server: Server, run: str, **reached: Any) -> None:
    """Return when the server has all of a run."""
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        try:
            state = get_json(f"http://127.0.0.1:{server.port}/api/runs/{run}")
        except OSError:
            state = {}
        if all(state.get(name) == value for name, value in reached.items()):
            return
        time.sleep(0.5)
    raise SystemExit(f"the server has not read {run} within 600 s")


def opened(page: Page, server: Server, run: str, drawn: str) -> tuple[float, float]:
    """Milliseconds until the page says what run it is, and until what is `drawn` stands there."""
    page.goto(f"http://127.0.0.1:{server.port}/")  # the code is in the browser's cache, as at a second visit
    page.get_by_role("link", name="Runs").first.wait_for()
    begun = time.perf_counter()
    page.goto(f"http://127.0.0.1:{server.port}/runs/{run}", wait_until="commit")
    page.locator(".run-page .status-sentence").first.wait_for()
    first = (time.perf_counter() - begun) * 1e3
    page.locator(drawn).first.wait_for(timeout=120_000)
    return first, (time.perf_counter() - begun) * 1e3


def frames(page: Page, for_s: float) -> float:
    """Frames a second."""
    page.evaluate("window.seen.frames = 0")
    begun = time.perf_counter()
    page.wait_for_timeout(for_s * 1e3)
    return float(page.evaluate("window.seen.frames")) / (time.perf_counter() - begun)


class Going:
    """Steps that are told twenty times a second, until the end of the block."""

    def __init__(self, logger: ProgressLogger, total: int) -> None:
        self._logger, self._total, self._step = logger, total, 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tell)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _tell(self) -> None:
        while not self._stop.wait(1 / A_SECOND):
            self._step += 1
            self._logger.log_step(EPOCHS + 1, self._step, self._total, {"train_loss": 0.11 + 0.01 * (self._step % 2)})


def look(server: Server, logger: ProgressLogger, steps: int) -> None:
    """Open the run of steps several times, and watch it grow."""
    firsts, drawns, whole, longest, shifts, shares, heaps = [], [], [], [], [], [], []
    for time_ in range(TIMES):
        with browser_page() as page:
            page.add_init_script(WATCH)
            page.goto(f"http://127.0.0.1:{server.port}/healthz")
            page.set_content(EMPTY)
            page.evaluate(WATCH)
            alone = frames(page, WATCHED_S / 2)
            # The curve of so many steps comes thinned, behind the first view.
            with page.expect_response(lambda answer: "points=" in answer.url, timeout=120_000) as curve:
                begun = time.perf_counter()
                first, drawn = opened(page, server, "steps", ".u-over")
            curve.value.finished()
            whole.append((time.perf_counter() - begun) * 1e3)
            page.wait_for_timeout(2000)
            page.evaluate("window.seen.shift = 0; window.seen.tasks = []")
            with Going(logger, steps // EPOCHS):
                grows = frames(page, WATCHED_S)
            seen = page.evaluate("window.seen")
            heaps.append(float(page.evaluate("performance.memory.usedJSHeapSize")) / 1e6)
            firsts.append(first)
            drawns.append(drawn)
            longest.append(max(seen["tasks"], default=0.0))
            shifts.append(seen["shift"])
            shares.append(grows / alone)
            if time_ == TIMES - 1:
                page.get_by_role("region", name="Loss").hover()
                page.get_by_role("button", name="Save the chart").first.click()
                with page.expect_download() as download:
                    page.get_by_role("menuitem", name="SVG").click()
                text = Path(download.value.path()).read_text(encoding="utf-8")
                figure("the one spike among them is told of in the chart", float("up to 40" in text), "", at_least=1)
    load = f"load {os.getloadavg()[0]:.1f}"
    figure("500 000 steps: until the page says what run it is", statistics.median(firsts), "ms", at_most=FIRST_VIEW_MS)
    figure("500 000 steps: until its charts stand there", statistics.median(drawns), "ms", note=load)
    figure("500 000 steps: until the curve has all of them", statistics.median(whole), "ms", note=load)
    figure("frames while it grows ÷ of an empty page", statistics.median(shares), "", at_least=FRAMES_SHARE, note=load)
    figure("longest task while it grows, median of five", statistics.median(longest), "ms", at_most=TASK_MS, note=load)
    figure("layout shift while it grows", max(shifts), "", at_most=0)
    figure("memory of the page's script", statistics.median(heaps), "MB")


def script_kib(server: Server) -> float:
    """The compressed script that opening a run takes."""
    sizes: dict[str, int] = {}
    with browser_page() as page:
        page.on(
            "response",
            lambda answer: (
                sizes.update({answer.url: len(gzip.compress(answer.body()))}) if answer.url.endswith(".js") else None
            ),
        )
        opened(page, server, "steps", ".u-over")
        page.wait_for_timeout(500)
    return sum(sizes.values()) / 1024


def main() -> int:
    """Print every figure; three arguments take fewer steps, clients and rounds."""
    steps, clients, rounds = [int(argument) for argument in sys.argv[1:4]] or [STEPS, CLIENTS, ROUNDS]
    with tempfile.TemporaryDirectory() as folder:
        log_dir = Path(folder)
        tell_rounds(log_dir, clients, rounds)
        logger = tell_steps(log_dir, steps)
        with serving(log_dir) as server:
            wait_until_read(server, "rounds", round=rounds, status="completed")
            wait_until_read(server, "steps", epoch=EPOCHS + 1)
            look(server, logger, steps)
            with browser_page() as page:
                first, drawn = opened(page, server, "rounds", '[role="gridcell"] svg')
            figure("500 000 values of hospitals: until it says what run it is", first, "ms", at_most=FIRST_VIEW_MS)
            figure("500 000 values of hospitals: until the board stands there", drawn, "ms")
            figure("script that opening a run takes, compressed", script_kib(server), "KiB", at_most=SCRIPT_KIB)
        logger.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
