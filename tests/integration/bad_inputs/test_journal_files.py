"""Row "Journal and document files": what else may lie under a journal's name, or become of one.

Over each of them a hub goes on, a run beside it is seen whole, what is wrong is told once, and the file stays as it is.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from federated_pneumonia_detection.hub import Hub
from federated_pneumonia_detection.hub.stores.sql_store import SqlStore
from federated_pneumonia_detection.progress import FederatedProgressLogger, ProgressLogger
from federated_pneumonia_detection.progress.cancel import CancelWatch
from federated_pneumonia_detection.progress.document import complete_dead
from federated_pneumonia_detection.progress.framing import FORMAT, encode_line
from federated_pneumonia_detection.progress.liveness import boot_id, host_name, pid_start

WaitUntil = Callable[..., None]
Make = Callable[[Path], object]


def first_line(**changed: Any) -> bytes:
    """The first line of a journal of this process."""
    facts = {
        "type": "journal",
        "format": FORMAT,
        "writer": os.urandom(8).hex(),
        "run_id": "strange",
        "client_id": None,
        "experiment_name": "strange",
        "mode": "centralized",
        "host": host_name(),
        "boot": boot_id(),
        "pid": os.getpid(),
        "pid_start": pid_start(os.getpid()),
        "start": "2026-11-24T12:00:00.000000+00:00",
    }
    return encode_line(msgspec.json.encode({**facts, **changed}), 0)


def message(number: int, **said: Any) -> bytes:
    stamped = {"type": "said", "timestamp": "2026-11-24T12:00:01.000000+00:00", "data": number, **said}
    return encode_line(msgspec.json.encode(stamped), number)


def written(data: bytes) -> Make:
    return lambda path: path.write_bytes(data)


class Followed:
    """A hub over a directory, and what it told."""

    def __init__(self, log_dir: Path, hub: Hub, wait_until: WaitUntil) -> None:
        self.log_dir, self.hub, self.until = log_dir, hub, wait_until
        self.warnings: list[str] = []
        self._neighbours = 0

    def messages(self, kind: str | None = None) -> list[dict[str, Any]]:
        page = self.hub.events(after=0, log_id=None, limit=10_000)
        found = [json.loads(text.decode()) for text in page.messages]
        return [message for message in found if kind in (None, message["type"])]

    def said(self, run_id: str = "strange") -> list[Any]:
        return [message.get("data") for message in self.messages("said") if message["run_id"] == run_id]

    def alerts(self, run_id: str = "strange") -> list[str]:
        return [message["text"] for message in self.messages("alert") if message["run_id"] == run_id]

    def told(self, path: Path) -> list[str]:
        return [warning for warning in self.warnings if str(path) in warning]

    def a_neighbour_is_seen_whole(self) -> None:
        self._neighbours += 1
        run_id = f"neighbour-{self._neighbours}"
        with ProgressLogger(self.log_dir, "neighbour", run_id=run_id) as logger:
            for number in range(5):
                logger.log_custom_event("said", number)
            logger.log_training_complete({})
        assert logger.lost == 0
        self.until(lambda: (run := self.hub.run(run_id)) and run.status == "completed", "the neighbour was seen")
        assert self.said(run_id) == list(range(5))
        assert self.hub.stats()["follower_faults_total"] == 0
        assert self.hub.stats()["log_stuck_seconds"] == 0


@contextmanager
def following(directory: Path, wait_until: WaitUntil) -> Iterator[Followed]:
    """A hub over `directory`/progress that is stopped afterwards."""
    log_dir = directory / "progress"
    log_dir.mkdir()
    hub = Hub(SqlStore(f"sqlite:///{directory / 'hub.sqlite3'}"))
    hub.follow(str(log_dir))
    followed = Followed(log_dir, hub, wait_until)
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: followed.warnings.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("federated_pneumonia_detection").addHandler(handler)
    hub.start()
    try:
        yield followed
    finally:
        hub.close()
        logging.getLogger("federated_pneumonia_detection").removeHandler(handler)


@pytest.fixture
def followed(tmp_path: Path, wait_until: WaitUntil) -> Iterator[Followed]:
    with following(tmp_path, wait_until) as made:
        yield made


def slug(name: str) -> str:
    return name.replace(" ", "-")


NO_JOURNALS: dict[str, tuple[Make, str]] = {
    "only newlines": (written(b"\n\n\n\n"), "an empty line"),
    "half a line": (written(b"half a line"), "no first line"),
    "a byte order mark": (written(b"\xef\xbb\xbf" + first_line()), "its checksum does not match"),
    "CRLF": (written(first_line().replace(b"\n", b"\r\n")), "its checksum does not match"),
    "UTF-16": (written(first_line().decode().encode("utf-16")), "not a whole line"),
    "a NUL block after a power cut": (written(b"\0" * 8192), "no first line"),
    "a directory": (lambda path: path.mkdir(), "no regular file"),
    "a link out of the directory": (lambda path: path.symlink_to("/etc/hostname"), "no regular file"),
    "a link that leads nowhere": (lambda path: path.symlink_to("nowhere"), "no regular file"),
    "a link to itself": (lambda path: path.symlink_to(path.name), "no regular file"),
    "a pipe": (os.mkfifo, "no regular file"),
    "a file of another program": (written(b'{"level":"info","msg":"hello"}\n{"a":1}\n'), "not a whole line"),
    "Lightning's hparams": (written(b"lr: 0.1\nepochs: 3\n"), "not a whole line"),
    "a database": (written(b"SQLite format 3\0" + os.urandom(4096)), "not one of our journals"),
    "a later format": (written(first_line(format=FORMAT + 1)), f"its format is {FORMAT + 1}"),
    "a first line without a writer": (written(encode_line(b'{"type":"journal","format":1}', 0)), "missing required"),
    "a first line that is a message": (written(encode_line(b'{"type":"said"}', 0)), "says nothing about a writer"),
    "a run called NUL": (written(first_line(run_id="a\0b")), "a name has at most"),
    "a client of 10 kB": (written(first_line(client_id="c" * 10_000)), "a name has at most"),
    "a first line of a megabyte": (written(first_line(experiment_name="e" * 1_000_000)), "no first line"),
    "an interval that is no number": (written(first_line(broadcast_interval=None)), "broadcast_interval"),
}


def _looks(path: Path) -> tuple[object, ...]:
    status = path.lstat()
    return status.st_mode, status.st_mtime_ns, path.readlink() if path.is_symlink() else status.st_size


@pytest.fixture(scope="module")
def no_journals(tmp_path_factory: pytest.TempPathFactory, wait_until: WaitUntil) -> Iterator[Any]:
    """All of them in one directory, a neighbour beside them, and how they looked before."""
    with following(tmp_path_factory.mktemp("no-journals"), wait_until) as followed:
        before = {}
        for name, (make, _) in NO_JOURNALS.items():
            path = followed.log_dir / f"{slug(name)}.jsonl"
            make(path)
            before[name] = _looks(path)
        followed.until(lambda: len(followed.warnings) >= len(NO_JOURNALS), "all were told")
        followed.a_neighbour_is_seen_whole()
        followed.a_neighbour_is_seen_whole()
        yield followed, before


@pytest.mark.parametrize("name", NO_JOURNALS)
def test_what_is_no_journal_is_told_once_and_left_alone(no_journals: Any, name: str) -> None:
    followed, before = no_journals
    path = followed.log_dir / f"{slug(name)}.jsonl"
    (warning,) = followed.told(path)
    assert NO_JOURNALS[name][1] in warning
    assert "\n" not in warning
    assert _looks(path) == before[name]
    assert [run.run_id for run in followed.hub.runs()] == ["neighbour-2", "neighbour-1"]


def test_a_journal_that_may_not_be_read_is_told_once(followed: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    path = followed.log_dir / "strange.jsonl"
    open_ = os.open

    def no_permissions(name: Any, *arguments: Any, **named: Any) -> int:
        if os.fspath(name) == str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return open_(name, *arguments, **named)

    # The mode alone does not stop the user that many containers run as.
    monkeypatch.setattr(os, "open", no_permissions)
    path.write_bytes(first_line() + message(1))
    path.chmod(0)
    followed.until(lambda: followed.warnings, "it was told")
    followed.a_neighbour_is_seen_whole()
    assert followed.warnings == [f"{path} is not followed: it may not be read"]
    monkeypatch.undo()
    path.chmod(0o600)
    with path.open("ab") as file:
        file.write(message(2))
    followed.until(lambda: followed.said() == [1, 2], "it was read once it could be")


def test_an_empty_file_is_waited_for_and_may_become_a_journal(followed: Followed) -> None:
    path = followed.log_dir / "strange.jsonl"
    path.touch()
    followed.a_neighbour_is_seen_whole()
    assert followed.warnings == []
    path.write_bytes(first_line() + message(1))
    followed.until(lambda: followed.said() == [1], "it was read")


DEEP = b"[" * 50_000 + b"]" * 50_000
TIME = b'"timestamp":"2026-11-24T12:00:01+00:00"'

DAMAGE = {
    "nested 50 000 deep": (encode_line(b'{"type":"said",%b,"data":%b}' % (TIME, DEEP), 1), "nested deeper than"),
    "nested before its type": (encode_line(b'{"data":%b,"type":"said"}' % DEEP, 1), "nested deeper than"),
    "no UTF-8": (encode_line(b'{"type":"said",%b,"data":"\xff\xfe"}' % TIME, 1), "utf-8"),
    "a type that is no UTF-8": (encode_line(b'{"type":"\xff"}', 1), "utf-8"),
    "a lone surrogate": (encode_line(b'{"type":"said",%b,"data":"\\ud800"}' % TIME, 1), "no message"),
    "NaN": (encode_line(b'{"type":"said",%b,"data":NaN}' % TIME, 1), "no message"),
    "a newline in a string": (encode_line(b'{"type":"said",%b,"data":"\x01"}' % TIME, 1), "no message"),
    "more behind its end": (encode_line(b'{"type":"said"} }', 1), "no message"),
    "a list": (encode_line(b"[1,2]", 1), "no message"),
    "no type": (encode_line(b'{"data":1}', 1), "no message"),
    "a type that is a number": (encode_line(b'{"type":1}', 1), "no message"),
    "a time that is a list": (encode_line(b'{"type":"said","timestamp":[1]}', 1), "no message"),
    "a number of 30 digits": (encode_line(b'{"type":"said"}', 10**30), "not a line"),
    "a number of 64 bits": (encode_line(b'{"type":"said"}', 2**63), "not a line"),
    "a number below 0": (encode_line(b'{"type":"said"}', -5), "not a line"),
    "a type with NUL": (message(1, type="a\0b"), "names what cannot be"),
    "a phase with NUL": (message(1, phase="a\0b"), "names what cannot be"),
    "a client of 10 kB": (message(1, client_id="c" * 10_000), "names what cannot be"),
    "an empty line": (b"\n", "an empty line"),
    "a carriage return": (message(1).replace(b"\n", b"\r\n"), "checksum"),
    "a NUL block": (b"\0" * 4096 + b"\n", "not a whole line"),
    "a line of another program": (b'{"loss": 0.1}\n', "not a whole line"),
    "another number under the same checksum": (message(1).replace(b'"n":1', b'"n":2'), "checksum"),
}


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory, wait_until: WaitUntil) -> Iterator[Followed]:
    """A journal with each damage, all in one directory, a neighbour beside them."""
    with following(tmp_path_factory.mktemp("damaged"), wait_until) as followed:
        for name, (line, _) in DAMAGE.items():
            path = followed.log_dir / f"{slug(name)}.jsonl"
            path.write_bytes(first_line(run_id=slug(name)) + line + message(2) + message(3))
        for name in DAMAGE:
            followed.until(lambda name=name: followed.said(slug(name)) == [2, 3], f"the neighbours of {name} were kept")  # type: ignore[misc]
            followed.until(lambda name=name: followed.alerts(slug(name)), f"{name} was told")  # type: ignore[misc]
        followed.a_neighbour_is_seen_whole()
        yield followed


@pytest.mark.parametrize("name", DAMAGE)
def test_a_line_that_is_no_message_costs_itself_and_is_one_alert(damaged: Followed, name: str) -> None:
    (alert,) = damaged.alerts(slug(name))
    assert DAMAGE[name][1] in alert
    assert f"byte {len(first_line(run_id=slug(name)))}" in alert
    assert f"{slug(name)}.jsonl" in alert
    assert "message 1" in alert
    assert damaged.said(slug(name)) == [2, 3]


def test_a_byte_order_mark_between_two_lines_costs_neither(followed: Followed) -> None:
    path = followed.log_dir / "strange.jsonl"
    path.write_bytes(first_line() + message(1) + b"\xef\xbb\xbf" + message(2) + message(3))
    followed.until(lambda: followed.said() == [1, 2, 3], "all were kept")
    followed.until(followed.alerts, "it was told")


ODD = {
    "numbers beyond all bounds": b'{"type":"epoch_end",%b,"epoch":1,"metrics":{"a":1e999,"b":1%b}}'
    % (TIME, b"0" * 400),
    "words for numbers": b'{"type":"epoch_end",%b,"epoch":"one","total_epochs":[],"metrics":"none","phase":{}}' % TIME,
    "metrics of all kinds": b'{"type":"epoch_end",%b,"metrics":{"a":{},"b":[[1]],"c":"x","d":true,"":null}}' % TIME,
    "nested 150 deep": b'{"type":"step",%b,"metrics":%b}' % (TIME, b'{"a":' * 150 + b"1" + b"}" * 150),
    "a time before all times": b'{"type":"run_start","timestamp":"0001-01-01T00:00:00+14:00"}',
    "a time after all times": b'{"type":"training_complete","timestamp":"9999-12-31T23:59:59-14:00"}',
    "no time at all": b'{"type":"epoch_start","timestamp":"soon","epoch":1}',
    "markup and escapes": rb'{"type":"run_start",%b,"experiment_name":"<script>alert(1)</script>\u001b[31m\u202e"}'
    % TIME,
    "keys of the wire": b'{"type":"said",%b,"offset":99,"run_id":"other","n":7,"crc":"x","row":-1,"log_id":1}' % TIME,
    "a type of the wire": b'{"type":"subscribed",%b,"log_id":"x","top":0,"recovered":false}' % TIME,
    "10 000 metrics": b'{"type":"epoch_end",%b,"metrics":{%b}}'
    % (TIME, b",".join(b'"metric_%d":%d' % (i, i) for i in range(10_000))),
    "client and round of other kinds": b'{"type":"round_end",%b,"client_id":[1],"round":{},"fit_metrics":1}' % TIME,
}


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory, wait_until: WaitUntil) -> Iterator[Followed]:
    """A journal with each of them, all in one directory, a neighbour beside them."""
    with following(tmp_path_factory.mktemp("odd"), wait_until) as followed:
        start = message(1, type="run_start", experiment_name="strange", mode="centralized", attempt=1)
        for name, body in ODD.items():
            path = followed.log_dir / f"{slug(name)}.jsonl"
            path.write_bytes(first_line(run_id=slug(name)) + start + encode_line(body, 2) + message(3))
        for name in ODD:
            followed.until(lambda name=name: 3 in followed.said(slug(name)), f"{name} was read")  # type: ignore[misc]
        followed.a_neighbour_is_seen_whole()
        yield followed


@pytest.mark.parametrize("name", ODD)
def test_a_message_that_nobody_of_ours_would_write_breaks_no_view_of_its_run(odd: Followed, name: str) -> None:
    hub, run_id = odd.hub, slug(name)
    assert hub.run(run_id) is not None
    msgspec.json.encode([hub.run(run_id), hub.runs(), hub.series(run_id)])
    document, _ = hub.document(run_id)
    json.loads(document)
    for form in ("csv", "jsonl"):
        b"".join(hub.export(run_id, form)).decode()  # type: ignore[arg-type]
    complete_dead(odd.log_dir)
    assert odd.said(run_id)[-1] == 3


def test_a_journal_truncated_while_it_is_followed_gives_no_message_twice(followed: Followed) -> None:
    path = followed.log_dir / "strange.jsonl"
    head = first_line()
    path.write_bytes(head + message(1) + message(2))
    followed.until(lambda: followed.said() == [1, 2], "it was read")
    os.truncate(path, len(head))
    followed.a_neighbour_is_seen_whole()
    with path.open("ab") as file:
        file.write(message(1) + message(2) + message(3))
    followed.until(lambda: 3 in followed.said(), "it was read again")
    assert followed.said() == [1, 2, 3]


def test_a_journal_replaced_while_it_is_followed_is_another_writers(followed: Followed) -> None:
    path = followed.log_dir / "strange.jsonl"
    path.write_bytes(first_line() + message(1) + message(2))
    followed.until(lambda: followed.said() == [1, 2], "it was read")
    other = path.with_suffix(".new")
    other.write_bytes(first_line() + message(1) + message(2) + message(3))
    other.replace(path)
    followed.until(lambda: 3 in followed.said(), "the other was read")
    assert followed.said() == [1, 2, 1, 2, 3]
    followed.a_neighbour_is_seen_whole()


def test_a_journal_that_becomes_a_pipe_is_no_journal_any_more(followed: Followed) -> None:
    path = followed.log_dir / "strange.jsonl"
    path.write_bytes(first_line() + message(1))
    followed.until(lambda: followed.said() == [1], "it was read")
    path.unlink()
    os.mkfifo(path)
    followed.until(lambda: followed.warnings, "it was told")
    followed.a_neighbour_is_seen_whole()
    assert followed.said() == [1]


def test_a_copy_of_a_journal_under_another_name_changes_nothing(followed: Followed) -> None:
    path = followed.log_dir / "strange.jsonl"
    path.write_bytes(first_line() + message(1) + message(2))
    followed.until(lambda: followed.said() == [1, 2], "it was read")
    (followed.log_dir / "copy.jsonl").write_bytes(path.read_bytes())
    followed.a_neighbour_is_seen_whole()
    assert followed.said() == [1, 2]


NOTES: dict[str, Make] = {
    "a pipe": os.mkfifo,
    "a directory": lambda path: path.mkdir(),
    "a link out": lambda path: path.symlink_to("/etc/hostname"),
    "no UTF-8": written(b"\xff\xfe"),
    "a relative path": written(b"../../etc"),
    "a path that is not there": written(b"/nowhere/at/all"),
    "a path with NUL": written(b"/a\0b"),
    "a megabyte": written(b"/" + b"x" * 1_000_000),
}


@pytest.mark.parametrize("name", NOTES)
def test_a_note_that_names_no_directory_changes_nothing(followed: Followed, name: str) -> None:
    NOTES[name](followed.log_dir / "strange.follow")
    followed.a_neighbour_is_seen_whole()


DOCUMENTS: dict[str, Make] = {
    "a pipe": os.mkfifo,
    "no JSON": written(b"{"),
    "empty": written(b""),
    "another program's": written(b'{"some": "thing"}'),
    "a link out": lambda path: path.symlink_to("/etc/hostname"),
    "a link that leads nowhere": lambda path: path.symlink_to("nowhere"),
    "a list": written(b"[]"),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_lies_under_a_documents_name_is_replaced_and_never_followed(tmp_path: Path, name: str) -> None:
    path = tmp_path / "run.json"
    hostname = Path("/etc/hostname").read_bytes() if Path("/etc/hostname").exists() else b""
    DOCUMENTS[name](path)
    complete_dead(tmp_path)
    with ProgressLogger(tmp_path, "exp", run_id="run") as logger:
        logger.log_epoch_start(1, 1)
        logger.log_training_complete({})
    assert logger.lost == 0
    assert not path.is_symlink()
    assert json.loads(path.read_bytes())["metadata"]["status"] == "completed"
    assert (Path("/etc/hostname").read_bytes() if hostname else b"") == hostname


def test_a_directory_under_a_documents_name_costs_the_document_alone(tmp_path: Path) -> None:
    (tmp_path / "run.json").mkdir()
    with ProgressLogger(tmp_path, "exp", run_id="run") as logger:
        logger.log_epoch_start(1, 1)
        logger.log_training_complete({})
    assert logger.lost == 0
    assert (tmp_path / "run.jsonl").read_bytes().count(b"\n") == 5


UNDER_A_JOURNALS_NAME: dict[str, Make] = {
    "a pipe": os.mkfifo,
    "a directory": lambda path: path.mkdir(),
    "a link out": lambda path: path.symlink_to("/etc/hostname"),
    "a link that leads nowhere": lambda path: path.symlink_to(path.parent.parent / "elsewhere.jsonl"),
    "another program's": written(b"hello\n"),
    "empty": written(b""),
    "hostile lines": written(first_line(run_id="run") + DAMAGE["nested 50 000 deep"][0] + DAMAGE["no type"][0]),
}


@pytest.mark.parametrize("name", UNDER_A_JOURNALS_NAME)
def test_a_logger_whose_name_is_taken_writes_beside_it_and_never_through_it(tmp_path: Path, name: str) -> None:
    log_dir = tmp_path / "progress"
    log_dir.mkdir()
    taken = log_dir / "run.jsonl"
    UNDER_A_JOURNALS_NAME[name](taken)
    before = taken.lstat()
    begun = time.monotonic()
    with ProgressLogger(log_dir, "exp", run_id="run") as logger:
        logger.log_epoch_start(1, 1)
    client = FederatedProgressLogger("client", log_dir, "exp")
    client.log_round_start(1, 1)
    client.close()
    assert time.monotonic() - begun < 5
    assert logger.lost == client.lost == 0
    assert (log_dir / "run~2.jsonl").is_file()
    assert (before.st_mode, before.st_size, before.st_ino) == (
        (after := taken.lstat()).st_mode,
        after.st_size,
        after.st_ino,
    )
    assert not (tmp_path / "elsewhere.jsonl").exists()


REQUESTS: dict[str, Make] = {
    "a pipe": os.mkfifo,
    "a directory": lambda path: path.mkdir(),
    "empty": written(b""),
    "no JSON": written(b"stop!"),
    "of another shape": written(b'{"reason": [1]}'),
    "nested 50 000 deep": written(b'{"reason":' + DEEP + b"}"),
    "no UTF-8": written(b'{"reason":"\xff"}'),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_to_stop_made_by_hand_is_one_and_is_never_waited_for(tmp_path: Path, name: str) -> None:
    REQUESTS[name](tmp_path / "run.cancel")
    begun = time.monotonic()
    assert CancelWatch(tmp_path, "run").asked() is not None
    assert time.monotonic() - begun < 1
