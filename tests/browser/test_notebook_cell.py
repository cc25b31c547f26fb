"""`fpd.watch(run)`: anywidget's real widget, its messages carried to a page of thirty lines instead of a notebook."""

from __future__ import annotations

import http.server
import json
import queue
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from server_process import ServerProcess

with warnings.catch_warnings():
    # Importing typer touches names that click is about to drop; that is between the two of them.
    warnings.simplefilter("ignore", DeprecationWarning)
    import typer  # noqa: F401

import federated_pneumonia_detection as fpd
from federated_pneumonia_detection.notebook import cell as cell_module

pytestmark = pytest.mark.browser

HOST = """<!doctype html><html lang="en"><title>A notebook</title><body data-jp-theme-light="true"><div id="cell"></div>
<script type="module">
const heard = {};
const state = {};
window.sent = [];
window.model = {
  get: (name) => state[name],
  on: (event, act) => (heard[event] ??= []).push(act),
  off: (event, act) => { heard[event] = (heard[event] ?? []).filter((each) => each !== act); },
  send: (content) => window.sent.push(content),
};
window.update = (changes) => {
  Object.assign(state, changes);
  for (const name of Object.keys(changes)) for (const act of heard["change:" + name] ?? []) act();
};
window.custom = (content) => { for (const act of heard["msg:custom"] ?? []) act(content); };
window.show = async () => {
  const { default: widget } = await import("/cell.js");
  window.leave = await widget.render({ model: window.model, el: document.getElementById("cell") });
};
window.ready = true;
</script></body></html>"""


class Comm:
    """What a kernel's comm does, as far as a widget needs it: what is sent waits here for the page."""

    comm_id = "cell"

    def __init__(self, waiting: queue.Queue[dict[str, Any]]) -> None:
        self.waiting = waiting
        self.kernel = self

    def send(self, data: dict[str, Any], *_: Any, **__: Any) -> None:
        self.waiting.put(json.loads(json.dumps(data)))

    def on_msg(self, heard: Callable[..., None]) -> None:
        self.heard = heard

    def close(self, *_: Any, **__: Any) -> None:
        pass


class Notebook:
    """A page with one cell, and the widget whose cell it is."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.waiting: queue.Queue[dict[str, Any]] = queue.Queue()
        page.goto(address)
        page.wait_for_function("window.ready")

    def show(self, widget: Any) -> None:
        self.comm = Comm(self.waiting)
        widget.comm = self.comm
        names = ("run_id", "url", "told")
        self.page.evaluate("(state) => window.update(state)", {name: getattr(widget, name) for name in names})
        self.page.evaluate("() => window.show()")

    def carry(self) -> None:
        """Bring what waits on either side to the other, as a notebook does all the time."""
        while not self.waiting.empty():
            data = self.waiting.get()
            if data["method"] == "update":
                self.page.evaluate("(state) => window.update(state)", data["state"])
            elif data["method"] == "custom":
                self.page.evaluate("(content) => window.custom(content)", data["content"])
        for content in self.page.evaluate("() => window.sent.splice(0)"):
            self.comm.heard({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})

    def sees(self, text: str) -> None:
        """Wait until the cell says this."""
        place = self.page.locator(".cell-root")
        for _ in range(200):
            self.carry()
            if text in (place.inner_text() if place.count() else ""):
                return
            self.page.wait_for_timeout(50)
        pytest.fail(f"the cell never said {text!r}; it says {place.inner_text()!r}")


@pytest.fixture
def notebook(browser: Browser) -> Iterator[Notebook]:
    bundle = cell_module.FRONT_END.read_bytes()

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_bundle = self.path == "/cell.js"
            self.send_response(200)
            self.send_header("content-type", "text/javascript" if is_bundle else "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(bundle if is_bundle else HOST.encode())

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        page = browser.new_page(viewport={"width": 760, "height": 560})
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield Notebook(page, f"http://127.0.0.1:{serving.server_port}/")
        page.close()
        serving.shutdown()
    assert errors == []


def begin(log_dir: Path) -> fpd.ProgressLogger:
    logger = fpd.ProgressLogger(log_dir, "pneumonia", run_id="in-a-cell")
    logger.log_epoch_start(1, 3)
    logger.log_step(1, 1, 2, {"train_loss": 0.7})
    logger.log_epoch_end(1, {"train_loss": 0.6})
    logger.log_epoch_end(1, {"val_loss": 0.5, "val_auroc": 0.9}, "val")
    return logger


def test_a_cell_shows_a_live_run_that_the_kernel_reads(notebook: Notebook, tmp_path: Path) -> None:
    with begin(tmp_path) as logger:
        widget = fpd.watch("in-a-cell", tmp_path)
        notebook.show(widget)
        notebook.sees("0.900")
        notebook.sees("by the kernel")
        logger.log_epoch_start(2, 3)
        logger.log_epoch_end(2, {"train_loss": 0.4})
        logger.log_epoch_end(2, {"val_loss": 0.3, "val_auroc": 0.95}, "val")
        notebook.sees("0.950")
        expect(notebook.page.locator(".cell-root canvas").first).to_be_visible()
        logger.log_training_complete({"total_epochs": 2})
        notebook.sees("Finished")
    widget.close()
    notebook.page.evaluate("() => window.leave()")
    assert notebook.page.locator("#cell").inner_html() == ""


def test_a_piece_that_was_missed_is_asked_for(notebook: Notebook, tmp_path: Path) -> None:
    with begin(tmp_path) as logger:
        widget = fpd.watch("in-a-cell", tmp_path)
        notebook.show(widget)
        notebook.sees("0.900")
        logger.log_epoch_start(2, 3)
        logger.log_epoch_end(2, {"val_loss": 0.3, "val_auroc": 0.95}, "val")
        # Nobody carried it.
        lost = notebook.waiting.get(timeout=10)
        assert lost["method"] == "custom"
        notebook.page.evaluate("(c) => window.custom(c)", {"from": 1000, "messages": []})
        notebook.sees("0.950")
    widget.close()


def test_a_cell_asks_the_server_itself_where_its_browser_reaches_it(
    notebook: Notebook, server: ServerProcess, tmp_path: Path
) -> None:
    with begin(tmp_path / "progress") as logger:
        for _ in range(200):
            try:
                run = fpd.run("in-a-cell", server.url)
                break
            except ValueError:
                notebook.page.wait_for_timeout(50)
        widget = run.watch()
        notebook.show(widget)
        notebook.sees("from the server")
        notebook.sees("0.900")
        logger.log_epoch_end(2, {"val_loss": 0.3, "val_auroc": 0.96}, "val")
        notebook.sees("0.960")
    widget.close()


def test_a_cell_looks_like_the_notebook_around_it(notebook: Notebook, tmp_path: Path) -> None:
    with begin(tmp_path):
        widget = fpd.watch("in-a-cell", tmp_path)
        notebook.show(widget)
        notebook.sees("0.900")
        root = "document.querySelector('.fpd-run').shadowRoot.querySelector('.cell-root')"
        ground = f"() => getComputedStyle({root}).backgroundColor"
        light = notebook.page.evaluate(ground)
        notebook.page.evaluate("() => { document.body.dataset.jpThemeLight = 'false'; }")
        notebook.page.wait_for_function(f"({ground})() !== {light!r}")
        # The page's styles stay inside: the notebook's own ground is what it was.
        assert notebook.page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgba(0, 0, 0, 0)"
    widget.close()
