"""What the page promises whoever reads it: nothing moves while a run goes on, and nothing sticks out at any width."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from server_process import ServerProcess

from federated_pneumonia_detection.progress import FederatedProgressLogger, ProgressLogger

pytestmark = pytest.mark.browser

WIDTHS = (320, 390, 768, 1099, 1440, 2560)
EPOCHS = 6
SPLITS = {
    "train": {"n": 4708, "normal": 1214, "pneumonia": 3494},
    "val": {"n": 524, "normal": 135, "pneumonia": 389},
    "test": {"n": 624, "normal": 234, "pneumonia": 390},
}
DATA = {"name": "PneumoniaMNIST", "digest": "0" * 12, "phantom": False, "splits": SPLITS}
SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (entry.hadRecentInput) continue;
    const moved = entry.sources.map((each) => (each.node?.parentElement ?? each.node)?.outerHTML?.slice(0, 160));
    window.shifts.push({ value: entry.value, moved });
  }
}).observe({ type: "layout-shift", buffered: true });
"""


def metrics(phase: str, epoch: int) -> dict[str, float]:
    names = ("accuracy", "recall", "precision", "specificity", "f1", "auroc")
    rates = {f"{phase}_{name}": 1 - 0.4 / (epoch + at) for at, name in enumerate(names)}
    return {f"{phase}_loss": 0.7 / epoch, **rates}


def centralised(log_dir: str) -> Iterator[str]:
    """A whole run, a piece at a time; each piece says by which words the page shows that it has arrived."""
    start = {"config": {"epochs": EPOCHS, "seed": 7}, "data": DATA, "total_epochs": EPOCHS}
    with ProgressLogger(log_dir, "steady-page", run_id="steady-page", run_start=start) as logger:
        yield "steady-page"
        for epoch in range(1, EPOCHS + 1):
            logger.log_epoch_start(epoch, EPOCHS)
            for step in (20, 40, 60):
                logger.log_step(epoch, step, 60, {"train_loss": 0.8 / (epoch + step / 60)})
            logger.log_epoch_end(epoch, metrics("train", epoch))
            logger.log_epoch_end(epoch, metrics("val", epoch), phase="val")
            yield f"Epoch {epoch} of {EPOCHS}"
        logger.log_epoch_end(EPOCHS, metrics("test", EPOCHS), phase="test")
        final = {"total_epochs": EPOCHS, "best_epoch": EPOCHS, "best_val_recall": 0.97, "best_val_loss": 0.12}
        logger.log_training_complete({**final, **metrics("test", EPOCHS), "duration_seconds": 61.0})
        yield "Finished"


def federated(log_dir: str) -> Iterator[str]:
    start = {
        "config": {"num_clients": 3, "local_epochs": 2, "num_rounds": 4},
        "data": DATA,
        "total_rounds": 4,
    }
    whole = FederatedProgressLogger(None, log_dir, "three-sites", run_id="three-sites", run_start=start)
    sites = [FederatedProgressLogger(f"client_{i}", log_dir, run_id="three-sites") for i in range(3)]
    yield "three-sites"
    for round_ in range(1, 5):
        whole.log_round_start(round_, 4)
        for site in sites:
            site.log_round_start(round_, 4)
            for local in (1, 2):
                site.log_local_epoch(round_, local, {"train_loss": 0.7 / (round_ + local)})
            fit, evaluated = {"train_loss": 0.5 / round_, "num_samples": 1569}, metrics("val", round_)
            site.log_round_end(round_, fit, {**evaluated, "num_samples": 174})
        whole.log_round_aggregated(round_, {**metrics("val", round_), "num_samples": 522}, 3, [])
        yield f"Round {round_} of 4"
    whole.log_training_complete({"total_epochs": 4, "best_epoch": 4, **metrics("test", 4)})
    yield "Finished"


RUNS = {"steady-page": centralised, "three-sites": federated}


def open_page(browser: Browser, server: ServerProcess, path: str, *, width: int = 1440, dark: bool = False) -> Page:
    theme = "dark" if dark else "light"
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=theme, reduced_motion="reduce")
    page.add_init_script(SHIFTS)
    page.goto(server.url + path)
    return page


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("run_id", RUNS)
def test_nothing_moves_while_a_run_goes_on(browser: Browser, server: ServerProcess, run_id: str, width: int) -> None:
    pieces = RUNS[run_id](str(server.log_dir))
    name = next(pieces)
    page = open_page(browser, server, f"/runs/{run_id}", width=width)
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    page.evaluate("document.fonts.ready")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.evaluate("window.shifts = []")

    for words in pieces:
        expect(page.get_by_text(words, exact=False).first).to_be_visible()
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    assert page.evaluate("window.shifts") == []
    page.close()


def test_nothing_sticks_out_at_any_width(browser: Browser, server: ServerProcess) -> None:
    for talk in RUNS.values():
        for _ in talk(str(server.log_dir)):
            pass
    page = open_page(browser, server, "/")
    for path, there in (("/", "three-sites"), *((f"/runs/{run}", run) for run in RUNS), ("/new", "epochs")):
        page.goto(server.url + path)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            expect(page.get_by_text(there, exact=False).first).to_be_visible()
            wide = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
            assert wide[0] <= wide[1], f"{path} at {width} px: {wide[0]} px wide"
    page.close()
