"""A federation of real processes on loopback: SuperLink, SuperNodes, shippers and a server; runs over it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

FPD = [sys.executable, "-m", "federated_pneumonia_detection"]

pytestmark = pytest.mark.timeout(600)


def wait_until(condition: Callable[[], object], what: str, timeout_s: float = 120.0) -> None:
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


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    directory = tmp_path_factory.mktemp("federation") / "fed"
    output = directory.parent / "up.log"
    command = [*FPD, "federation", "up", "--nodes", "2", "--source", "phantoms", "--partition", "iid", "--port", "0"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("FPD_", "FLWR_"))}
    environment |= {"FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.05", "PYTHONUNBUFFERED": "1"}
    with output.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--dir", str(directory)], stdout=out, stderr=subprocess.STDOUT, env=environment
        )
    made = Laptop(process, directory, output)
    try:
        yield made
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=20)


@pytest.fixture
def up(laptop: Laptop) -> Laptop:
    wait_until(lambda: "fpd train federated" in laptop.text() or laptop.process.poll() is not None, "up", 120)
    assert laptop.process.poll() is None, laptop.text()
    laptop.url = next(word for word in laptop.text().split() if word.startswith("http://"))
    return laptop


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _ended(laptop: Laptop, run_id: str) -> bool:
    return str(laptop.state(run_id).get("status")) in ("completed", "failed", "cancelled")


@pytest.mark.long
def test_a_run_over_real_processes_ends_with_every_hospital_in_the_servers_log(up: Laptop) -> None:
    run_id = up.start_run(experiment_name="over a superlink")
    wait_until(lambda: _ended(up, run_id), "the run has ended", 180)
    assert up.state(run_id)["status"] == "completed", up.messages(run_id)
    wait_until(
        lambda: sum(m["type"] == "round_end" and "client_id" in m for m in up.messages(run_id)) == 2, "both are there"
    )
    said = [(m["type"], m.get("client_id")) for m in up.messages(run_id)]
    for client in ("client_0", "client_1"):
        assert ("local_epoch", client) in said
        own = up.directory / "hospitals" / client / "log"
        assert list(own.glob(f"{run_id}.{client}*.jsonl")), "a hospital's journal lies on its own disk"
    assert (up.directory / "checkpoints" / run_id).is_dir()
    config = next(m for m in up.messages(run_id) if m["type"] == "run_start" and "client_id" not in m)
    assert config["experiment_name"] == "over a superlink"


@pytest.mark.long
def test_ctrl_c_ends_all_of_it_within_ten_seconds(up: Laptop) -> None:
    run_id = up.start_run(local_epochs=50)
    wait_until(lambda: any(m["type"] == "local_epoch" for m in up.messages(run_id)), "it trains", 120)
    processes = up.processes()
    assert len(processes) > 8
    began = time.monotonic()
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(timeout=10) == 130
    wait_until(lambda: not any(map(_lives, processes)), "nothing is left", 10 - (time.monotonic() - began))
    journal = (up.directory / "log" / f"{run_id}.jsonl").read_text()
    assert "the federation was ended" in journal, "the run says itself why it ends"
    assert "All of it has ended" in up.text()
