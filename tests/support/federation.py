"""`fpd federation up` as a test sees it: started, asked over HTTP, ended with nothing left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

__all__ = ["Laptop", "lives", "started", "wait_until"]

FPD = [sys.executable, "-m", "federated_pneumonia_detection"]


def wait_until(condition: Callable[[], object], what: str, timeout_s: float = 300.0) -> None:
    """As the fixture, but five times a second: each look is a request."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_s:g} s in vain until {what}"
        time.sleep(0.2)


@dataclass
class Laptop:
    """`fpd federation up`, running."""

    process: subprocess.Popen[bytes]
    directory: Path
    output: Path
    url: str = ""

    def text(self) -> str:
        return self.output.read_text(errors="replace")

    def messages(self, run_id: str) -> list[dict[str, Any]]:
        with httpx.Client(base_url=self.url) as http:
            page = http.get(f"/api/runs/{run_id}/events", params={"after": 0, "limit": 10_000})
            return list(page.json()["messages"]) if page.is_success else []

    def state(self, run_id: str) -> dict[str, Any]:
        with httpx.Client(base_url=self.url) as http:
            return dict(http.get(f"/api/runs/{run_id}").json())

    def start_run(self, **body: Any) -> str:
        given = {"engine": "superlink", "source_path": "phantoms", "num_clients": 2, "num_rounds": 1, **body}
        given["config"] = {"model_args": {"channels": [4, 4, 8]}, "device": "cpu", "test_time_augmentation": False}
        with httpx.Client(base_url=self.url, timeout=30) as http:
            answer = http.post("/api/federated/train", json=given)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["run_id"])

    def processes(self) -> list[psutil.Process]:
        """All that belongs to it: what it started names its directory, or descends from what does."""
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]

    def stop_all(self) -> None:
        """Stop every run, so that the next test's need not wait for it."""
        with httpx.Client(base_url=self.url, timeout=30) as http:
            going = [run for run in http.get("/api/runs").json()["runs"] if run["status"] in ("running", "queued")]
            for run in going:
                http.post(f"/api/runs/{run['run_id']}/cancel", json={"by": "the test"})
        for run in going:
            wait_until(lambda run_id=run["run_id"]: self.ended(run_id), "it has stopped")  # type: ignore[misc]

    def ended(self, run_id: str) -> bool:
        return str(self.state(run_id).get("status")) in ("completed", "failed", "cancelled")

    def process_of(self, program: str, name: str = "") -> psutil.Process:
        """One of Flower's programs, by a word that its command line holds."""
        return self.processes_of(program, name)[0]

    def processes_of(self, program: str, name: str = "") -> list[psutil.Process]:
        """All of Flower's programs of that kind."""
        found = []
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):  # it ended between the two looks
                line = " ".join(process.cmdline())
                found += [process] if program in line and name in line else []
        return found


def lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def started(directory: Path, *options: str) -> Iterator[Laptop]:
    """Two hospitals with phantoms, until the block ends."""
    directory.mkdir(parents=True, exist_ok=True)
    output = directory / "up.log"
    command = [*FPD, "federation", "up", "--nodes", "2", "--source", "phantoms", "--partition", "iid", "--port", "0"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("FPD_", "FLWR_"))}
    environment |= {"FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.05", "PYTHONUNBUFFERED": "1"}
    with output.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--dir", str(directory / "fed"), *options], stdout=out, stderr=subprocess.STDOUT, env=environment
        )
    laptop = Laptop(process, directory / "fed", output)
    try:
        wait_until(lambda: "fpd train federated" in laptop.text() or process.poll() is not None, "up")
        assert process.poll() is None, laptop.text()
        laptop.url = next(word for word in laptop.text().split() if word.startswith("http://"))
        yield laptop
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)
