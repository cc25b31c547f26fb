"""What a log asks of the kind of database it lies in: how it is opened, who else appends, when it is another one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from federated_pneumonia_detection.hub.stores.sql_writing import Insert, Transaction
from federated_pneumonia_detection.hub.stores.store import Arrival, Step

__all__ = ["Connected", "Database", "Standing", "reason"]


class Standing(NamedTuple):
    """Where a log stands: what changes when somebody appends to it, or drops a run."""

    log_id: str
    top: int
    floor: int
    steps: int = 0
    """Counts steps, where several servers append: whoever knows a lower number has not seen the newest."""
    forgotten: int = 0
    """Counts dropped runs, likewise."""


class Database(Protocol):
    """SQLite in a file that one process holds, or PostgreSQL that any number of servers share."""

    @property
    def url(self) -> sa.URL:
        """Where it is."""

    @property
    def is_shared(self) -> bool:
        """Whether other processes append to it as well."""

    @property
    def paths_at(self) -> str:
        """What stands before the paths of journals in the table of places, where several machines share it."""

    def connect(self) -> Engine:
        """Open it. A file that fails its check is put aside first.

        Raises:
            DatabaseUnusable: It is held by somebody or cannot be reached.
        """

    def prepare(self, connection: Connection) -> None:
        """Make the tables that are missing, in the transaction that opens the log."""

    def is_past(self, connection: Connection, log_id: str, top: int) -> bool:
        """Whether the log had come further than this before, or may have: a copy of the past."""

    def identified(self, connection: Connection) -> None:
        """The log has an identity that fits this database, in the transaction that opens it."""

    def opened(self, log_id: str, top: int) -> None:
        """The log has been opened, and stands there."""

    def enter(self, connection: Connection) -> None:
        """Begin a transaction that writes: from here to its end nobody else does."""

    def leave(self, connection: Connection, now: Standing) -> Standing:
        """Something was written: others are told when the transaction ends.

        Args:
            connection: In that transaction.
            now: Where the log stood before, its `top` as it is after.

        Returns:
            Where it stands when the transaction has ended.
        """

    def appending(self) -> AbstractContextManager[Transaction]:
        """A transaction of nobody but us, as quick as the driver allows; it commits at the end of the block.

        Raises:
            sqlalchemy.exc.DBAPIError: It did not go through.
        """

    def reached(self, log_id: str, top: int, changes: int) -> None:
        """The log has come this far by so many changes: after the commit, and before anybody is told of it."""

    def standing(self, connection: Connection) -> Standing | None:
        """Where the log stands now; `None` when its one row is not there."""

    def steps_since(self, connection: Connection, known: Standing, now: Standing) -> list[Step]:
        """The newest step of each series that others have added to since, in the order of commit."""

    def forgotten_since(self, connection: Connection, known: Standing, now: Standing) -> list[str]:
        """The runs that have been dropped since."""

    def dropped(self, connection: Connection, run_id: str) -> None:
        """A run has been dropped in this transaction: others are to know."""

    def compact(self, engine: Engine) -> None:
        """Give back what is not used any more, where it does not do so by itself."""

    def is_gone(self) -> bool:
        """Whether it is not the one any more that was opened; cheap."""

    def is_lost(self, error: sa.exc.DBAPIError, log_id: str) -> bool:
        """Whether this error says that the log is not there any more; what is left of it is put aside."""

    @property
    def fit(self) -> Callable[[Arrival], Arrival] | None:
        """Makes of an arrival one whose texts the database takes; `None` where it takes any."""

    def listen(self, on_news: Callable[[], None]) -> Callable[[], None]:
        """Call `on_news`, on a thread, whenever others may have committed, and each second.

        Returns:
            What ends it.
        """

    def close(self) -> None:
        """Let go of what is held. Twice is fine."""


class Connected:
    """A transaction on a connection of SQLAlchemy's."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"

    def rows(self, sql: str, values: Sequence[Any]) -> Sequence[Any]:
        """The rows that a query gives."""
        return self._connection.exec_driver_sql(sql.replace("?", self._mark), tuple(values)).all()

    def many(self, sql: str, values: Sequence[Sequence[Any]]) -> None:
        """Run a statement once for each tuple of values."""
        self._connection.exec_driver_sql(sql.replace("?", self._mark), cast(Any, values))

    def insert(self, insert: Insert, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows, in this order."""
        self.many(insert.one, rows)


def reason(error: BaseException) -> str:
    """Why, in one line, as the driver says it."""
    return " ".join(str(getattr(error, "orig", None) or error).split())
