"""The guide's page without our client: its `switch` and its React component, as printed, in a real browser."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from guide_blocks import block
from playwright.sync_api import Page, sync_playwright
from server_process import ServerProcess

from federated_pneumonia_detection.progress import FederatedProgressLogger, ProgressLogger

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parent.parent.parent

PLAIN_PAGE = """<!doctype html><meta charset="utf-8"><title>The guide's page</title>
<progress id="progress" max="1" value="0"></progress><pre id="told"></pre>
<script>
const tell = (...words) => { document.getElementById("told").textContent += words.join(" ") + "\\n"; };
const bar = document.getElementById("progress");
function updateProgressBar(epoch, total) { bar.max = total; bar.value = epoch; tell("epoch", epoch, "of", total); }
function updateTrainingMetrics(m) { tell("train", m.train_loss); }
function updateValidationMetrics(m) { tell("val", m.val_recall); }
function showCompletionNotification(m) { tell("complete", m.total_epochs); }
function showErrorAlert(error) { tell("error", error); }
function updateFederatedProgress(round, total) { tell("round", round, "of", total); }
function updateClientMetrics(id, fit, evaluated) { tell(id, fit.train_loss, evaluated.val_loss); }
function startPollingProgressFile() {
  tell("polling");
  const poll = setInterval(async () => {
    const answer = await fetch("http://localhost:8000/api/runs/latest/document").catch(() => null);
    if (!answer?.ok) return;
    const told = await answer.json();
    tell("polled", told.epochs.map((m) => m.type).join(" "));
    clearInterval(poll);
  }, 100);
}
</script>
<script>GUIDE</script>
"""

REACT_PAGE = """import {{ createRoot }} from 'react-dom/client';
{component}
const ProgressBar = ({{ value }}: {{ value: number }}) => <progress id="bar" max="100" value={{value}} />;
const MetricsDisplay = ({{ metrics }}: {{ metrics: object }}) => <pre id="metrics">{{JSON.stringify(metrics)}}</pre>;
createRoot(document.getElementById('root')!).render(<TrainingMonitor />);
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    made = ServerProcess(tmp_path / "progress")
    yield made
    if made.process is not None:
        made.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder served from a loopback port of its own, as a development server would."""
    pages = tmp_path / "pages"
    pages.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing of each request."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(pages)))
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    yield pages, f"http://localhost:{http.server_address[1]}"
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture
def page(chromium: str, server: ServerProcess) -> Iterator[Page]:
    """A page for which `localhost:8000` is the test's server."""
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    arguments.append(f"--host-resolver-rules=MAP localhost:8000 127.0.0.1:{server.port}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield browser.new_page()
        browser.close()


def wait_for(page: Page, selector: str, text: str) -> None:
    page.wait_for_function(
        "([selector, text]) => document.querySelector(selector)?.textContent.includes(text)", arg=[selector, text]
    )


def train_two_epochs(directory: Path) -> None:
    with ProgressLogger(log_dir=str(directory), experiment_name="guide") as logger:
        for epoch in (1, 2):
            logger.log_epoch_start(epoch, 2)
            logger.log_epoch_end(epoch, {"train_loss": epoch / 10}, phase="train")
            logger.log_epoch_end(epoch, {"val_recall": epoch / 4}, phase="val")
        logger.log_training_complete({"total_epochs": 2})


def federate_one_round(directory: Path) -> None:
    client = FederatedProgressLogger("client_0", log_dir=str(directory), experiment_name="guide")
    client.log_round_start(1, 5)
    client.log_round_end(1, {"train_loss": 0.4321}, {"val_loss": 0.3987})
    client.log_training_error("the disk is full")


@pytest.mark.parametrize(
    ("train", "expected"),
    [
        (train_two_epochs, "epoch 1 of 2\ntrain 0.1\nval 0.25\nepoch 2 of 2\ntrain 0.2\nval 0.5\ncomplete 2\n"),
        (federate_one_round, "round 1 of 5\nclient_0 0.4321 0.3987\nerror the disk is full\n"),
    ],
    ids=["centralised", "federated"],
)
def test_the_switch_calls_each_function_once_and_in_order(
    page: Page, folder: tuple[Path, str], server: ServerProcess, train: Callable[[Path], None], expected: str
) -> None:
    pages, url = folder
    (pages / "index.html").write_text(
        PLAIN_PAGE.replace(
            "GUIDE", block("javascript", "WebSocket Connection").text + "\nws.onopen = () => tell('open');"
        )
    )
    server.start()
    page.goto(url)
    wait_for(page, "#told", "open")

    train(server.log_dir)
    wait_for(page, "#told", expected.splitlines()[-1])

    assert page.text_content("#told") == "open\n" + expected


def test_on_error_the_page_polls_the_document(page: Page, folder: tuple[Path, str], server: ServerProcess) -> None:
    pages, url = folder
    (pages / "index.html").write_text(PLAIN_PAGE.replace("GUIDE", block("javascript", "WebSocket Connection").text))
    page.goto(url)
    wait_for(page, "#told", "polling")

    train_two_epochs(server.log_dir)
    server.start()
    wait_for(page, "#told", "polled")

    epoch = "epoch_start epoch_end epoch_end"
    assert f"polled run_start {epoch} {epoch} training_complete" in str(page.text_content("#told"))


def test_the_react_component_fills_its_progress_bar(
    page: Page, folder: tuple[Path, str], server: ServerProcess
) -> None:
    pages, url = folder
    source = pages / "source"
    source.mkdir()
    node = shutil.which("node")
    modules = ROOT / "dashboard" / "node_modules"
    if node is None or not modules.exists():
        pytest.skip("no Node or dashboard/node_modules to compile the component with")
    (source / "node_modules").symlink_to(modules)
    (source / "index.html").write_text('<div id="root"></div><script type="module" src="./main.tsx"></script>')
    (source / "main.tsx").write_text(REACT_PAGE.format(component=block("typescript", "React Example").text))
    vite = [node, str(modules / "vite" / "bin" / "vite.js"), "build", str(source), "--base=./", "--outDir", "../built"]
    built = subprocess.run([*vite, "--emptyOutDir"], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    server.start()
    with page.expect_websocket():
        page.goto(f"{url}/built/index.html")

    train_two_epochs(server.log_dir)

    page.wait_for_function("document.querySelector('#bar')?.value === 100")
    assert page.text_content("#metrics") == '{"val_recall":0.5}'
