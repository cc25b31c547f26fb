"""What breaks between machines, and who says so: SuperNode and SuperLink killed, the shipper cut, too few hospitals."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from federation import Laptop, lives, started, wait_until

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    directory: Path = tmp_path_factory.mktemp("federation")
    with started(directory) as laptop:
        yield laptop


@pytest.fixture(autouse=True)
def _no_run_is_left(up: Laptop) -> Iterator[None]:
    yield
    up.stop_all()


def _own(laptop: Laptop, client: str, run_id: str) -> str:
    """A hospital's journals of a run, on its own disk."""
    journals = sorted((laptop.directory / "hospitals" / client / "log").glob(f"{run_id}.{client}*.jsonl"))
    return "".join(journal.read_text() for journal in journals)


def _trains(laptop: Laptop, run_id: str) -> bool:
    return all('"local_epoch"' in _own(laptop, client, run_id) for client in ("client_0", "client_1"))


def _said(laptop: Laptop, run_id: str, kind: str) -> list[dict[str, Any]]:
    return [message for message in laptop.messages(run_id) if message["type"] == kind]


def test_a_stop_at_the_server_reaches_each_hospital_at_its_next_batch_and_leaves_no_process(up: Laptop) -> None:
    run_id = up.start_run(num_rounds=2, local_epochs=4)
    wait_until(lambda: _said(up, run_id, "round_aggregated"), "a round is kept")
    wait_until(lambda: any(m["round"] == 2 for m in _said(up, run_id, "local_epoch")), "the second trains")
    its = [*up.processes_of("flwr-clientapp"), *up.processes_of("flwr-serverapp")]
    assert len(its) >= 2
    began = time.monotonic()
    with httpx.Client(base_url=up.url) as http:
        assert http.post(f"/api/runs/{run_id}/cancel", json={"by": "Ada", "reason": "enough"}).status_code == 202
    wait_until(lambda: up.ended(run_id), "the run has ended")
    wait_until(lambda: not any(map(lives, its)), "none of its processes is left", 15)
    assert time.monotonic() - began < 15
    assert '"by":"Ada"' in _own(up, "client_0", run_id)
    (end,) = [m for m in up.messages(run_id) if m["type"] == "training_cancelled" and "client_id" not in m]
    assert (end["by"], end["reason"]) == ("Ada", "enough")
    with httpx.Client(base_url=up.url) as http:
        assert http.post(f"/api/runs/{run_id}/resume", json={}).status_code == 202, "its checkpoint is there"
    wait_until(lambda: up.ended(run_id), "the run has ended", 400)
    assert up.state(run_id)["status"] == "completed"


def test_a_pause_reaches_each_hospital_in_the_middle_of_a_round_and_so_does_its_end(up: Laptop) -> None:
    run_id = up.start_run(local_epochs=200)
    wait_until(lambda: _trains(up, run_id), "both train")
    both = ("client_0", "client_1")
    with httpx.Client(base_url=up.url, timeout=30) as http:
        assert http.post(f"/api/runs/{run_id}/pause", json={"by": "Ada"}).status_code == 202
        wait_until(lambda: all('"training_paused"' in _own(up, c, run_id) for c in both), "each waits", 10)
        assert up.state(run_id)["condition"] == "paused"
        assert up.state(run_id)["sentence"].startswith("Paused by Ada")
        assert http.post(f"/api/runs/{run_id}/resume", json={"by": "Bob"}).status_code == 202
    wait_until(lambda: all('"training_resumed"' in _own(up, c, run_id) for c in both), "each goes on", 10)
    assert '"by":"Bob"' in _own(up, "client_1", run_id)


def test_the_round_goes_on_without_the_shippers(up: Laptop) -> None:
    run_id = up.start_run(local_epochs=3)
    shippers = [p for p in up.processes() if "ship" in p.cmdline()]
    assert len(shippers) == 2
    for shipper in shippers:
        shipper.suspend()
    try:
        wait_until(lambda: up.ended(run_id), "the run has ended", 400)
        assert up.state(run_id)["status"] == "completed"
        assert _said(up, run_id, "local_epoch") == []
    finally:
        for shipper in shippers:
            shipper.resume()
    wait_until(lambda: len(_said(up, run_id, "local_epoch")) == 6, "all of it came afterwards")


def test_a_killed_supernode_is_told_within_seconds_and_the_others_go_on(up: Laptop) -> None:
    run_id = up.start_run(local_epochs=60)
    wait_until(lambda: _trains(up, run_id), "both train")
    up.process_of("flower-supernode", 'client-id="client_1"').kill()
    words = "this hospital's SuperNode ended in the middle of the round"
    # Its training says so where Flower leaves it the time; else the shipper tells its death, into the server's copy.
    copies = (up.directory / "log").glob
    wait_until(
        lambda: (
            words in _own(up, "client_1", run_id)
            or any("journal_died" in copy.read_text() for copy in copies(f"{run_id}.client_1*.jsonl"))
        ),
        "it is told",
        30,
    )
    assert words not in _own(up, "client_0", run_id)
    wait_until(lambda: up.ended(run_id), "the run has ended", 400)
    assert up.state(run_id)["status"] == "completed"
    failed = _said(up, run_id, "client_failed")
    assert {message["client_id"] for message in failed} == {"client_1"}
    assert "ode" in failed[-1]["error"], "at last the server says so, too"


def test_a_supernode_stopped_by_a_signal_is_named_as_the_one_whose_update_does_not_come(up: Laptop) -> None:
    run_id = up.start_run(local_epochs=3)
    wait_until(lambda: _trains(up, run_id), "both train")
    supernode = up.process_of("flower-supernode", 'client-id="client_1"')
    supernode.suspend()
    try:
        # Its training ends; nobody takes the update further.
        wait_until(lambda: "the update of client_1 has not come" in up.state(run_id)["sentence"], "it is named", 200)
        assert up.state(run_id)["condition"] == "waiting_for_straggler"
    finally:
        supernode.resume()
    wait_until(lambda: up.ended(run_id), "the run has ended", 400)
    assert up.state(run_id)["status"] == "completed"


def test_a_run_goes_on_after_its_superlink_was_killed(up: Laptop) -> None:
    run_id = up.start_run(num_rounds=3, local_epochs=2)
    wait_until(lambda: len(_said(up, run_id, "round_aggregated")) >= 1, "a round is done", 400)
    wait_until(lambda: any(m["round"] == 2 for m in _said(up, run_id, "round_start")), "the second has begun", 60)
    up.process_of("flower-superlink").kill()
    wait_until(lambda: up.ended(run_id), "the run has ended", 30)
    (error,) = [m["error"] for m in _said(up, run_id, "training_error") if "client_id" not in m]
    assert error.startswith("the SuperLink ended in round 2; the weights of round 1 are kept")
    wait_until(lambda: "SuperLink: started again" in up.text(), "it is back", 60)
    with httpx.Client(base_url=up.url, timeout=30) as http:
        wait_until(lambda: http.post(f"/api/runs/{run_id}/resume", json={}).status_code == 202, "it is let go on", 60)
    wait_until(lambda: up.state(run_id)["status"] == "completed", "the run has completed", 400)
    starts = [m["round"] for m in _said(up, run_id, "round_start") if "client_id" not in m and m.get("attempt") == 2]
    assert starts == [2, 3]


def test_too_few_hospitals_are_named_and_waited_for_no_longer_than_two_minutes(up: Laptop) -> None:
    run_id = up.start_run(num_clients=3)
    wait_until(lambda: _said(up, run_id, "stage"), "it says what it waits for", 300)
    waits = _said(up, run_id, "stage")[-1]
    wait_until(lambda: up.ended(run_id), "the run has ended", 200)
    assert (waits["stage"], waits["expected"]) == ("waiting_for_clients", 3)
    assert "2 of 3 clients connected within 120 s" in str(up.state(run_id)["error"])


def test_a_key_that_was_not_admitted_is_turned_away_in_words(up: Laptop, tmp_path: Path) -> None:
    fpd = [sys.executable, "-m", "federated_pneumonia_detection", "federation"]
    subprocess.run([*fpd, "node-key", "stranger", "--dir", str(tmp_path)], check=True, capture_output=True)
    address = (up.directory / "federation.json").read_text().split('"address": "')[1].split('"')[0]
    command = [*fpd, "join", "stranger", "--superlink", address, "--data", "phantoms", "--port", "19094"]
    command += ["--key", str(tmp_path / "stranger.key"), "--ca", str(up.directory / "ca.pem")]
    command += ["--log-dir", str(tmp_path / "log"), "--home", str(tmp_path / "flower")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "the SuperLink does not admit this key" in done.stderr


def test_a_launcher_that_died_unnoticed_is_told_and_the_next_run_begins(up: Laptop) -> None:
    run_id = up.start_run(local_epochs=60)
    wait_until(lambda: _trains(up, run_id), "both train")
    supernode = up.process_of("flower-supernode", 'client-id="client_1"')
    (launcher,) = [p for p in up.processes_of("flower-superexec") if p.ppid() == supernode.pid]
    launcher.kill()
    fell = ("client_1 failed", "client_1 died")
    wait_until(lambda: any(words in str(up.state(run_id)["sentence"]) for words in fell), "the run says so", 10)
    wait_until(lambda: "client_1's SuperNode: started again" in up.text(), "it is back", 30)
    up.stop_all()
    superlink = up.process_of("flower-superlink")
    (launcher,) = [p for p in up.processes_of("flower-superexec") if p.ppid() == superlink.pid]
    launcher.kill()
    run_id = up.start_run()
    wait_until(lambda: "SuperLink: started again" in up.text(), "it is back", 30)
    wait_until(lambda: up.ended(run_id), "the run has ended", 300)
    assert up.state(run_id)["status"] in ("completed", "failed")
