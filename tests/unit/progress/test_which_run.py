from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from federated_pneumonia_detection.progress import liveness, which_run
from federated_pneumonia_detection.progress.which_run import OPEN_DOOR_S, SILENT_S, attempt_of, deciding, run_for

MakeJournal = Callable[..., Path]
NOW = datetime.now(UTC)


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(timespec="microseconds")


def say(type_name: str, client: str | None = "client_0", *, seconds_ago: float = 1, **rest: Any) -> dict[str, Any]:
    mine = {} if client is None else {"client_id": client}
    return {"type": type_name, **rest, "timestamp": ago(seconds_ago), **mine}


def start(number: int, client: str = "client_0", total: int = 3, **rest: Any) -> dict[str, Any]:
    return say("round_start", client, round=number, total_rounds=total, **rest)


def end(number: int, client: str = "client_0", **rest: Any) -> dict[str, Any]:
    return say("round_end", client, round=number, **rest)


def _whole(client: str) -> list[dict[str, Any]]:
    return [start(1, client, total=1), end(1, client)]


@pytest.fixture
def client_journal(make_journal: MakeJournal) -> Callable[..., Path]:
    def make(*messages: dict[str, Any], client: str | None = "client_0", **header: Any) -> Path:
        return make_journal(*messages, client_id=client, mode="federated", **header)

    return make


@pytest.fixture
def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def asks(directory: Path, client: str, kind: str = "round_start", number: int | None = 1) -> str | None:
    return run_for(str(directory), "exp", client, kind, number)


def test_the_first_client_finds_no_run(tmp_path: Path) -> None:
    assert asks(tmp_path, "client_0") is None
    assert asks(tmp_path / "missing", "client_0") is None


def test_a_client_not_seen_before_is_taken_into_an_open_run(tmp_path: Path, client_journal: MakeJournal) -> None:
    client_journal(start(1), end(1))
    assert asks(tmp_path, "client_1") == "run"


def test_another_experiment_is_another_run(tmp_path: Path, client_journal: MakeJournal) -> None:
    client_journal(start(1), experiment_name="another")
    assert asks(tmp_path, "client_1") is None


@pytest.mark.parametrize(
    ("said", "kind", "number", "is_taken_in"),
    [
        ([start(1), end(1)], "round_start", 2, True),
        ([start(1)], "round_start", 2, True),
        ([start(1)], "round_start", 1, False),
        ([start(1), end(1), start(2), end(2)], "round_start", 1, False),
        ([start(1)], "round_end", 1, True),
        ([start(1)], "local_epoch", 1, True),
        ([start(2)], "local_epoch", 1, False),
        ([start(1)], "epoch_start", None, True),
        ([start(1), end(1)], "epoch_start", None, True),
        ([start(1), end(1)], "my_event", None, True),
        ([start(1, total=1), end(1)], "round_start", 1, False),
        ([start(1, total=1), end(1)], "epoch_start", None, False),
        ([start(1, total=1), end(1)], "training_complete", None, True),
    ],
)
def test_a_client_comes_back_to_its_run_but_begins_a_new_one_with_round_1(
    tmp_path: Path,
    client_journal: MakeJournal,
    said: list[dict[str, Any]],
    kind: str,
    number: int | None,
    is_taken_in: bool,
) -> None:
    # The parameters were made when the tests were collected, which may be minutes ago.
    client_journal(*({**message, "timestamp": ago(1)} for message in said))
    assert asks(tmp_path, "client_0", kind, number) == ("run" if is_taken_in else None)


@pytest.mark.parametrize(("seconds", "is_taken_in"), [(OPEN_DOOR_S - 20, True), (OPEN_DOOR_S + 5, False)])
def test_a_run_that_has_ended_takes_in_new_clients_for_a_minute(
    tmp_path: Path, client_journal: MakeJournal, seconds: float, is_taken_in: bool
) -> None:
    client_journal(start(1, total=1), end(1, seconds_ago=seconds))
    assert asks(tmp_path, "client_1") == ("run" if is_taken_in else None)


def test_a_run_whose_server_says_it_is_over_is_over(tmp_path: Path, client_journal: MakeJournal) -> None:
    client_journal(start(1))
    client_journal(say("training_error", None, seconds_ago=120), client=None)
    assert asks(tmp_path, "client_1") is None


def test_a_run_without_a_sign_of_life_takes_in_nobody(
    tmp_path: Path, client_journal: MakeJournal, dead_pid: int
) -> None:
    path = client_journal(start(1), pid=dead_pid)
    old = path.stat().st_mtime - SILENT_S - 5
    os.utime(path, (old, old))
    assert asks(tmp_path, "client_1") is None
    assert asks(tmp_path, "client_0", "round_end", 1) is None


def test_a_long_round_of_a_living_process_is_a_sign_of_life(tmp_path: Path, client_journal: MakeJournal) -> None:
    path = client_journal(start(1))
    old = path.stat().st_mtime - SILENT_S - 5
    os.utime(path, (old, old))
    assert asks(tmp_path, "client_0", "round_end", 1) == "run"


def test_the_newest_run_that_takes_the_client_in_is_the_one(tmp_path: Path, client_journal: MakeJournal) -> None:
    client_journal(start(1), run_id="older", start=ago(30))
    client_journal(start(1, "client_1"), run_id="newer", client="client_1", start=ago(20))
    assert asks(tmp_path, "client_2") == "newer"
    assert asks(tmp_path, "client_1") == "older"


def test_nobody_decides_while_another_does(tmp_path: Path) -> None:
    inside = []

    def decide() -> None:
        with deciding(str(tmp_path)):
            inside.append(1)
            assert len(inside) == 1
            inside.pop()

    threads = [threading.Thread(target=decide) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not inside


@pytest.mark.parametrize("has_fcntl", [True, False])
def test_a_stopped_process_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_fcntl: bool
) -> None:
    monkeypatch.setattr(which_run, "_PATIENCE_S", 0.05)
    if not has_fcntl:
        monkeypatch.setattr(liveness, "fcntl", None)
    with deciding(str(tmp_path)), deciding(str(tmp_path)):
        pass
    assert not list(tmp_path.glob("*.held"))


def test_one_at_a_time_without_locks_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "fcntl", None)
    test_nobody_decides_while_another_does(tmp_path)


def test_a_directory_that_cannot_be_is_no_reason_to_wait(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with deciding(str(tmp_path / "file" / "logs")):
        pass
    with deciding("a\0b"):
        pass


@pytest.mark.parametrize(
    ("said", "header", "attempt"),
    [
        ([], {}, 1),
        ([say("run_start", None, attempt=1)], {}, None),
        ([say("run_start", None, attempt=1), say("training_complete", None)], {}, 2),
        ([say("run_start", None, attempt=3), say("training_error", None)], {}, 4),
        ([say("run_start", None, attempt=1)], {"pid_start": 1}, 2),
        ([say("run_start", None, attempt=1), {"type": "journal_end", "timestamp": "t"}], {}, None),
        ([say("run_start", None, attempt=1)], {"host": "elsewhere"}, None),
    ],
)
def test_a_run_level_logger_joins_or_begins_the_next_attempt(
    tmp_path: Path, make_journal: MakeJournal, said: list[dict[str, Any]], header: dict[str, Any], attempt: int | None
) -> None:
    make_journal(*said, **header)
    assert attempt_of(str(tmp_path), "run") == attempt


@pytest.mark.parametrize(
    ("north", "south", "header", "attempt"),
    [
        ([start(1, "north")], [start(1, "south")], {}, 1),
        ([say("run_start", "north", attempt=1), start(1, "north")], [start(1, "south")], {}, None),
        ([say("run_start", "north", attempt=1), end(3, "north")], [start(3, "south")], {}, None),
        ([say("run_start", "north", attempt=1), *_whole("north")], _whole("south"), {}, 2),
        ([say("run_start", "north", attempt=1), start(1, "north")], _whole("south"), {"pid_start": 1}, 2),
    ],
    ids=["told of it", "goes on", "goes on in part", "has ended", "has died"],
)
def test_a_run_level_logger_joins_a_run_that_clients_alone_have_begun(
    tmp_path: Path,
    client_journal: MakeJournal,
    north: list[dict[str, Any]],
    south: list[dict[str, Any]],
    header: dict[str, Any],
    attempt: int | None,
) -> None:
    client_journal(*north, client="north", **header)
    client_journal(*south, client="south", **header)
    client_journal(say("run_start", "north", attempt=7), client="north", run_id="run-2")
    assert attempt_of(str(tmp_path), "run") == attempt


def test_what_the_hub_said_before_is_no_beginning_and_its_end_is_one(tmp_path: Path, make_journal: MakeJournal) -> None:
    hub = make_journal({"type": "run_queued", "timestamp": ago(9)})
    hub.rename(tmp_path / "run.hub.jsonl")
    assert attempt_of(str(tmp_path), "run") == 1
    make_journal(say("run_start", None, attempt=1, seconds_ago=8))
    (tmp_path / "run.hub.jsonl").unlink()
    make_journal(say("training_error", None), run_id="run", directory=tmp_path / "x").rename(tmp_path / "run.hub.jsonl")
    assert attempt_of(str(tmp_path), "run") == 2
