"""What is written to a log in a database: which arrivals are new, which offset or row each gets, and how they go in.

What every message passes through is plain SQL that both databases understand, and the driver's own way to insert many
rows: an insert that SQLAlchemy prepares for each batch costs more than the database needs for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from federated_pneumonia_detection.hub.stores.store import NOBODY, Arrival, Place, Step, Stored
from federated_pneumonia_detection.hub.stores.tables import messages, steps
from federated_pneumonia_detection.hub.stores.tables import places as places_table

__all__ = ["Appender", "Insert", "Transaction", "delete_run"]

_RowKey = tuple[str, str, str]
# As their constructors, without the time these take for each argument.
_new_stored = cast(Callable[[tuple[Any, ...]], Stored], partial(tuple.__new__, Stored))
_new_step = cast(Callable[[tuple[Any, ...]], Step], partial(tuple.__new__, Step))

_SET_TOP = "UPDATE meta SET top = ?"
_HIGHEST = " UNION ALL ".join(f"SELECT max(n) FROM {table} WHERE writer = ?" for table in ("messages", "steps"))
_NUMBERS = " UNION ALL ".join(
    f"SELECT n FROM {table} WHERE writer = ? AND n BETWEEN ? AND ?" for table in ("messages", "steps")
)
_LAST_ROW = 'SELECT max("row") FROM steps WHERE run_id = ? AND client_id = ? AND phase = ?'


class Insert(NamedTuple):
    """An insert into a table, as plain SQL."""

    into: str
    """`INSERT INTO` with the table and its columns."""
    one: str
    """The statement for one row."""

    @classmethod
    def of(cls, table: str, columns: Sequence[str]) -> Insert:
        """An insert of values for these columns."""
        names = ", ".join(f'"{name}"' for name in columns)
        into = f"INSERT INTO {table} ({names})"
        return cls(into, f"{into} VALUES ({', '.join('?' * len(columns))})")


_ADD_MESSAGES = Insert.of("messages", Stored._fields)
_ADD_STEPS = Insert.of("steps", Step._fields)
_MOVED = ", ".join(f"{name} = excluded.{name}" for name in ("writer", "inode", "byte", "n"))
_SET_PLACES = (
    "INSERT INTO places (path, writer, inode, byte, n) VALUES (?, ?, ?, ?, ?)"
    f" ON CONFLICT (path) DO UPDATE SET {_MOVED}"
)


class Transaction(Protocol):
    """A transaction of a driver: plain SQL, `?` for each value."""

    def rows(self, sql: str, values: Sequence[Any]) -> Sequence[Any]:
        """The rows that a query gives."""

    def many(self, sql: str, values: Sequence[Sequence[Any]]) -> None:
        """Run a statement once for each tuple of values."""

    def insert(self, insert: Insert, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows, in this order."""


class Appender:
    """Adds to a log, inside transactions of its caller. Not thread-safe.

    It remembers the highest number of each writer and the last row of each series, so that a batch of one journal that
    goes on asks the database nothing. What it remembers holds as long as nobody else appends: `forget` when somebody
    has, or when it is not known whether a transaction went through.

    Args:
        fit: Makes of an arrival one whose texts the database takes; `None` where it takes any.
    """

    def __init__(self, *, fit: Callable[[Arrival], Arrival] | None = None) -> None:
        self._fit = fit
        # The highest number stored of each writer, and the last row given in each series.
        self._highest: dict[str, int] = {}
        self._rows: dict[_RowKey, int] = {}

    def forget(self) -> None:
        """Remember nothing: the database is asked again."""
        self._highest.clear()
        self._rows.clear()

    def add(self, transaction: Transaction, arrivals: Sequence[Arrival], top: int) -> tuple[list[Stored | Step], int]:
        """Insert what is new of a batch.

        Args:
            transaction: When it fails, `forget`.
            arrivals: The batch.
            top: The newest offset before it.

        Returns:
            What was new, in order, and the newest offset after it.
        """
        if self._fit is not None:
            arrivals = [self._fit(arrival) for arrival in arrivals]
        highest, rows = self._highest, self._rows
        # The numbers that are stored, of writers of whom one came that is not above their highest.
        taken: dict[str, set[int]] = {}
        added: list[Stored | Step] = []
        # Plain tuples: a driver takes a subclass of them one item after the other.
        said: list[tuple[Any, ...]] = []
        stepped: list[tuple[Any, ...]] = []
        for at, (writer, n, run_id, client_id, type_, phase, body) in enumerate(arrivals):
            known = highest.get(writer)
            if known is None:
                known = _highest(transaction, writer)
            if n > known:
                highest[writer] = n
            else:
                highest[writer] = known
                if writer not in taken:
                    taken[writer] = _stored(transaction, writer, arrivals) | _numbers(arrivals[:at], writer)
                if n in taken[writer]:
                    continue
            if taken and writer in taken:
                taken[writer].add(n)
            if type_ == "step":
                key = (run_id, client_id or NOBODY, phase)
                row = (rows[key] if key in rows else _last_row(transaction, key)) + 1
                rows[key] = row
                stepped.append((row, run_id, client_id or NOBODY, phase, body, top, writer, n))
                added.append(_new_step((row, run_id, client_id, phase, body, top, writer, n)))
            else:
                top += 1
                said.append((top, run_id, client_id or NOBODY, type_, phase, body, writer, n))
                added.append(_new_stored((top, run_id, client_id, type_, phase, body, writer, n)))
        if said:
            transaction.insert(_ADD_MESSAGES, said)
            transaction.many(_SET_TOP, [(top,)])
        if stepped:
            transaction.insert(_ADD_STEPS, stepped)
        return added, top

    def note(self, transaction: Transaction, places: Sequence[Place], *, at: str = "") -> None:
        """Note how far journals have been read; `at` stands before their paths in the table."""
        newest = {place.path: place for place in places}
        values = [(at + path, place.writer, place.inode, place.byte, place.n) for path, place in newest.items()]
        if values:
            transaction.many(_SET_PLACES, values)


def _last_row(transaction: Transaction, key: _RowKey) -> int:
    """The last row that is stored of a series."""
    return int(transaction.rows(_LAST_ROW, key)[0][0] or 0)


def _highest(transaction: Transaction, writer: str) -> int:
    """The highest number that is stored of a writer."""
    return max(n or 0 for (n,) in transaction.rows(_HIGHEST, (writer, writer)))


def _numbers(arrivals: Sequence[Arrival], writer: str) -> set[int]:
    return {arrival.n for arrival in arrivals if arrival.writer == writer}


def _stored(transaction: Transaction, writer: str, arrivals: Sequence[Arrival]) -> set[int]:
    """The numbers of a writer that are stored, as far as a batch asks for them."""
    asked = _numbers(arrivals, writer)
    between = (writer, min(asked), max(asked))
    return {n for (n,) in transaction.rows(_NUMBERS, between * 2)}


def delete_run(connection: Connection, run_id: str, *, places: bool) -> tuple[int, int]:
    """Delete what a run has said.

    Args:
        connection: In a transaction.
        run_id: The run.
        places: Whether to delete also how far its journals have been read.

    Returns:
        Its newest offset, and how many rows were deleted.
    """
    of_run = messages.c.run_id == run_id
    last = connection.execute(sa.select(sa.func.max(messages.c.offset)).where(of_run)).scalar() or 0
    if places:
        writers = sa.union(
            sa.select(messages.c.writer).where(of_run), sa.select(steps.c.writer).where(steps.c.run_id == run_id)
        )
        connection.execute(sa.delete(places_table).where(places_table.c.writer.in_(writers)))
    deleted = connection.execute(sa.delete(messages).where(of_run)).rowcount
    deleted += connection.execute(sa.delete(steps).where(steps.c.run_id == run_id)).rowcount
    return int(last), deleted
