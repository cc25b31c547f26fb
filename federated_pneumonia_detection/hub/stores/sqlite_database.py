"""A log in SQLite: a file beside the journals that one process at a time holds, or memory."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, chain
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from federated_pneumonia_detection.hub.errors import DatabaseUnusable
from federated_pneumonia_detection.hub.stores.database import Standing, reason
from federated_pneumonia_detection.hub.stores.database_file import DatabaseFile
from federated_pneumonia_detection.hub.stores.sql_writing import Insert
from federated_pneumonia_detection.hub.stores.store import Step
from federated_pneumonia_detection.hub.stores.tables import meta, schema, to_see_to

__all__ = ["SqliteDatabase"]

# Errors that a busy or full disk has as well: only a look at the file tells whether it is damaged.
_DOUBTFUL = frozenset({sqlite3.SQLITE_ERROR, sqlite3.SQLITE_IOERR})
# About as often as SQLite by itself, which counts the pages of its log.
_PAGES_A_CHECKPOINT = 1000
_PAGES_A_COMMIT = 6
_CHANGES_A_PAGE = 8
# Always so many, so that it is prepared once: more gains nothing.
_ROWS_A_STATEMENT = 50
_MOST_VALUES = sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER
_STANDING = sa.select(meta.c.log_id, meta.c.top, meta.c.floor)


class SqliteDatabase:
    """One SQLite file, held by this process until `close`.

    Args:
        url: Of SQLite. Without a file it lies in memory, and nothing of it can be taken away.

    Raises:
        StoreHeld: Another process holds the file.
        DatabaseUnusable: Its folder cannot be written.
    """

    is_shared = False
    paths_at = ""
    fit = None

    def __init__(self, url: sa.URL) -> None:
        self.url = url
        self._file = DatabaseFile.of(url)
        self._engine: Engine | None = None
        # What appends is written by one connection that is kept.
        self._writer: sqlite3.Connection | None = None
        self._log_id = ""
        # Written to the write-ahead log since it was last brought into the file, about.
        self._pages = 0

    def connect(self) -> Engine:
        """Open it; a file that fails SQLite's own check is put aside first."""
        self._drop_writer()
        if self._file is not None:
            self._file.hold()
            if not self._is_sound():
                self._file.put_aside()
        self._engine = self._make_engine()
        return self._engine

    def _make_engine(self) -> Engine:
        engine = sa.create_engine(self.url)
        event.listen(engine, "connect", _prepare)
        return engine

    def _is_sound(self, log_id: str | None = None) -> bool:
        """Whether the file passes SQLite's own check (one that is not there yet does), and holds that log."""
        if self._file is None or not self._file.path.exists():
            return True
        engine = self._make_engine()
        try:
            with engine.connect() as connection:
                if connection.exec_driver_sql("PRAGMA quick_check(1)").scalar() != "ok":
                    return False
                standing = None if log_id is None else self.standing(connection)
                return log_id is None or (standing is not None and standing.log_id == log_id)
        except sa.exc.OperationalError as error:
            if log_id is not None and _code(error) == sqlite3.SQLITE_ERROR:  # its tables are not there
                return False
            raise DatabaseUnusable(self.url.render_as_string(), reason(error)) from None
        except sa.exc.DatabaseError:
            return False
        finally:
            engine.dispose()

    def prepare(self, connection: Connection) -> None:
        """Make the tables that are missing."""
        schema.create_all(connection)
        to_see_to.create(connection, checkfirst=True)

    def is_past(self, connection: Connection, log_id: str, top: int) -> bool:
        """Whether the log had come further: a note beside the file says how far."""
        return self._file is not None and self._file.went_back(log_id, top)

    def identified(self, connection: Connection) -> None:
        """The file is its own sign."""

    def opened(self, log_id: str, top: int) -> None:
        """This is the file to look for from now on."""
        self._log_id = log_id
        if self._file is not None:
            self._file.opened(log_id, top)

    def enter(self, connection: Connection) -> None:
        """Nobody else writes: the file is held."""

    def leave(self, connection: Connection, now: Standing) -> Standing:
        """Nobody else is there to be told."""
        return now

    @contextlib.contextmanager
    def appending(self) -> Iterator[_Transaction]:
        """A transaction on a connection kept for it; after a failure a new one is made."""
        try:
            if self._writer is None:
                self._writer = self._make_writer()
            cursor = self._writer.cursor()
            cursor.execute("BEGIN IMMEDIATE")
            yield _Transaction(cursor)
            cursor.execute("COMMIT")
        except BaseException as error:
            self._drop_writer()
            if isinstance(error, sqlite3.Error):
                raise sa.exc.DBAPIError.instance("", (), error, sqlite3.Error) from error
            raise

    def _make_writer(self) -> sqlite3.Connection:
        if self._engine is None:
            raise DatabaseUnusable(self.url.render_as_string(), "it is not open")
        pooled = self._engine.raw_connection()
        writer = cast(sqlite3.Connection, pooled.driver_connection)
        # Not to be given back to those who read: from here on it begins and ends transactions when it is told to.
        pooled.detach()
        writer.isolation_level = None
        return writer

    def _drop_writer(self) -> None:
        """Close the connection; what it had not committed is undone."""
        if self._writer is not None:
            with contextlib.suppress(sqlite3.Error):
                self._writer.close()
            self._writer = None

    def reached(self, log_id: str, top: int, changes: int) -> None:
        """Note how far the log has come, and bring it into the file from time to time."""
        if self._file is None or self._engine is None:
            return
        self._file.reached(log_id, top)
        self._pages += _PAGES_A_COMMIT + changes // _CHANGES_A_PAGE
        if self._pages > _PAGES_A_CHECKPOINT:
            self._pages = 0
            with self._engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")
            self._file.written()

    def standing(self, connection: Connection) -> Standing | None:
        """Where the log stands now."""
        row = connection.execute(_STANDING).first()
        return None if row is None else Standing(*row)

    def steps_since(self, connection: Connection, known: Standing, now: Standing) -> list[Step]:
        """Nobody else adds any."""
        return []

    def forgotten_since(self, connection: Connection, known: Standing, now: Standing) -> list[str]:
        """Nobody else drops any."""
        return []

    def dropped(self, connection: Connection, run_id: str) -> None:
        """Nobody else has to know."""

    def compact(self, engine: Engine) -> None:
        """Write the file anew, without what is not used any more."""
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        if self._file is not None:
            self._file.written(compacted=True)

    def is_gone(self) -> bool:
        """Whether the file that was opened lies there no more, or not whole; then what is left is put aside."""
        found = "same" if self._file is None else self._file.look()
        if self._file is None or found == "same":
            return False
        if found == "gone":
            return True
        try:
            # One that was cut off is never opened again: whoever still reads it holds a lock nobody gets past.
            if found != "cut off" and self._is_sound(self._log_id):
                return False
        except DatabaseUnusable:  # it cannot be looked at now: when it is read next, it will be
            return False
        self._file.put_aside()
        return True

    def is_lost(self, error: sa.exc.DBAPIError, log_id: str) -> bool:
        """Whether the file is damaged; then it is put aside."""
        if self._file is None or isinstance(error, sa.exc.IntegrityError):
            return False
        if isinstance(error, sa.exc.OperationalError):
            try:
                if _code(error) not in _DOUBTFUL or self._is_sound(log_id):
                    return False
            except DatabaseUnusable:  # it cannot even be looked at: that may pass
                return False
        self._file.put_aside()
        return True

    def listen(self, on_news: Callable[[], None]) -> Callable[[], None]:
        """There is never news of others."""
        return lambda: None

    def close(self) -> None:
        """Let go of the lock. Twice is fine."""
        self._drop_writer()
        if self._file is not None:
            self._file.close()


class _Transaction:
    """A transaction on a connection of the driver's."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor

    def rows(self, sql: str, values: Sequence[Any]) -> Sequence[Any]:
        """The rows that a query gives."""
        return self._cursor.execute(sql, values).fetchall()

    def many(self, sql: str, values: Sequence[Sequence[Any]]) -> None:
        """Run a statement once for each tuple of values."""
        self._cursor.executemany(sql, values)

    def insert(self, insert: Insert, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows, in this order; of many a good part with one statement, which costs half of `executemany`."""
        at, together = 0, _ROWS_A_STATEMENT
        if len(rows) >= together and together * len(rows[0]) <= self._cursor.connection.getlimit(_MOST_VALUES):
            while len(rows) - at >= together:
                # What all of them have in common (the run, the writer, mostly the type) is given once.
                columns = tuple(zip(*rows[at : at + together], strict=True))
                common = tuple(values[0] == values[-1] and values.count(values[0]) == together for values in columns)
                given = [values[:1] if is_one else values for values, is_one in zip(columns, common, strict=True)]
                self._cursor.execute(_insert_together(insert, common), tuple(chain.from_iterable(given)))
                at += together
        if at < len(rows):
            self._cursor.executemany(insert.one, rows[at:])


@lru_cache(maxsize=64)
def _insert_together(insert: Insert, common: tuple[bool, ...]) -> str:
    """The statement that inserts some rows; `common` says of which columns one value is given for all."""
    firsts = accumulate((1 if is_one else _ROWS_A_STATEMENT for is_one in common), initial=1)
    places = list(zip(firsts, common, strict=False))
    rows = (
        ", ".join(f"?{first if is_one else first + row}" for first, is_one in places)
        for row in range(_ROWS_A_STATEMENT)
    )
    return f"{insert.into} VALUES {', '.join(f'({row})' for row in rows)}"


def _code(error: sa.exc.DBAPIError) -> int:
    # The extended codes say the same more exactly; the last byte is the plain one.
    return int(getattr(error.orig, "sqlite_errorcode", 0)) & 0xFF


def _prepare(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    # WAL: readers never wait for the one writer. NORMAL: a commit survives any kill of the process; a power cut may
    # take the last ones, which the journals still have. Checkpoints are ours, so that a write of somebody else's to the
    # file itself is noticed.
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=5000", "wal_autocheckpoint=0"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
