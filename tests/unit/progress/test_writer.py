from __future__ import annotations

import errno
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from federated_pneumonia_detection.progress import journal as journal_module
from federated_pneumonia_detection.progress import writer as writer_module
from federated_pneumonia_detection.progress.document_keeper import Identity
from federated_pneumonia_detection.progress.framing import LONGEST_MESSAGE, Line
from federated_pneumonia_detection.progress.messages import (
    Custom,
    EpochEnd,
    EpochStart,
    RoundEnd,
    RunStart,
    Step,
    TrainingComplete,
)
from federated_pneumonia_detection.progress.reading import Gap, JournalReader
from federated_pneumonia_detection.progress.writer import Writer

Said = Callable[[Path | str], list[dict[str, Any]]]


@pytest.fixture
def make_writer(tmp_path: Path) -> Iterator[Callable[..., Writer]]:
    made = []

    def make(client_id: str | None = None, **more: Any) -> Writer:
        identity = Identity(str(tmp_path / "logs"), "run", client_id)
        made.append(Writer(identity, experiment_name="exp", mode="centralized", **more))
        return made[-1]

    yield make
    for writer in made:
        writer.close()


class Disk:
    """Refuses to write while it is full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_full = False
        self._write = os.write
        monkeypatch.setattr(journal_module.os, "write", self.write)

    def write(self, fd: int, data: bytes) -> int:
        if self.is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._write(fd, data)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def until(condition: Callable[[], bool], what: str, timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.002)


def document(tmp_path: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((tmp_path / "logs" / "run.json").read_bytes())
    return told


def step(number: int) -> Step:
    return Step(1, number, 9, "train", {"loss": 1.0}, timestamp="t")


def types(messages: list[dict[str, Any]]) -> list[str]:
    return [message["type"] for message in messages]


def test_a_message_is_in_the_journal_when_the_call_returns(
    make_writer: Callable[..., Writer], tmp_path: Path, said: Said
) -> None:
    writer = make_writer()
    for number in range(1, 4):
        writer.say(EpochStart(number, 3, timestamp="t"))
        assert said(tmp_path / "logs")[-1]["epoch"] == number
    assert writer.lost == 0


def test_a_full_disk_is_waited_out_and_told(
    make_writer: Callable[..., Writer], tmp_path: Path, disk: Disk, said: Said
) -> None:
    writer = make_writer()
    writer.say(RunStart("exp", "centralized", timestamp="t"))
    disk.is_full = True
    for number in range(1, 4):
        writer.say(EpochStart(number, 3, timestamp="t"))
        writer.say(step(number))
    assert writer.lost == 6
    disk.is_full = False
    writer.say(Custom("after", timestamp="t"))

    assert writer.lost == 3, "three steps are gone; what waited is written"
    messages = said_with_gaps(tmp_path / "logs" / "run.jsonl")
    assert types(messages) == ["run_start", "epoch_start", "epoch_start", "epoch_start", "alert", "after"]
    assert "3 messages could only be written later, 3 are gone" in messages[-2]["text"]
    assert "No space left" in messages[-2]["text"]


def said_with_gaps(path: Path) -> list[dict[str, Any]]:
    # Steps that are gone leave a jump in the numbers.
    return [json.loads(entry.body) for entry in JournalReader(path).read() if isinstance(entry, Line)]


def test_what_waits_is_written_without_another_call(
    make_writer: Callable[..., Writer], tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "_RETRY_S", 0.01)
    writer = make_writer()
    writer.say(RunStart("exp", "centralized", timestamp="t"))
    disk.is_full = True
    writer.say(TrainingComplete({"a": 1}, timestamp="t"))
    assert writer.lost == 1
    disk.is_full = False
    until(lambda: writer.lost == 0, "the end is written when the disk has room")
    until(lambda: document(tmp_path)["metadata"]["status"] == "completed", "and stands in the document")


def test_a_thousand_messages_wait_and_the_end_is_kept(
    make_writer: Callable[..., Writer], tmp_path: Path, disk: Disk
) -> None:
    writer = make_writer()
    writer.say(RunStart("exp", "centralized", timestamp="t"))
    disk.is_full = True
    for number in range(writer_module.MOST_WAITING + 10):
        writer.say(EpochStart(number, 3, timestamp="t"))
    writer.say(TrainingComplete({}, timestamp="t"))
    assert writer.lost == writer_module.MOST_WAITING + 11
    disk.is_full = False
    writer.say(Custom("after", timestamp="t"))

    assert writer.lost == 11
    reader = JournalReader(tmp_path / "logs" / "run.jsonl")
    entries = reader.read()
    kept = [json.loads(entry.body) for entry in entries if isinstance(entry, Line)]
    assert types(kept).count("epoch_start") == writer_module.MOST_WAITING - 1
    assert "training_complete" in types(kept)
    assert any(isinstance(entry, Gap) for entry in entries), "the numbers tell that something is missing"


def test_a_directory_that_cannot_be_made_is_tried_again(
    make_writer: Callable[..., Writer], tmp_path: Path, said: Said
) -> None:
    (tmp_path / "logs").write_text("a file, where the directory should be")
    writer = make_writer()
    writer.say(RunStart("exp", "centralized", timestamp="t"))
    writer.say(step(1))
    assert writer.lost == 2
    (tmp_path / "logs").unlink()
    writer.say(EpochStart(1, 3, timestamp="t"))
    assert writer.lost == 1
    assert types(said_with_gaps(tmp_path / "logs" / "run.jsonl")) == ["run_start", "alert", "epoch_start"]


@pytest.mark.parametrize("way", ["removed", "moved", "replaced by a file"])
def test_a_directory_that_goes_in_the_middle_of_a_run_loses_nothing(
    make_writer: Callable[..., Writer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(writer_module, "_LOOK_S", 0.0)
    writer = make_writer()
    for number in range(1, 4):
        writer.say(EpochStart(number, 9, timestamp="t"))
    if way == "moved":
        (tmp_path / "logs").rename(tmp_path / "elsewhere")
    else:
        # In one step: the document may be written anew while one file after the other is removed.
        shutil.rmtree((tmp_path / "logs").rename(tmp_path / "on its way out"))
    if way == "replaced by a file":
        (tmp_path / "logs").touch()
        writer.say(EpochStart(4, 9, timestamp="t"))
        assert writer.lost >= 1
        (tmp_path / "logs").unlink()
        writer.say(EpochStart(5, 9, timestamp="t"))
    else:
        writer.say(EpochStart(4, 9, timestamp="t"))
        writer.say(EpochStart(5, 9, timestamp="t"))

    assert writer.lost == 0
    told = [message for message in said_with_gaps(tmp_path / "logs" / "run.jsonl") if message["type"] != "alert"]
    assert [message["epoch"] for message in told] == [1, 2, 3, 4, 5]


def test_a_message_too_long_is_counted_and_told_once(
    make_writer: Callable[..., Writer], tmp_path: Path, said: Said
) -> None:
    writer = make_writer()
    for _ in range(2):
        writer.say(Custom("picture", "x" * LONGEST_MESSAGE, timestamp="t"))
    writer.say(EpochEnd(1, None, "train", {}, timestamp="t"))
    assert writer.lost == 2
    assert types(said(tmp_path / "logs")) == ["alert", "epoch_end"]
    assert "262144 are the most" in said(tmp_path / "logs")[0]["text"]


def test_nan_is_told_once_for_each_phase_and_metric(
    make_writer: Callable[..., Writer], tmp_path: Path, said: Said
) -> None:
    writer = make_writer(client_id="client_0")
    for _ in range(3):
        writer.tell_not_finite("train", ["loss"])
        writer.tell_not_finite("val", ["loss", "auroc"])
    alerts = said(tmp_path / "logs")
    assert [(alert["phase"], alert["metric"]) for alert in alerts] == [
        ("train", "loss"),
        ("val", "loss"),
        ("val", "auroc"),
    ]
    assert alerts[0]["client_id"] == "client_0"


def test_the_journal_ends_with_its_run_and_a_late_word_has_one_of_its_own(
    make_writer: Callable[..., Writer], tmp_path: Path, said: Said
) -> None:
    writer = make_writer()
    writer.say(RunStart("exp", "centralized", timestamp="t"))
    writer.say(TrainingComplete({}, timestamp="t"))
    assert b'"journal_end"' in (tmp_path / "logs" / "run.jsonl").read_bytes().splitlines()[-1]
    writer.say(Custom("late", timestamp="t"))
    assert types(said(tmp_path / "logs" / "run~2.jsonl")) == ["late"]
    until(
        lambda: types(document(tmp_path)["epochs"]) == ["run_start", "training_complete", "late"], "the document has it"
    )


def test_a_clients_journal_ends_with_its_last_round(make_writer: Callable[..., Writer], tmp_path: Path) -> None:
    writer = make_writer(client_id="client_0")
    writer.total_rounds = 2
    writer.say(RoundEnd(1, {}, {}, timestamp="t", client_id="client_0"))
    assert b"journal_end" not in (tmp_path / "logs" / "run.client_0.jsonl").read_bytes()
    writer.say(RoundEnd(2, {}, {}, timestamp="t", client_id="client_0"))
    assert b"journal_end" in (tmp_path / "logs" / "run.client_0.jsonl").read_bytes()


def test_the_document_has_a_start_and_an_end_at_once_and_the_rest_by_itself(
    make_writer: Callable[..., Writer], tmp_path: Path
) -> None:
    writer = make_writer()
    writer.say(RunStart("exp", "centralized", timestamp="t"))
    assert document(tmp_path)["metadata"]["status"] == "started"
    for number in range(50):
        writer.say(EpochStart(number, 50, timestamp="t"))
    until(lambda: len(document(tmp_path)["epochs"]) == 51, "what came too soon is in it shortly after")
    writer.say(TrainingComplete({}, timestamp="t"))
    assert document(tmp_path)["metadata"]["status"] == "completed"


def test_the_document_parses_whenever_it_is_read(make_writer: Callable[..., Writer], tmp_path: Path) -> None:
    writer = make_writer()
    writer.say(RunStart("exp", "centralized", timestamp="t"))
    stop = threading.Event()
    seen: list[int] = []

    def read() -> None:
        while not stop.is_set():
            seen.append(len(document(tmp_path)["epochs"]))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(2000):
        writer.say(EpochStart(number, 2000, timestamp="t"))
    until(lambda: bool(seen) and seen[-1] == 2001, "the reader sees all of it")
    stop.set()
    reader.join()
    assert seen == sorted(seen)


def test_ten_threads_say_everything_once_and_each_in_its_order(
    make_writer: Callable[..., Writer], tmp_path: Path, said: Said
) -> None:
    writer = make_writer()

    def talk(by: int) -> None:
        for number in range(100):
            writer.say(Custom("said", [by, number], timestamp="t"))

    threads = [threading.Thread(target=talk, args=(by,)) for by in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = [message["data"] for message in said(tmp_path / "logs")]
    for by in range(10):
        assert [number for who, number in told if who == by] == list(range(100))
    assert len(told) == 1000


def test_a_message_in_the_middle_of_a_message_comes_right_behind_it(
    make_writer: Callable[..., Writer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Said
) -> None:
    """A signal handler runs between any two steps of the main thread, and may log."""
    writer = make_writer()
    writer.say(Custom("first", timestamp="t"))
    write = os.write
    interrupts = [Custom("from the handler", timestamp="t"), TrainingComplete({}, timestamp="t")]

    def interrupted(fd: int, data: bytes) -> int:
        written = write(fd, data)
        while interrupts:
            writer.say(interrupts.pop(0))
        return written

    monkeypatch.setattr(journal_module.os, "write", interrupted)
    writer.say(Custom("second", timestamp="t"))

    assert types(said(tmp_path / "logs")) == ["first", "second", "from the handler", "training_complete"]
    assert document(tmp_path)["metadata"]["status"] == "completed"


@pytest.mark.parametrize("when", ["before the write", "after the write"])
def test_an_exception_in_the_middle_of_a_message_leaves_a_whole_journal(
    make_writer: Callable[..., Writer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    writer = make_writer()
    writer.say(Custom("first", timestamp="t"))
    write = os.write

    def interrupted(fd: int, data: bytes) -> int:
        if when == "after the write":
            write(fd, data)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(journal_module.os, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            writer.say(Custom("second", timestamp="t"))
    writer.say(Custom("third", timestamp="t"))
    told = [(entry.n, entry.type) for entry in JournalReader(tmp_path / "logs" / "run.jsonl").read()]  # type: ignore[union-attr]
    assert told == (
        [(1, "first"), (2, "second"), (3, "third")] if when == "after the write" else [(1, "first"), (2, "third")]
    )


def test_the_throttle_is_declared_and_never_kept_by_the_writer(
    make_writer: Callable[..., Writer], tmp_path: Path, said: Said
) -> None:
    writer = make_writer(broadcast_interval=60.0, hears=("cancel",))
    for number in range(5):
        writer.say(step(number))
    reader = JournalReader(tmp_path / "logs" / "run.jsonl")
    assert len(reader.read()) == 5
    assert reader.header is not None
    assert (reader.header.broadcast_interval, reader.header.hears) == (60.0, ["cancel"])
