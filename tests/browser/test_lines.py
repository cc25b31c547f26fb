"""However the page is connected, or cut off: the points on the screen are those of the journal, and it says how."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest
from meddling_proxy import MeddlingProxy
from playwright.sync_api import Browser, Page, expect
from server_process import ServerProcess

from federated_pneumonia_detection.progress import ProgressLogger

pytestmark = pytest.mark.browser

LINE = re.compile("^Line to the server")


def log_epochs(logger: ProgressLogger, first: int, last: int) -> None:
    for epoch in range(first, last + 1):
        logger.log_epoch_start(epoch, 12)
        logger.log_epoch_end(epoch, {"train_loss": 1 / epoch})
        logger.log_epoch_end(epoch, {"val_loss": 1 / epoch, "val_auroc": 1 - 0.5 / epoch}, phase="val")


def expect_points(page: Page, epochs: int, *, timeout_s: float = 20) -> None:
    """Wait for the last epoch, then compare every point of two charts with what was logged."""
    expect(page.get_by_text(re.compile(f"epoch {epochs} of 12", re.I)).first).to_be_visible(timeout=timeout_s * 1000)
    behind = page.get_by_role("button", name="Show the table")
    while behind.count():
        behind.first.click()
    for chart, logged in (("Loss", lambda n: 1 / n), ("AUROC", lambda n: 1 - 0.5 / n)):
        rows = page.get_by_role("region", name=re.compile(f"^{chart}.*as a table$")).locator("tbody tr")
        expect(rows).to_have_count(epochs)
        cells = [row.locator("td").all_inner_texts() for row in rows.all()]
        assert [cell[0] for cell in cells] == [str(n + 1) for n in range(epochs)], chart
        assert all(f"{logged(n + 1):.4f}" in cell for n, cell in enumerate(cells)), cells


@contextmanager
def watched(browser: Browser, port: int, *, before: str = "") -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    if before:
        page.add_init_script(before)
    page.goto(f"http://127.0.0.1:{port}/runs/way-1")
    yield page
    page.close()


@pytest.fixture
def logger(server: ServerProcess) -> Iterator[ProgressLogger]:
    with ProgressLogger(log_dir=str(server.log_dir), experiment_name="way", run_id="way-1") as made:
        log_epochs(made, 1, 2)
        yield made


@pytest.mark.parametrize(
    ("spoils", "said"),
    [
        ({"strips_upgrade": True}, "Live by SSE"),
        ({"strips_upgrade": True, "buffers_streams": True}, "Polling every 2 s"),
        ({"strips_upgrade": True, "buffers_streams": True, "forbids": ("/events",)}, "Document every 2 s"),
    ],
    ids=["no upgrade", "buffered streams", "nothing but the document"],
)
def test_what_comes_through_is_chosen_by_itself_and_told(
    browser: Browser, server: ServerProcess, logger: ProgressLogger, spoils: dict[str, object], said: str
) -> None:
    with MeddlingProxy(server.port, **spoils) as proxy, watched(browser, proxy.port) as page:  # type: ignore[arg-type]
        line = page.get_by_role("button", name=LINE)
        expect(line).to_have_text(re.compile(said.replace(" ", r"\s*")), timeout=20_000)

        log_epochs(logger, 3, 5)

        expect_points(page, 5)
        expect(line).to_have_text(re.compile(said.replace(" ", r"\s*")))


@pytest.mark.long
def test_it_goes_back_to_websocket_when_that_is_let_through_again(
    browser: Browser, server: ServerProcess, logger: ProgressLogger
) -> None:
    with MeddlingProxy(server.port, strips_upgrade=True) as proxy, watched(browser, proxy.port) as page:
        line = page.get_by_role("button", name=LINE)
        expect(line).to_have_text(re.compile(r"by\s*SSE"), timeout=20_000)
        proxy.strips_upgrade = False
        log_epochs(logger, 3, 4)
        expect(line).to_have_text(re.compile(r"by\s*WebSocket"), timeout=60_000)
        log_epochs(logger, 5, 6)
        expect_points(page, 6)


def test_a_proxy_that_cuts_idle_links_costs_no_point(
    browser: Browser, server: ServerProcess, logger: ProgressLogger, wait_until: Callable[..., None]
) -> None:
    with MeddlingProxy(server.port, idle_s=0.7) as proxy, watched(browser, proxy.port) as page:
        expect_points(page, 2)
        for epoch in range(3, 6):
            cuts = proxy.idle_cuts
            wait_until(lambda before=cuts: proxy.idle_cuts > before, "the idle link was cut")
            log_epochs(logger, epoch, epoch)
        expect_points(page, 5)
        expect(page.get_by_role("button", name=LINE)).to_have_text(re.compile(r"by\s*WebSocket"))


def browser_processes() -> list[psutil.Process]:
    """Chromium's, all started below this process."""
    below = psutil.Process(os.getpid()).children(recursive=True)
    return [process for process in below if "chrom" in process.name()]


def test_a_browser_that_slept_catches_up(browser: Browser, server: ServerProcess, logger: ProgressLogger) -> None:
    with watched(browser, server.port) as page:
        expect_points(page, 2)
        asleep = browser_processes()
        assert asleep
        for process in asleep:
            process.send_signal(signal.SIGSTOP)
        try:
            log_epochs(logger, 3, 6)
        finally:
            for process in asleep:
                process.send_signal(signal.SIGCONT)
        expect_points(page, 6)


CLOCK_THAT_JUMPS = """
const real = Date.now.bind(Date); window.ahead = 0;
Date.now = () => real() + window.ahead;
"""


def test_an_hour_that_passed_at_once_makes_the_page_look_after_its_line(
    browser: Browser, server: ServerProcess, logger: ProgressLogger
) -> None:
    with watched(browser, server.port, before=CLOCK_THAT_JUMPS) as page:
        expect_points(page, 2)
        with page.expect_request(re.compile(r"/events\?.*limit=1&wait=0"), timeout=15_000):
            page.evaluate("window.ahead = 3600 * 1000")
        log_epochs(logger, 3, 4)
        expect_points(page, 4)


HIDDEN_WITHOUT_FRAMES = """
const frame = window.requestAnimationFrame.bind(window); let waiting = []; window.hiddenNow = false;
window.requestAnimationFrame = (run) => window.hiddenNow ? waiting.push(run) : frame(run);
Object.defineProperty(document, 'visibilityState', { get: () => window.hiddenNow ? 'hidden' : 'visible' });
window.hide = (is) => {
  window.hiddenNow = is;
  if (!is) for (const run of waiting.splice(0)) frame(run);
  document.dispatchEvent(new Event('visibilitychange'));
};
"""


def test_a_hidden_tab_has_every_point_when_it_is_looked_at_again(
    browser: Browser, server: ServerProcess, logger: ProgressLogger
) -> None:
    with watched(browser, server.port, before=HIDDEN_WITHOUT_FRAMES) as page:
        expect_points(page, 2)
        page.evaluate("hide(true)")
        log_epochs(logger, 3, 9)
        page.evaluate("hide(false)")
        expect_points(page, 9)


def test_a_server_upgraded_under_the_page_is_told_and_reloads_by_consent(
    browser: Browser, server: ServerProcess, logger: ProgressLogger
) -> None:
    with watched(browser, server.port) as page:
        expect_points(page, 2)
        page.evaluate("window.marker = 'not reloaded'")
        server.stop()
        upgraded = '<script type="module" crossorigin src="/assets/index-newer.js"></script>'
        page.route(f"{server.url}/", lambda route: route.fulfill(body=upgraded, content_type="text/html"))
        log_epochs(logger, 3, 3)
        server.start()

        expect(page.get_by_text("The server was upgraded.")).to_be_visible(timeout=30_000)
        expect_points(page, 3)
        assert page.evaluate("window.marker") == "not reloaded"
        page.unroute(f"{server.url}/")
        page.get_by_role("button", name="Load the new page").click()
        expect_points(page, 3)
        assert page.evaluate("window.marker") is None
