"""What only a database has: an identity that outlives the process, a holder, and damage."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from federated_pneumonia_detection.hub.errors import DatabaseUnusable, LogReplaced, StoreHeld
from federated_pneumonia_detection.hub.stores.sql_store import SqlStore
from federated_pneumonia_detection.hub.stores.store import Arrival, Batch, Place

Make = Callable[..., Arrival]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hub.sqlite3"


def opened(path: Path) -> SqlStore:
    return SqlStore(f"sqlite:///{path}")


def test_a_reopened_log_is_the_same_and_goes_on(path: Path, arrival: Make) -> None:
    first = opened(path)
    first.append(Batch([arrival(1), arrival(2, type="step", phase="train")], [Place("/a.jsonl", "w", 1, 10, 2)]))
    log_id = first.log_id
    first.close()

    again = opened(path)
    added = again.append(Batch([arrival(1), arrival(3), arrival(4, type="step", phase="train")]))

    assert again.log_id == log_id
    assert [getattr(message, "offset", None) or f"row {message.row}" for message in added] == [2, "row 2"]
    assert again.places() == [Place("/a.jsonl", "w", 1, 10, 2)]
    again.close()


def test_two_new_logs_have_two_identities(tmp_path: Path) -> None:
    one, two = opened(tmp_path / "one.sqlite3"), opened(tmp_path / "two.sqlite3")

    assert one.log_id != two.log_id
    one.close()
    two.close()


def test_the_second_server_is_refused_with_who_holds_the_file(path: Path) -> None:
    import os

    first = opened(path)

    with pytest.raises(StoreHeld, match=f"process {os.getpid()}") as refused:
        opened(path)

    assert str(path) in str(refused.value)
    first.close()
    opened(path).close()


def test_a_database_that_went_back_in_time_is_another_log(path: Path, arrival: Make, tmp_path: Path) -> None:
    store = opened(path)
    store.append(Batch([arrival(1)]))
    log_id = store.log_id
    store.close()
    for file in (path, path.with_name(path.name + "-wal")):
        if file.exists():
            shutil.copy(file, tmp_path / f"old{file.name}")
    store = opened(path)
    store.append(Batch([arrival(2), arrival(3)]))
    store.close()

    for file in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        file.unlink(missing_ok=True)
        if (tmp_path / f"old{file.name}").exists():
            shutil.copy(tmp_path / f"old{file.name}", file)
    store = opened(path)

    assert store.log_id != log_id
    assert [message.n for message in store.read(after=0, limit=9)] == [1]
    store.close()


def test_a_log_that_was_open_when_the_machine_went_down_is_another_log(
    path: Path, arrival: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from federated_pneumonia_detection.progress import liveness

    store = opened(path)
    store.append(Batch([arrival(1)]))
    log_id = store.log_id
    note = path.with_name(path.name + ".top").read_bytes()
    store.close()
    path.with_name(path.name + ".top").write_bytes(note)  # as if it had never been closed

    same_boot = opened(path)
    assert same_boot.log_id == log_id
    same_boot.close()
    path.with_name(path.name + ".top").write_bytes(note)
    monkeypatch.setattr(liveness, "boot_id", lambda: "another-boot")
    next_boot = opened(path)

    assert next_boot.log_id != log_id
    next_boot.close()


@pytest.mark.parametrize("damage", ["not a database", "a hole in the middle", "half of it"])
def test_a_damaged_database_is_put_aside_and_a_new_log_begun(path: Path, arrival: Make, damage: str) -> None:
    store = opened(path)
    store.append(Batch([arrival(n) for n in range(1, 400)]))
    log_id = store.log_id
    store.close()
    data = path.read_bytes()
    damaged = {
        "not a database": b"nothing of the kind " * 500,
        "a hole in the middle": data[:4096] + b"\xff" * 20_000 + data[24_096:],
        "half of it": data[: len(data) // 2 // 4096 * 4096],
    }
    path.write_bytes(damaged[damage])

    store = opened(path)

    assert store.log_id != log_id
    assert store.read(after=0, limit=9) == []
    assert [kept.read_bytes() for kept in path.parent.glob("hub.sqlite3.damaged-*") if kept.stat().st_size] != []
    store.close()


def test_a_database_deleted_while_in_use_is_begun_anew(path: Path, arrival: Make) -> None:
    store = opened(path)
    store.append(Batch([arrival(1)]))
    log_id = store.log_id
    path.unlink()

    with pytest.raises(LogReplaced, match="rebuilt"):
        store.check()
    added = store.append(Batch([arrival(1)]))

    assert store.log_id != log_id
    assert [message.n for message in added] == [1]
    store.close()


def test_what_fails_behind_the_commit_is_told_by_the_next_try_once(
    path: Path, arrival: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(path)
    store.append(Batch([arrival(1)]))
    with monkeypatch.context() as full, pytest.raises(OSError, match="No space"):
        full.setattr("os.pwrite", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        store.append(Batch([arrival(2), arrival(3)]))
    assert store.top == 1

    told = store.append(Batch([arrival(2), arrival(3), arrival(4)]))

    assert [(message.n, getattr(message, "offset", None)) for message in told] == [(2, 2), (3, 3), (4, 4)]
    assert store.append(Batch([arrival(4)])) == []
    store.close()


def test_its_write_ahead_log_stays_small(path: Path, arrival: Make) -> None:
    store = opened(path)
    for begin in range(0, 20_000, 100):
        store.append(Batch([arrival(n, text="x" * 500) for n in range(begin + 1, begin + 101)]))

    assert path.stat().st_size > 8_000_000
    assert path.with_name(path.name + "-wal").stat().st_size < 8_000_000
    store.check()
    store.close()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nonsense", "no database URL"),
        ("sqlite:////nowhere/at/all/hub.sqlite3", "No such file"),
        ("nosuchdb://host/name", "only in SQLite and PostgreSQL"),
        ("postgresql://fpd@127.0.0.1:1/name", "onnection refused"),
    ],
)
def test_a_database_that_cannot_be_opened_is_refused_in_one_line(url: str, says: str) -> None:
    with pytest.raises(DatabaseUnusable, match=says) as refused:
        SqlStore(url)

    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("url", ["postgresql://me:s3cret@127.0.0.1:1/x", "postgres//me:s3cret@host", "x://me:s3cret@h"])
def test_a_password_is_never_told(url: str) -> None:
    with pytest.raises(DatabaseUnusable) as refused:
        SqlStore(url)

    assert "s3cret" not in str(refused.value)


def test_a_newer_format_is_refused(path: Path) -> None:
    opened(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET format = 99")
    connection.close()

    with pytest.raises(DatabaseUnusable, match="format 99"):
        opened(path)
