from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_pneumonia_detection.progress.document import LOST_AFTER_S, Document, complete_dead
from federated_pneumonia_detection.progress.document_fold import (
    ENDED,
    Folded,
    Glance,
    Said,
    Source,
    fold,
    merged,
    render,
)
from federated_pneumonia_detection.progress.framing import JournalHeader, Line, encode_line

MakeJournal = Callable[..., Path]
MakeHeader = Callable[..., JournalHeader]


def at(second: int, type_name: str, **rest: Any) -> dict[str, Any]:
    return {"type": type_name, **rest, "timestamp": f"2026-11-24T12:00:{second:02d}.000000+00:00"}


def document_of(directory: Path, client_id: str | None = None, run_id: str = "run") -> dict[str, Any]:
    document = Document(directory, run_id, client_id)
    document.replace()
    told: dict[str, Any] = json.loads(document.path.read_bytes())
    return told


@pytest.fixture
def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_holds_the_lifecycle_messages_in_order_and_where_it_stands(tmp_path: Path, make_journal: MakeJournal) -> None:
    messages = [
        at(1, "run_start", experiment_name="exp"),
        at(2, "epoch_start", epoch=1, total_epochs=2),
        at(3, "step", epoch=1, step=1),
        at(4, "epoch_end", epoch=1, metrics={"a": None}),
        at(5, "my_event", data=[1]),
    ]
    make_journal(*messages)
    told = document_of(tmp_path)

    assert told["epochs"] == [message for message in messages if message["type"] != "step"]
    assert told["current_epoch"] == 1
    assert "current_round" not in told
    assert {key: told["metadata"][key] for key in ("experiment_name", "training_mode", "status", "end_time")} == {
        "experiment_name": "exp",
        "training_mode": "centralized",
        "status": "running",
        "end_time": None,
    }
    assert told["metadata"]["start_time"] == messages[0]["timestamp"]
    assert told["metadata"]["updated_at"] == messages[-1]["timestamp"]
    assert told["metadata"]["pid"] == os.getpid()


@pytest.mark.parametrize(
    ("ending", "status"),
    [("training_complete", "completed"), ("training_error", "failed"), ("training_cancelled", "cancelled")],
)
def test_a_late_message_enriches_and_never_reopens(
    tmp_path: Path, make_journal: MakeJournal, ending: str, status: str
) -> None:
    make_journal(at(1, "run_start"), at(2, ending), at(3, "epoch_end", epoch=7), at(4, "training_error"))
    told = document_of(tmp_path)
    assert told["metadata"]["status"] == status
    assert told["metadata"]["end_time"] == at(2, "")["timestamp"]
    assert told["current_epoch"] == 7
    assert len(told["epochs"]) == 4


def test_a_new_attempt_reopens(tmp_path: Path, make_journal: MakeJournal) -> None:
    make_journal(at(1, "run_start"), at(2, "epoch_start", epoch=9), at(3, "training_error"))
    make_journal(at(4, "run_start", attempt=2))
    told = document_of(tmp_path)
    assert told["metadata"]["status"] == "started"
    assert told["metadata"]["end_time"] is None
    assert told["current_epoch"] == 0


def test_what_a_client_says_does_not_end_the_run(tmp_path: Path, make_journal: MakeJournal) -> None:
    make_journal(at(1, "run_start"), at(2, "client_failed", client_id="client_1", round=1, error="x"))
    make_journal(at(3, "training_complete", client_id="client_0"), client_id="client_0")
    assert document_of(tmp_path)["metadata"]["status"] == "started"
    assert document_of(tmp_path, "client_0")["metadata"]["status"] == "completed"


def test_a_client_is_done_with_its_last_round(tmp_path: Path, make_journal: MakeJournal) -> None:
    mine = {"client_id": "client_0"}
    rounds = [at(1, "round_start", round=1, total_rounds=2, **mine), at(2, "round_end", round=1, **mine)]
    path = make_journal(*rounds, client_id="client_0", mode="federated")
    assert document_of(tmp_path, "client_0")["metadata"]["status"] == "running"
    path.unlink()
    make_journal(*rounds, at(3, "round_end", round=2, **mine), client_id="client_0", mode="federated")
    told = document_of(tmp_path, "client_0")
    assert told["metadata"]["status"] == "completed"
    assert told["current_round"] == 2


def test_several_writers_of_a_run_are_one_document(tmp_path: Path, make_journal: MakeJournal) -> None:
    make_journal(at(1, "run_start"), at(4, "a"))
    make_journal(at(2, "b"), at(3, "c"))
    make_journal(at(5, "d"), client_id="client_0")
    make_journal(at(6, "e"), run_id="other")
    assert [message["type"] for message in document_of(tmp_path)["epochs"]] == ["run_start", "b", "c", "a"]


def test_what_the_hub_says_is_in_it_and_the_writer_is_the_trainer(
    tmp_path: Path, make_journal: MakeJournal, make_header: MakeHeader
) -> None:
    make_journal(at(1, "run_start"), pid=4711)
    hub = make_journal(
        at(9, "training_error", error="killed"), pid=12, start="2026-11-25", run_id="run", directory=tmp_path / "x"
    )
    hub.rename(tmp_path / "run.hub.jsonl")
    told = document_of(tmp_path)
    assert told["metadata"]["status"] == "failed"
    assert told["metadata"]["pid"] == 4711


def test_a_file_of_that_name_with_another_identity_is_left_out(tmp_path: Path, make_journal: MakeJournal) -> None:
    make_journal(at(1, "run_start"))
    make_journal(at(2, "x"), run_id="other").rename(tmp_path / "run~2.jsonl")
    assert [message["type"] for message in document_of(tmp_path)["epochs"]] == ["run_start"]


clocks = st.lists(st.lists(st.integers(0, 9), max_size=6), min_size=1, max_size=4)


@given(clocks)
def test_merging_never_goes_against_a_writers_own_order(clocks_of_writers: list[list[int]]) -> None:
    header = JournalHeader(1, "w", "r", None, "e", "m", "h", "b", 1, None, "s")
    sources = []
    for writer, seconds in enumerate(clocks_of_writers):
        source = Source(header)
        for n, second in enumerate(seconds):
            source.add(Line(json.dumps(at(second, "said", by=[writer, n])).encode(), n + 1, "said"))
        sources.append(source)
    order = [tuple(json.loads(one.body)["by"]) for one in merged(sources)]
    for writer, seconds in enumerate(clocks_of_writers):
        assert [n for by, n in order if by == writer] == list(range(len(seconds)))
    assert len(order) == sum(map(len, clocks_of_writers))
    json.loads(render(sources, fold(sources, None)))


kinds = st.sampled_from(["run_start", "epoch_start", "epoch_end", "training_complete", "training_error", "my_event"])


@given(st.lists(st.tuples(kinds, st.integers(0, 5), st.booleans())))
def test_folding_on_is_folding_anew(told: list[tuple[str, int, bool]]) -> None:
    source = Source(JournalHeader(1, "w", "r", None, "e", "m", "h", "b", 1, None, "s"))
    folded = Folded(source, None)
    for n, (kind, epoch, looks) in enumerate(told):
        source.said.append(Said(str(n), b"{}", Glance(kind, str(n), epoch=epoch, attempt=1)))
        if looks:
            folded.summary()
    assert folded.summary() == fold([source], None)


def test_after_a_death_the_document_is_completed_once(tmp_path: Path, make_journal: MakeJournal, dead_pid: int) -> None:
    path = make_journal(at(1, "run_start"), at(2, "epoch_end", epoch=1), pid=dead_pid)
    with path.open("ab") as file:
        file.write(b'{"type":"epoch_st')
    assert complete_dead(tmp_path) == [tmp_path / "run.json"]
    told = json.loads((tmp_path / "run.json").read_bytes())
    assert told["metadata"]["status"] == "failed"
    assert [message["type"] for message in told["epochs"]] == ["run_start", "epoch_end"]
    assert complete_dead(tmp_path) == []


def test_a_living_writers_document_is_its_own_business(tmp_path: Path, make_journal: MakeJournal) -> None:
    make_journal(at(1, "run_start"))
    make_journal(at(1, "run_start"), run_id="elsewhere", host="elsewhere")
    assert complete_dead(tmp_path) == []


@pytest.mark.parametrize(("age_s", "status"), [(5, "running"), (LOST_AFTER_S + 5, "lost")])
def test_a_normal_end_without_a_word_is_lost_after_ten_minutes_and_never_an_error(
    tmp_path: Path, make_journal: MakeJournal, age_s: float, status: str
) -> None:
    path = make_journal(at(1, "run_start"), at(2, "epoch_end", epoch=1), {"type": "journal_end", "timestamp": "t"})
    moment = path.stat().st_mtime - age_s
    os.utime(path, (moment, moment))
    complete_dead(tmp_path)
    assert json.loads((tmp_path / "run.json").read_bytes())["metadata"]["status"] == status


def test_a_copy_that_lags_behind_is_neither_told_twice_nor_taken_for_a_death(
    tmp_path: Path, make_journal: MakeJournal, make_header: MakeHeader, dead_pid: int
) -> None:
    # A backup of a journal, made in the middle of the run, has no last line, and its pid is gone later on.
    path = make_journal(at(1, "run_start"), at(2, "epoch_start", epoch=1), pid=dead_pid)
    (tmp_path / "backup.jsonl").write_bytes(path.read_bytes())
    with path.open("ab") as file:
        file.write(encode_line(json.dumps(at(3, "epoch_start", epoch=2)).encode(), 3))
        file.write(encode_line(b'{"type":"journal_end","timestamp":"2026-11-24T12:00:04+00:00"}', 4))

    complete_dead(tmp_path)
    told = json.loads((tmp_path / "run.json").read_bytes())
    assert told["metadata"]["status"] == "running"
    assert [message["type"] for message in told["epochs"]] == ["run_start", "epoch_start", "epoch_start"]


def test_a_hub_that_lives_and_has_spoken_before_does_not_keep_a_dead_runs_document_open(
    tmp_path: Path, make_journal: MakeJournal, dead_pid: int
) -> None:
    # A server that was started again has the second journal of its name, and only `.hub.jsonl` was taken for a hub's.
    make_journal(at(1, "run_start"), pid=dead_pid)
    make_journal(at(2, "alert"), mode="hub", pid=dead_pid).rename(tmp_path / "run.hub.jsonl")
    make_journal(at(3, "alert"), mode="hub").rename(tmp_path / "run.hub~2.jsonl")

    assert complete_dead(tmp_path) == [tmp_path / "run.json"]
    told = json.loads((tmp_path / "run.json").read_bytes())
    assert told["metadata"]["status"] == "failed"
    assert [message["type"] for message in told["epochs"]] == ["run_start", "alert", "alert"]


def test_strange_files_are_passed_over(tmp_path: Path, make_journal: MakeJournal, dead_pid: int) -> None:
    (tmp_path / "folder.jsonl").mkdir()
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "other.jsonl").write_bytes(b'{"a": 1}\n')
    (tmp_path / "link.jsonl").symlink_to(make_journal(at(1, "x"), pid=dead_pid, directory=tmp_path / "outside"))
    os.mkfifo(tmp_path / "pipe.jsonl")
    make_journal(at(1, "run_start"), pid=dead_pid)
    assert complete_dead(tmp_path) == [tmp_path / "run.json"]
    assert complete_dead(tmp_path / "missing") == []


def test_the_statuses_that_end_are_four() -> None:
    assert {"completed", "failed", "cancelled", "lost"} == ENDED
