"""The page where a token is needed, and pages of other origins: in a real Chromium."""

from __future__ import annotations

import http.server
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect
from server_process import ServerProcess

from federated_pneumonia_detection.progress import ProgressLogger
from federated_pneumonia_detection.server.access.token_store import TokenFile
from federated_pneumonia_detection.server.access.tokens import Role, issue
from federated_pneumonia_detection.server.serving import running
from federated_pneumonia_detection.server.settings import ServerSettings

pytestmark = pytest.mark.browser

NO_WEBSOCKET = """
window.WebSocket = class {
  constructor() { setTimeout(() => this.onclose?.({ code: 1006, reason: "" }), 0); }
  close() {}
};
"""
NO_STREAM = """
window.EventSource = class {
  constructor() { setTimeout(() => this.onerror?.(), 0); }
  addEventListener() {}
  close() {}
};
"""


class Keys:
    """The tokens of a server over `log_dir`."""

    def __init__(self, log_dir: Path) -> None:
        self.log_dir = log_dir
        self.store = TokenFile(log_dir / ".server" / "tokens.json")

    def make(self, name: str, role: Role) -> str:
        token, secret = issue(name, role, now=time.time())
        self.store.add(token)
        return secret


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    made = Keys(tmp_path_factory.mktemp("access") / "progress")
    made.make("somebody", "operator")
    return made


@pytest.fixture(scope="module")
def server(keys: Keys) -> Iterator[ServerProcess]:
    """A running `fpd serve --require-token`: starting one takes longer than all that is asked of it here."""
    serve = [sys.executable, "-m", "federated_pneumonia_detection", "serve", "--require-token"]
    with ServerProcess(keys.log_dir, command=[*serve, "--port", "{port}", "--log-dir", str(keys.log_dir)]) as started:
        yield started


def watched(page: Page) -> list[str]:
    """What the console says that it should not; a request that is refused on purpose is told there too."""
    said: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        refused = message.text.startswith("Failed to load resource") and "401" in message.text
        if message.type in ("error", "warning") and not refused:
            said.append(message.text)

    page.on("console", listen)
    page.on("pageerror", lambda error: said.append(str(error)))
    return said


def sign_in(page: Page, secret: str) -> None:
    page.get_by_label("Token", exact=True).fill(secret)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize("blocked", ["", NO_WEBSOCKET, NO_WEBSOCKET + NO_STREAM], ids=["websocket", "sse", "poll"])
def test_a_viewer_signs_in_watches_live_and_is_signed_out_when_the_token_is_revoked(
    browser: Browser, server: ServerProcess, keys: Keys, blocked: str
) -> None:
    secret = keys.make("vera", "viewer")
    run_id = f"guarded-{len(blocked)}"
    with ProgressLogger(str(keys.log_dir), "guarded", run_id=run_id) as logger:
        logger.log_epoch_start(1, 3)
        page = browser.new_page()
        if blocked:
            page.add_init_script(blocked)
        said, urls = watched(page), []

        def note(request: Request) -> None:
            urls.append(request.url)

        page.on("request", note)
        page.goto(f"{server.url}/runs/{run_id}")
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        sign_in(page, f"fpd_{'x' * 43}")
        expect(page.get_by_text("This token is not valid.").first).to_be_visible()
        sign_in(page, secret)
        expect(page.get_by_role("heading", name="guarded")).to_be_visible()
        expect(page.get_by_role("button", name="Stop run")).to_have_count(0)
        logger.log_epoch_end(1, {"val_loss": 0.5, "val_auroc": 0.9}, phase="val")
        expect(page.get_by_text("0.900").first).to_be_visible(timeout=20_000)
        assert page.evaluate("document.cookie") == ""
        assert not page.evaluate("JSON.stringify({...localStorage, ...sessionStorage}).includes('fpd_')")
        page.reload()
        expect(page.get_by_role("heading", name="guarded")).to_be_visible()
        keys.store.remove("vera")
        expect(page.get_by_role("heading", name="Your token has ended")).to_be_visible(timeout=30_000)
        assert not any(secret in url for url in urls)
        # Chromium itself tells in the console of sockets and streams that the server closes.
        assert not [words for words in said if "Content Security" in words or "Uncaught" in words], said
        page.close()


def test_over_tls_the_whole_page_works_under_its_policy_without_a_word_in_the_console(
    browser: Browser, tmp_path: Path
) -> None:
    issued = trustme.CA().issue_cert("127.0.0.1")
    cert = tmp_path / "server.pem"
    issued.private_key_and_cert_chain_pem.write_to_path(cert)
    log_dir = tmp_path / "progress"
    secret = Keys(log_dir).make("olga", "operator")
    settings = ServerSettings(host="0.0.0.0", port=0, log_dir=log_dir, tls_cert=cert)
    with running(settings) as server, ProgressLogger(str(log_dir), "sealed", run_id="sealed") as logger:
        for epoch in (1, 2):
            logger.log_epoch_start(epoch, 2)
            logger.log_step(epoch, 1, 2, {"train_loss": 0.5})
            logger.log_epoch_end(epoch, {"train_loss": 0.5, "train_auroc": 0.9})
            logger.log_epoch_end(epoch, {"val_loss": 0.5, "val_auroc": 0.9, "val_recall": 0.8}, phase="val")
        context = browser.new_context(ignore_https_errors=True)
        page = context.new_page()
        said = watched(page)
        url = f"https://127.0.0.1:{server.url.rpartition(':')[2]}"
        answer = page.goto(url)
        assert answer is not None
        script = answer.headers["content-security-policy"].partition("script-src ")[2].partition(";")[0]
        assert script == "'self'"
        sign_in(page, secret)
        page.get_by_role("link", name="sealed").click()
        expect(page.get_by_text("Live", exact=True).first).to_be_visible()
        expect(page.locator("canvas").first).to_be_visible()
        page.keyboard.press("Control+k")
        expect(page.get_by_role("textbox", name="Go to run or action")).to_be_visible()
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Dark theme").click()
        page.goto(f"{url}/new")
        expect(page.get_by_role("heading", name="New run")).to_be_visible()
        cookies = context.cookies()
        assert [(each["httpOnly"], each["secure"], each["sameSite"]) for each in cookies] == [(True, True, "Strict")]
        page.get_by_role("button", name="Signed in as olga, operator").click()
        page.get_by_role("menuitem", name="Sign out").click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        assert context.cookies() == []
        assert said == []
        context.close()


ATTEMPTS = """
async ({ base, token }) => {
  const outcome = {};
  const attempt = async (name, ask) => {
    try { outcome[name] = await ask(); } catch (error) { outcome[name] = "blocked"; }
  };
  const body = JSON.stringify({ source_path: "phantoms", experiment_name: "stolen", epochs: 1 });
  const train = `${base}/api/centralized/train`;
  await attempt("read", async () => (await fetch(`${base}/api/runs`)).status);
  await attempt("read with cookies", async () => (await fetch(`${base}/api/runs`, { credentials: "include" })).status);
  await attempt("start", async () =>
    (await fetch(train, { method: "POST", body, headers: { "content-type": "application/json" } })).status);
  await attempt("start without asking", async () => {
    await fetch(train, { method: "POST", body, mode: "no-cors", credentials: "include" });
    return "sent";
  });
  await attempt("start by form", async () => {
    const form = Object.assign(document.createElement("form"), { method: "post", action: train, target: "sink" });
    const sink = Object.assign(document.createElement("iframe"), { name: "sink" });
    document.body.append(form, sink);
    form.append(Object.assign(document.createElement("input"), { name: body, value: "" }));
    await new Promise((done) => { sink.onload = done; form.submit(); setTimeout(done, 2000); });
    return "sent";
  });
  const socket = (protocols) => new Promise((done) => {
    const line = new WebSocket(`${base.replace("http", "ws")}/ws/training-progress`, protocols);
    line.onmessage = (event) => done(JSON.parse(event.data).type);
    line.onclose = (event) => done(event.code);
  });
  await attempt("socket", () => socket([]));
  await attempt("socket with a token", () => socket(["fpd", `fpd.token.${token}`]));
  await attempt("stream", () => new Promise((done) => {
    const source = new EventSource(`${base}/api/stream`, { withCredentials: true });
    source.onmessage = () => done("read");
    source.onerror = () => done("blocked");
  }));
  return outcome;
}
"""


@contextmanager
def foreign_page() -> Iterator[int]:
    """Somebody else's page, on a port of its own."""

    class Page_(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>Somebody else's</title><body></body>")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page_) as site:
        thread = threading.Thread(target=site.serve_forever)
        thread.start()
        yield site.server_port
        site.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def worldly(chromium: str, browser: Browser) -> Iterator[Browser]:
    """A Chromium for which `evil.example` is a page of this machine."""
    rules = "--host-resolver-rules=MAP evil.example 127.0.0.1"
    launched = browser.browser_type.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu", rules])
    yield launched
    launched.close()


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1"])
def test_a_page_of_another_origin_neither_reads_nor_starts_with_the_cookie_of_an_operator(
    worldly: Browser, server: ServerProcess, keys: Keys, host: str
) -> None:
    log_dir, secret = keys.log_dir, keys.make(f"olga-{host}", "operator")
    with foreign_page() as port:
        context = worldly.new_context()
        own = context.new_page()
        own.goto(server.url)
        sign_in(own, secret)
        expect(own.get_by_role("button", name="Signed in as")).to_be_visible()
        assert len(context.cookies()) == 1

        page = context.new_page()
        page.goto(f"http://{host}:{port}/")
        outcome = page.evaluate(ATTEMPTS, {"base": server.url, "token": secret})
        stranger = host == "evil.example"
        assert outcome == {
            # A page of another loopback port gets to know that a token is needed; the other one nothing at all.
            "read": "blocked" if stranger else 401,
            "read with cookies": "blocked",
            "start": "blocked",
            "start without asking": "blocked",
            "start by form": "sent",
            "socket": 4403 if stranger else 4401,
            "socket with a token": 4403 if stranger else "subscribed",
            "stream": "blocked",
        }
        runs = own.evaluate("fetch('/api/runs').then((answer) => answer.json())")["runs"]
        assert "stolen" not in [run["experiment_name"] for run in runs]
        assert not list((log_dir / ".jobs").glob("[!.]*"))
        told = "".join(file.read_text() for file in (log_dir / ".server").glob("*.log.jsonl"))
        assert f'"origin":"http://{host}:{port}"' in told
        assert secret not in told + server.output
        context.close()


def test_a_name_that_was_made_to_point_here_is_not_one_of_ours(worldly: Browser, server: ServerProcess) -> None:
    page = worldly.new_page()
    for path in ("/", "/api/runs"):
        answer = page.goto(f"http://evil.example:{server.port}{path}")
        assert answer is not None
        assert answer.status == 403
    page.close()
