"""A hundred simulated hospitals × fifty rounds of a tiny network: the run, the server beside it, and the page after it.

`fpd serve` follows the run from its first round. Its memory is looked at each second: flat means that the second half
of the rounds adds no more than what the state of a hundred hospitals takes. All that the page needs comes in one
request (`/api/runs/{run_id}/page`), which is timed in the last tenth of the rounds, while the clients train, and after
them; until then nobody asks for it, since what an answer takes is given back to Python, not to the system. Then
Chromium opens the run: until the first words of it stand there, and until every round's column does.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from benchmarks._browser import browser_page, get_json, wait_for_run
from benchmarks._figures import figure
from benchmarks._server import Server, processor_s, serving

CLIENTS, ROUNDS = 100, 50
RUN = "crowd"
GOAL_MS = 200.0
GROWTH_GOAL_MB = 20.0
ASKED = 30
WITHIN_S = 1800.0
CONFIG = """
model_args: {channels: [4, 4, 8]}
batch_size: 16
threads: 1
device: cpu
test_time_augmentation: false
"""


def resident_mb(pid: int) -> float:
    """The memory of a process that is in use now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def ask_ms(server: Server) -> tuple[float, int]:
    """How long the one request takes, and how many bytes come."""
    headers = {"accept-encoding": "gzip"}
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}/api/runs/{RUN}/page", headers=headers)
    begun = time.perf_counter()
    with urllib.request.urlopen(request, timeout=60) as answer:
        size = len(answer.read())
    return (time.perf_counter() - begun) * 1e3, size


def follow(
    server: Server, training: subprocess.Popen[bytes], rounds: int
) -> tuple[list[tuple[int, float]], list[float]]:
    """Until the training ends: the server's memory by round, and how long the one request takes now and then."""
    memory: list[tuple[int, float]] = []
    asked: list[float] = []
    deadline = time.monotonic() + WITHIN_S
    while training.poll() is None and time.monotonic() < deadline:
        round_ = int(get_json(f"http://127.0.0.1:{server.port}/api/runs/{RUN}")["round"])
        if round_ > rounds * 0.9:
            asked.append(ask_ms(server)[0])
        else:
            memory.append((round_, resident_mb(server.pid)))
        time.sleep(1.0)
    return memory, asked


def percentile(values: list[float], share: float) -> float:
    """The value that so many of them do not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def open_page(server: Server, rounds: int) -> tuple[float, float, int]:
    """Milliseconds until the sentence stands there, until the last round does; and how many elements that makes."""
    with browser_page() as page:
        page.goto(f"http://127.0.0.1:{server.port}/")  # the code is in the browser's cache, as at a second visit
        page.get_by_role("link", name="Runs").first.wait_for()
        begun = time.perf_counter()
        page.goto(f"http://127.0.0.1:{server.port}/runs/{RUN}", wait_until="commit")
        page.locator(".run-page h1").first.wait_for()
        first = (time.perf_counter() - begun) * 1e3
        page.locator(f'[role="gridcell"][id$="-{min(rounds, 20) - 1}"] svg').first.wait_for()
        page.locator(".small canvas").first.wait_for()
        drawn = (time.perf_counter() - begun) * 1e3
        return first, drawn, int(page.evaluate("document.querySelectorAll('*').length"))


def main() -> int:
    """Print every figure; two arguments take fewer clients and rounds."""
    clients, rounds = [int(argument) for argument in sys.argv[1:3]] or [CLIENTS, ROUNDS]
    with tempfile.TemporaryDirectory() as folder:
        log_dir, config, out = Path(folder, "progress"), Path(folder, "config.yaml"), Path(folder, "out.txt")
        config.write_text(CONFIG)
        command = [sys.executable, "-m", "federated_pneumonia_detection", "train", "federated"]
        counts = ["--clients", str(clients), "--rounds", str(rounds), "--local-epochs", "1", "--engine", "local"]
        places = ["--log-dir", str(log_dir), "--checkpoint-dir", str(Path(folder, "checkpoints")), "--run-id", RUN]
        with serving(log_dir) as server, out.open("w") as output:
            begun = time.monotonic()
            training = subprocess.Popen(
                [*command, *counts, *places, "--config", str(config)], stdout=output, stderr=output
            )
            try:
                wait_for_run(f"http://127.0.0.1:{server.port}/api/runs/{RUN}", 300)
                memory, busy = follow(server, training, rounds)
            finally:
                training.kill()
                training.wait()
            if training.returncode != 0:
                raise SystemExit(out.read_text()[-2000:])
            took = time.monotonic() - begun
            state = get_json(f"http://127.0.0.1:{server.port}/api/runs/{RUN}")
            print(f"{clients} × {rounds}: {state['status']}, load {os.getloadavg()[0]:.1f}", flush=True)
            figure("the run", took, "s", note=f"round {state['round']} of {rounds}, {state['status']}")
            half = [mb for round_, mb in memory if round_ == rounds // 2]
            growth = memory[-1][1] - (half or [memory[0][1]])[-1]
            note = f"{memory[0][1]:.0f} MB at the start, {memory[-1][1]:.0f} MB at the end, before anybody looked"
            figure("memory of the server, second half of the rounds", growth, "MB", at_most=GROWTH_GOAL_MB, note=note)
            if busy:
                note = f"95 %: {percentile(busy, 0.95):.0f} ms"
                figure("all of the run in one request, all cores training", statistics.median(busy), "ms", note=note)
            cpu = processor_s(server.pid)
            asked = [ask_ms(server) for _ in range(ASKED)]
            cpu_ms = (processor_s(server.pid) - cpu) * 1e3 / ASKED
            times = [ms for ms, _ in asked]
            note = f"95 %: {percentile(times, 0.95):.0f} ms; {asked[0][1] / 1e3:.0f} kB, {cpu_ms:.0f} ms of processor"
            figure("all of the run in one request", statistics.median(times), "ms", at_most=GOAL_MS, note=note)
            views = [open_page(server, rounds) for _ in range(3)]
            first, drawn, elements = sorted(views)[1]
            figure("until the page says what run it is", first, "ms")
            figure("until the board and the charts stand there", drawn, "ms", note=f"{elements} elements")
            print(f"load {os.getloadavg()[0]:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
