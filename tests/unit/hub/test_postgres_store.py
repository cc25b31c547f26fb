"""What only a log that servers share has: a lock that nobody holds for long, a database that is another one, news."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import postgres_process
import pytest
import sqlalchemy as sa

from federated_pneumonia_detection.hub.errors import DatabaseAway, LogReplaced
from federated_pneumonia_detection.hub.stores import postgres_database
from federated_pneumonia_detection.hub.stores.sql_store import SqlStore
from federated_pneumonia_detection.hub.stores.store import Arrival, Batch, Place, Stored

pytestmark = pytest.mark.postgres

Make = Callable[..., Arrival]


@pytest.fixture
def opened(postgres_url: str) -> Iterator[Callable[..., SqlStore]]:
    """Open a server's store over the database, or over another one."""
    made: list[SqlStore] = []

    def open_store(url: str = postgres_url) -> SqlStore:
        made.append(SqlStore(url))
        return made[-1]

    yield open_store
    for store in made:
        store.close()


def execute(url: str, *statements: str) -> None:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def test_a_server_that_stands_still_in_a_commit_does_not_hold_up_the_others(
    opened: Callable[..., SqlStore], arrival: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorter = {**postgres_database._OPTIONS, "idle_in_transaction_session_timeout": "300ms"}
    monkeypatch.setattr(postgres_database, "_OPTIONS", shorter)
    still, other = opened(), opened()
    assert still._engine is not None
    # As one that was sent SIGSTOP between two statements.
    connection = still._engine.connect()
    still._database.enter(connection)

    assert [message.n for message in other.append(Batch([arrival(1)]))] == [1]

    with pytest.raises(sa.exc.DBAPIError):
        connection.exec_driver_sql("SELECT 1")
    connection.close()
    # And it goes on: it is told what happened meanwhile.
    assert [message.n for message in still.append(Batch([arrival(1), arrival(2)]))] == [1, 2]


def test_a_database_that_was_emptied_is_another_log_for_every_server(
    opened: Callable[..., SqlStore], arrival: Make, postgres_url: str
) -> None:
    one, other = opened(), opened()
    one.append(Batch([arrival(1), arrival(2)], [Place("/a.jsonl", "w", 1, 10, 2)]))
    other.news()
    log_id = one.log_id
    postgres_process.empty(postgres_url)

    with pytest.raises(LogReplaced):
        one.append(Batch([arrival(3)]))
    assert list(other.news().messages) == []
    with pytest.raises(LogReplaced):
        other.check()

    assert one.log_id == other.log_id != log_id
    assert one.places() == []
    assert [message.offset for message in other.append(Batch([arrival(1)])) if isinstance(message, Stored)] == [1]


def test_a_reader_of_an_emptied_database_is_told_to_come_back_and_the_next_look_sees_to_it(
    opened: Callable[..., SqlStore], arrival: Make, postgres_url: str
) -> None:
    store = opened()
    store.append(Batch([arrival(1)]))
    postgres_process.empty(postgres_url)

    with pytest.raises(DatabaseAway):
        store.read(after=0, limit=9)
    with pytest.raises(LogReplaced):
        store.check()
    assert store.read(after=0, limit=9) == []


def test_a_log_that_went_back_in_time_is_another_log(
    opened: Callable[..., SqlStore], arrival: Make, postgres_url: str
) -> None:
    one = opened()
    one.append(Batch([arrival(1), arrival(2)]))
    log_id = one.log_id
    execute(postgres_url, 'DELETE FROM messages WHERE "offset" = 2', "UPDATE meta SET top = 1")

    with pytest.raises(LogReplaced):
        one.append(Batch([arrival(3)]))

    assert one.log_id != log_id
    assert [message.n for message in one.append(Batch([arrival(2), arrival(3)]))] == [2, 3]


def test_a_restored_copy_is_another_log_and_the_original_stays_the_same(
    opened: Callable[..., SqlStore], arrival: Make, postgres_url: str
) -> None:
    first = opened()
    first.append(Batch([arrival(1)]))
    log_id = first.log_id
    first.close()
    admin = postgres_url.rpartition("/")[0] + "/template1"
    execute(admin, "DROP DATABASE IF EXISTS restored", "CREATE DATABASE restored TEMPLATE postgres")

    copy, original = opened(postgres_url.rpartition("/")[0] + "/restored"), opened()

    assert copy.log_id != log_id
    assert [message.n for message in copy.read(after=0, limit=9)] == [1]
    assert original.log_id == log_id
    copy.close()
    again = opened(postgres_url.rpartition("/")[0] + "/restored")
    assert again.log_id == copy.log_id
    again.close()
    execute(admin, "DROP DATABASE restored")


def test_texts_that_postgresql_does_not_take_are_taken_in_another_shape(
    opened: Callable[..., SqlStore], arrival: Make
) -> None:
    store = opened()
    long, nul = "x" * 10_000, "a\0b"

    added = store.append(Batch([arrival(1, client_id=long), arrival(2, client_id=nul, type=nul), arrival(3)]))

    assert [message.n for message in added] == [1, 2, 3]
    told = [message.client_id for message in store.read(after=0, limit=9)]
    assert told == [message.client_id for message in added]
    assert told[0] is not None and told[0].startswith("xxx") and len(told[0]) <= 200
    assert told[1] is not None and told[1].startswith("a\ufffdb~")
    assert store.append(Batch([arrival(2, client_id=nul, type=nul)])) == []


def test_news_comes_at_once_and_nobody_is_called_for_what_is_its_own(
    opened: Callable[..., SqlStore], arrival: Make, wait_until: Callable[..., None]
) -> None:
    one, other = opened(), opened()
    told: list[int] = []
    called = threading.Event()

    def hear() -> None:
        told.extend(message.n for message in other.news().messages)
        called.set()

    other.listen(hear)
    assert called.wait(5), "it looks as soon as it listens"
    for n in range(1, 20):
        one.append(Batch([arrival(n)]))
    wait_until(lambda: told == list(range(1, 20)), "it was told all of it", timeout_s=0.9)


def test_listening_goes_on_after_its_connection_was_cut(
    opened: Callable[..., SqlStore], arrival: Make, postgres_url: str, wait_until: Callable[..., None]
) -> None:
    one, other = opened(), opened()
    told: list[int] = []
    other.listen(lambda: told.extend(message.n for message in other.news().messages))
    others = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL"
    )
    for n in (1, 2, 3):
        execute(postgres_url, others)
        one.append(Batch([arrival(n)]))
        wait_until(lambda n=n: told == list(range(1, n + 1)), "it was told")
