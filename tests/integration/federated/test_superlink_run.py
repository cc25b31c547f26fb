"""A federation of real processes on loopback: SuperLink, SuperNodes, shippers and a server; runs over it."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from federation import Laptop, lives, started, wait_until

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    directory: Path = tmp_path_factory.mktemp("federation")
    with started(directory) as laptop:
        yield laptop


def test_a_run_over_real_processes_ends_with_every_hospital_in_the_servers_log(up: Laptop) -> None:
    run_id = up.start_run(experiment_name="over a superlink")
    wait_until(lambda: up.ended(run_id), "the run has ended", 180)
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


def test_ctrl_c_ends_all_of_it_within_ten_seconds(up: Laptop) -> None:
    run_id = up.start_run(local_epochs=50)
    wait_until(lambda: any(m["type"] == "local_epoch" for m in up.messages(run_id)), "it trains", 120)
    processes = up.processes()
    assert len(processes) > 8
    began = time.monotonic()
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(timeout=10) == 130
    wait_until(lambda: not any(map(lives, processes)), "nothing is left", 10 - (time.monotonic() - began))
    journal = (up.directory / "log" / f"{run_id}.jsonl").read_text()
    assert "the federation was ended" in journal, "the run says itself why it ends"
    assert "All of it has ended" in up.text()
