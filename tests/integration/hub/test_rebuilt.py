"""The database deleted, cut off or overwritten, at rest and while it is used: rebuilt, and viewers are told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from federated_pneumonia_detection.hub import Hub
from federated_pneumonia_detection.hub.errors import DatabaseAway
from federated_pneumonia_detection.hub.stores.sql_store import SqlStore
from federated_pneumonia_detection.progress import ProgressLogger

MESSAGES = 300


def _delete_all(path: Path) -> None:
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()


def _cut(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _overwrite(path: Path, at: int, length: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xa5" * length)


def _replace(path: Path) -> None:
    other = path.with_name("other.sqlite3")
    shutil.copy(path, other)
    other.replace(path)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "deleted": lambda path: path.unlink(),
    "deleted with all that lies beside it": _delete_all,
    "emptied": lambda path: path.write_bytes(b""),
    "cut to half": _cut,
    "its head overwritten": lambda path: _overwrite(path, 0, 200),
    "overwritten from the second page on": lambda path: _overwrite(path, 4096, path.stat().st_size - 4096),
    "replaced by a copy": _replace,
}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "hub.sqlite3"


@pytest.fixture
def start(database: Path, log_dir: Path) -> Iterator[Callable[[], Hub]]:
    """Start a hub over the database; closed at the end."""
    made: list[Hub] = []

    def start_hub() -> Hub:
        hub = Hub(SqlStore(f"sqlite:///{database}"))
        made.append(hub)
        hub.follow(str(log_dir))
        hub.start()
        return hub

    yield start_hub
    for hub in made:
        hub.close()


def talk(log_dir: Path) -> None:
    """A run that says many things and ends."""
    with ProgressLogger(log_dir, "exp", run_id="run") as logger:
        for number in range(MESSAGES):
            logger.log_custom_event("said", {"number": number, "padding": "x" * 200})
        logger.log_training_complete({})


def numbers(messages: list[dict[str, Any]]) -> list[int]:
    return [message["data"]["number"] for message in messages if message["type"] == "said"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_at_rest_is_rebuilt_as_another_log(
    damage: str, database: Path, log_dir: Path, start: Callable[[], Hub], wait_until: Callable[..., None]
) -> None:
    hub = start()
    talk(log_dir)
    wait_until(lambda: hub.top == MESSAGES + 2, "it was read")
    log_id = hub.log_id
    hub.close()
    DAMAGES[damage](database)

    hub = start()

    wait_until(lambda: hub.top == MESSAGES + 2, "it was read again")
    # A copy of a log that was closed is the same log; all else is another one.
    assert (hub.log_id == log_id) is (damage == "replaced by a copy")
    page = hub.events(after=5, log_id=log_id)
    assert page.recovered is (damage == "replaced by a copy")
    assert numbers([json.loads(message) for message in hub.events(after=0).messages]) == list(range(MESSAGES))


@pytest.mark.parametrize("damage", DAMAGES)
async def test_damage_while_it_is_used_is_rebuilt_and_viewers_begin_again(
    damage: str, database: Path, log_dir: Path, start: Callable[[], Hub], watching: Any, until: Any
) -> None:
    hub = start()
    talk(log_dir)
    async with watching(hub, after=0) as seen:
        await until(lambda: len(seen.of("said")) == MESSAGES, "it came live")
        # As a checkpoint leaves it that SQLite makes from time to time: all of it stands in the file.
        with hub._ledger.store._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        hub._ledger.store.check()  # as it is looked at twice a second
        DAMAGES[damage](database)

        def heard_again() -> bool:
            # Somebody reads all the time, as somebody does; that may fail, and never gives what is wrong.
            try:
                page = hub.events(after=0, limit=10_000)
            except DatabaseAway:
                return False
            told = numbers([json.loads(message) for message in page.messages])
            assert told == list(range(len(told)))
            return len(seen.of("subscribed")) == 2 and len(seen.of("said")) == 2 * MESSAGES

        await until(heard_again, "the viewer began again and got everything")
        logger = ProgressLogger(log_dir, "exp", run_id="next")
        logger.log_custom_event("said", {"number": MESSAGES})
        await until(lambda: len(seen.of("said")) == 2 * MESSAGES + 1, "it goes on")
        logger.close()

    first, second = seen.of("subscribed")
    assert second["recovered"] is False
    # A copy that goes on where the original stopped is the same log; its viewers begin again all the same.
    assert (first["log_id"] == second["log_id"]) is (damage == "replaced by a copy")
    again = seen.messages[seen.messages.index(second) + 1 :]
    assert numbers(again) == list(range(MESSAGES + 1))
    assert [message["offset"] for message in again if "offset" in message] == list(range(1, MESSAGES + 5))
