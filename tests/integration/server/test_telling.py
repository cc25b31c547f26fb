"""Rules over real runs, told to a mail server and a web hook on loopback."""

from __future__ import annotations

import json
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import apprise
import httpx
import pytest
from aiosmtpd.controller import Controller

from federated_pneumonia_detection.progress import ProgressLogger
from federated_pneumonia_detection.server.serving import BackgroundServer
from federated_pneumonia_detection.server.settings import ServerSettings

with warnings.catch_warnings():
    # Apprise loads all its plugins at the first address; one of them touches a module that Python is about to drop.
    warnings.simplefilter("ignore", DeprecationWarning)
    apprise.Apprise().add("json://localhost")

SECRET = "opensesame"
Start = Callable[..., BackgroundServer]
Told = list[dict[str, Any]]


def until(holds: Callable[[], Any], within_s: float = 20.0) -> Any:
    """Wait for what `holds` returns to be true, and return it."""
    deadline = time.monotonic() + within_s
    while not (found := holds()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)
    return found


class Mailbox:
    """Keeps what an SMTP server takes."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, str]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        mail = message_from_bytes(envelope.content, policy=default)
        body = mail.get_body(("plain",))
        self.mails.append((str(mail["subject"]), body.get_content() if body is not None else ""))
        return "250 OK"


@pytest.fixture
def mail() -> Iterator[tuple[str, Mailbox]]:
    box = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield f"mailto://127.0.0.1:{port}?from=fpd@lab.example&to=ada@lab.example&mode=insecure", box
    controller.stop()


class Hook:
    """A web hook that takes what it is sent, or refuses it, or never answers."""

    def __init__(self) -> None:
        self.got: Told = []
        self.status = 200
        self.hold = threading.Event()
        self.hold.set()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                hook.hold.wait(30)
                if hook.status == 200:
                    hook.got.append(body)
                self.send_response(hook.status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://ada:{SECRET}@127.0.0.1:{self.server.server_address[1]}/{SECRET}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def titles(self) -> list[str]:
        return [str(each["title"]) for each in self.got]


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.hold.set()
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    """Writes the operator's file."""

    def write(*, rules: list[Any], quiet: dict[str, str] | None = None, **targets: str) -> Path:
        path = tmp_path / "notify.yaml"
        told = {"targets": {name: {"url": url} for name, url in targets.items()}, "rules": rules}
        # JSON is YAML.
        path.write_text(json.dumps(told | ({"quiet": quiet} if quiet else {}) | {"page": "https://lab.example"}))
        return path

    return write


def train(settings: ServerSettings, run_id: str, *values: float, error: str | None = None) -> None:
    """One run that says what it is told to."""
    with ProgressLogger(str(settings.log_dir), "baseline", run_id=run_id) as logger:
        for epoch, value in enumerate(values, start=1):
            logger.log_epoch_start(epoch, len(values))
            logger.log_epoch_end(epoch, {"val_auroc": value}, "val")
        if error is None:
            logger.log_training_complete({"test_auroc": 0.9})
        else:
            logger.log_training_error(error)


def alerts(server: BackgroundServer, **query: Any) -> Told:
    found: Told = httpx.get(f"{server.url}/api/alerts", params=query).json()["alerts"]
    return found


def test_a_mail_and_a_hook_are_told_how_a_run_ended_and_which_rule_says_so(
    start: Start, settings: ServerSettings, file: Callable[..., Path], mail: tuple[str, Mailbox], hook: Hook
) -> None:
    address, box = mail
    rules = ["finished", "failed", "val_auroc > 0.95"]
    server = start(notify=file(rules=rules, mail=address, hook=hook.url))
    train(settings, "good", 0.9, 0.96, 0.97)
    until(lambda: len(hook.got) >= 1 and any("Finished" in str(each) for each in hook.got))
    train(settings, "bad", error="out of memory")

    until(lambda: any("Failed" in f"{subject} {body}" for subject, body in box.mails))
    mails = "\n".join(f"{subject}\n{body}" for subject, body in box.mails)
    assert "baseline: Failed" in mails
    assert "out of memory" in mails
    assert "Rule: failed" in mails and "Rule: finished" in mails and "Rule: val_auroc > 0.95" in mails
    assert "val_auroc is 0.96, which is > 0.95." in mails and "0.97" not in mails
    assert "https://lab.example/runs/bad" in mails
    told = until(lambda: (found := alerts(server, run_id="good")) and len(found) == 2 and found)
    assert {one["rule"] for one in told} == {"finished", "val_auroc > 0.95"}
    assert all(one["run_name"] == "" and one["experiment_name"] == "baseline" for one in told)


def test_nothing_is_told_twice_over_a_restart_and_what_happened_meanwhile_is_told(
    settings: ServerSettings, file: Callable[..., Path], hook: Hook
) -> None:
    from dataclasses import replace

    from federated_pneumonia_detection.server.serving import running

    told = replace(settings, notify=file(rules=["finished", "val_auroc > 0.9"], hook=hook.url))
    with running(told):
        train(settings, "one", 0.95)
        until(lambda: "baseline: Finished" in "".join(map(str, hook.got)))
    before = "".join(str(each["message"]) + str(each["title"]) for each in hook.got)
    train(settings, "two", 0.95)
    with running(told) as server:
        until(lambda: "/runs/two" in "".join(map(str, hook.got)))
        until(lambda: len(alerts(server)) == 4)

    whole = "".join(str(each["message"]) + str(each["title"]) for each in hook.got)
    assert before.count("/runs/one") == whole.count("/runs/one") == 2
    assert whole.count("/runs/two") == 2


def test_runs_that_ended_before_anybody_wanted_to_be_told_are_not_told(
    start: Start, settings: ServerSettings, file: Callable[..., Path], hook: Hook
) -> None:
    train(settings, "old", 0.99)
    start(notify=file(rules=["finished", "val_auroc > 0.9"], hook=hook.url))
    train(settings, "new")

    until(lambda: hook.got)
    assert all("old" not in str(each) for each in hook.got)


def test_what_happens_in_quiet_hours_waits_and_failures_go_through(
    start: Start, settings: ServerSettings, file: Callable[..., Path], hook: Hook
) -> None:
    now = datetime.now()
    quiet = {
        "from": f"{now - timedelta(hours=1):%H:%M}",
        "until": f"{now + timedelta(hours=3):%H:%M}",
        "failures": "through",
    }
    server = start(notify=file(rules=["finished", "failed"], quiet=quiet, hook=hook.url))
    train(settings, "good")
    until(lambda: alerts(server, run_id="good"))
    train(settings, "bad", error="out of memory")

    until(lambda: hook.got)
    assert hook.titles() == ["baseline: Failed"]
    (target,) = httpx.get(f"{server.url}/api/rules").json()["targets"]
    assert (target["waiting"], target["told"]) == (1, 1)
    # The quiet hours end: what waited is told.
    (postman,) = server.service.teller._postmen
    postman._quiet = None
    postman.wake()
    until(lambda: hook.titles() == ["baseline: Failed", "baseline: Finished"])


def test_a_target_that_does_not_answer_delays_nobody_and_is_said_so_without_its_address(
    start: Start,
    settings: ServerSettings,
    file: Callable[..., Path],
    mail: tuple[str, Mailbox],
    hook: Hook,
    caplog: pytest.LogCaptureFixture,
) -> None:
    address, box = mail
    hook.hold.clear()
    hook.status = 500
    server = start(notify=file(rules=["finished"], mail=address, hook=hook.url))
    train(settings, "good")
    until(lambda: box.mails)
    hook.hold.set()

    def numbers() -> str:
        return httpx.get(f"{server.url}/metrics").text

    until(lambda: "fpd_server_targets_in_trouble 1.0" in numbers())
    assert "fpd_server_notices_told_total 1.0" in numbers() and "fpd_server_notices_waiting 1.0" in numbers()
    told = httpx.get(f"{server.url}/api/rules").text
    assert '"trouble":"' in told
    log = "".join(path.read_text() for path in (settings.log_dir / ".server").glob("*.jsonl"))
    assert "target hook (json) was not told" in log
    kept = (settings.log_dir / ".notify" / "kept.json").read_text()
    assert all(SECRET not in text for text in (told, log, kept, numbers(), caplog.text))


def test_a_rule_made_over_http_holds_from_then_on_and_over_a_restart(settings: ServerSettings, start: Start) -> None:
    from federated_pneumonia_detection.server.serving import running

    with running(settings) as server, httpx.Client(base_url=server.url) as http:
        made = http.post("/api/rules", json={"when": "val_auroc>0.9", "runs": "base*"})
        assert (made.status_code, made.json()["when"]) == (201, "val_auroc > 0.9")
        assert http.post("/api/rules", json={"when": "val_auroc > .9", "runs": "base*"}).status_code == 409
        refused = http.post("/api/rules", json={"when": "better"})
        assert (refused.status_code, refused.json()["errors"][0]["where"]) == (422, "when")
    server = start()
    with httpx.Client(base_url=server.url) as http:
        (rule,) = http.get("/api/rules").json()["rules"]
        train(settings, "run", 0.91)
        until(lambda: [one["title"] for one in alerts(server)] == ["Validation AUROC 0.910 at epoch 1"])
        assert http.delete(f"/api/rules/{rule['id']}").status_code == 204
        assert http.delete(f"/api/rules/{rule['id']}").status_code == 404
        assert http.get("/api/rules").json()["rules"] == []


def test_a_rule_of_the_file_is_not_removed_over_http(start: Start, file: Callable[..., Path], hook: Hook) -> None:
    server = start(notify=file(rules=["finished"], hook=hook.url))
    (rule,) = httpx.get(f"{server.url}/api/rules").json()["rules"]
    assert httpx.delete(f"{server.url}/api/rules/{rule['id']}").status_code == 409


def test_the_command_tries_each_target_and_says_which_took_it(
    file: Callable[..., Path], mail: tuple[str, Mailbox], hook: Hook
) -> None:
    import subprocess
    import sys

    def fpd(*arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "federated_pneumonia_detection", "notify", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout + done.stderr

    address, box = mail
    hook.status = 403
    path = file(rules=["finished"], mail=address, hook=hook.url)
    code, said = fpd("test", str(path))

    assert code == 1
    assert "ok   mail (mailto) took it" in said and "bad  hook (json)" in said
    assert SECRET not in said
    assert [subject for subject, _ in box.mails] == ["A test"]
    code, said = fpd("check", str(path))
    assert (code, SECRET in said) == (0, False)
    assert "rule    finished, all runs, told to all targets" in said
