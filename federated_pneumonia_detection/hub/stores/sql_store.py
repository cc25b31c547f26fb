"""The log in a database, by SQLAlchemy Core: SQLite beside the journals, or PostgreSQL for several servers."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Callable, Iterator
from typing import NoReturn

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from federated_pneumonia_detection.hub.cursor import in_order
from federated_pneumonia_detection.hub.errors import DatabaseAway, DatabaseUnusable, LogReplaced, StoreHeld
from federated_pneumonia_detection.hub.stores import sql_reading as reading
from federated_pneumonia_detection.hub.stores.database import Connected, Database, Standing, reason
from federated_pneumonia_detection.hub.stores.sql_writing import Appender, delete_run
from federated_pneumonia_detection.hub.stores.sqlite_database import SqliteDatabase
from federated_pneumonia_detection.hub.stores.store import NOTHING, Batch, News, Place, Step, Stored
from federated_pneumonia_detection.hub.stores.tables import FORMAT, meta

__all__ = ["SqlStore"]

_NEWS_PAGE = 2000
_RIGHT = "one looks like sqlite:///path/hub.sqlite3 or postgresql://user:password@host/name"
_SET_FLOOR = sa.update(meta).values(floor=sa.bindparam("new_floor"))


class SqlStore:
    """A log that outlives its process.

    A file of SQLite is held by one process at a time; a lock beside it sees to that. A database of PostgreSQL is shared
    by any number of servers: each hears what the others have committed. What a restart must know stands in the same
    transaction as what it is about. A file that fails its check is put aside, and one that was deleted or replaced is
    noticed: the log is another one then, and is read anew from the journals. One that went back in time goes on as
    another log.

    Args:
        url: An SQLAlchemy URL, of SQLite or PostgreSQL.

    Raises:
        StoreHeld: Another process keeps this file.
        DatabaseUnusable: It cannot be opened, or is of a newer format.
    """

    def __init__(self, url: str) -> None:
        self._lock = threading.RLock()
        self._database = _database_of(url)
        self._engine: Engine | None = None
        # What this process has seen of the log. What others have committed since is not told yet.
        self._seen = Standing("", 0, 0)
        self._appender = Appender(fit=self._database.fit)
        # A transaction of ours failed, and may yet have gone through.
        self._in_doubt = False
        # Runs that others have dropped, found while appending, for the next `news`.
        self._dropped: list[str] = []
        # Why the log may not be there any more; looked into by `check`.
        self._suspected: sa.exc.DBAPIError | None = None
        self._is_another = False
        self._stop_listening: Callable[[], None] = _nothing
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    # --- opening ---

    def _open(self) -> None:
        engine: Engine | None = None
        try:
            engine = self._database.connect()
            with engine.begin() as connection:
                self._database.prepare(connection)
                seen = self._identify(connection)
        except (sa.exc.SQLAlchemyError, DatabaseUnusable) as error:
            if engine is not None:
                engine.dispose()
            if isinstance(error, DatabaseUnusable):
                raise
            raise DatabaseUnusable(self._shown, reason(error)) from None
        if self._engine is not None:
            self._engine.dispose()
        self._engine, self._seen = engine, seen
        self._appender.forget()
        self._in_doubt = self._is_another = False
        self._suspected = None
        self._dropped.clear()
        self._database.opened(seen.log_id, seen.top)

    def _identify(self, connection: Connection) -> Standing:
        found = connection.execute(sa.select(meta.c.format)).scalar()
        if found is not None and found > FORMAT:
            wrong = f"it has format {found}, this program knows {FORMAT}; use a newer one"
            raise DatabaseUnusable(self._shown, wrong)
        now = self._database.standing(connection)
        if now is None:
            now = Standing(secrets.token_hex(8), 0, 0)
            row = {"id": 1, "format": FORMAT, "log_id": now.log_id, "top": 0, "floor": 0}
            connection.execute(sa.insert(meta).values(row))
        elif self._is_past(now) or self._database.is_past(connection, now.log_id, now.top):
            # A copy from the past: from here on offsets mean something else, so this is another log.
            now = now._replace(log_id=secrets.token_hex(8))
            connection.execute(sa.update(meta).values(log_id=now.log_id))
        self._database.identified(connection)
        return now

    def _is_past(self, now: Standing) -> bool:
        return now.log_id == self._seen.log_id and now.top < self._seen.top

    @property
    def _shown(self) -> str:
        return self._database.url.render_as_string()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Connection]:
        engine = self._engine
        if engine is None:
            raise DatabaseUnusable(self._shown, "it has been closed")
        try:
            with engine.connect() as connection:
                # Each statement for itself: no transaction is left open while its answer is worked on.
                yield connection.execution_options(isolation_level="AUTOCOMMIT") if self.is_shared else connection
        except (sa.exc.DBAPIError, sa.exc.TimeoutError) as error:
            if isinstance(error, sa.exc.DBAPIError):
                self._suspected = error
            raise DatabaseAway(self._shown, reason(error)) from error

    # --- writing ---

    @property
    def log_id(self) -> str:
        """Which log this is."""
        return self._seen.log_id

    @property
    def top(self) -> int:
        """The newest offset that was seen here."""
        return self._seen.top

    @property
    def is_shared(self) -> bool:
        """Whether other servers append to the same log."""
        return self._database.is_shared

    def append(self, batch: Batch) -> list[Stored | Step]:
        """Commit a batch in one transaction; see `Store.append`.

        Raises:
            LogReplaced: The log is not there any more; a new one has been opened, and nothing is in it yet.
            DatabaseAway: It could not be committed; the same may be tried again.
        """
        with self._lock:
            self.check()
            try:
                return self._append(batch)
            except _Another:
                self._begin_anew()
            except (sa.exc.DBAPIError, sa.exc.TimeoutError) as error:
                self._in_doubt = True
                if isinstance(error, sa.exc.DBAPIError) and self._database.is_lost(error, self.log_id):
                    self._begin_anew()
                raise DatabaseAway(self._shown, reason(error)) from error
            except BaseException:
                # Also what failed behind the commit: what was committed is told by the next try.
                self._in_doubt = True
                raise

    def _append(self, batch: Batch) -> list[Stored | Step]:
        if self._engine is None:
            raise DatabaseUnusable(self._shown, "it has been closed")
        if self.is_shared or self._in_doubt:
            return self._append_among_others(self._engine, batch)
        with self._database.appending() as transaction:
            added, top = self._appender.add(transaction, batch.arrivals, self.top)
            self._appender.note(transaction, batch.places)
        if added:
            self._database.reached(self.log_id, top, len(added))
            self._seen = self._seen._replace(top=top)
        return added

    def _append_among_others(self, engine: Engine, batch: Batch) -> list[Stored | Step]:
        """As `append`; first what others have committed, or we ourselves without knowing it."""
        with engine.begin() as connection:
            self._database.enter(connection)
            now, others = self._joined(connection)
            added, top = self._appender.add(Connected(connection), batch.arrivals, now.top)
            self._appender.note(Connected(connection), batch.places, at=self._database.paths_at)
            if added:
                now = self._database.leave(connection, now._replace(top=top))
        if added:
            self._database.reached(now.log_id, top, len(added))
        self._seen, self._in_doubt = now, False
        self._dropped += others.forgotten
        return [*others.messages, *added] if others.messages else added

    def _joined(self, connection: Connection) -> tuple[Standing, News]:
        """Where the log stands, now that nobody else can append, and what others have committed since we looked."""
        now = self._database.standing(connection)
        if now is None or now.log_id != self.log_id or self._is_past(now):
            raise _Another
        if now == self._seen and not self._in_doubt:
            return now, NOTHING
        self._appender.forget()
        return now, self._news_up_to(connection, now)

    def _news_up_to(self, connection: Connection, now: Standing) -> News:
        said = reading.read_messages(connection, after=self.top, top=now.top, limit=now.top - self.top)
        stepped = self._database.steps_since(connection, self._seen, now)
        return News(in_order(said, stepped), self._database.forgotten_since(connection, self._seen, now))

    def news(self) -> News:
        """What others have committed since; see `Store.news`.

        Raises:
            DatabaseAway: It cannot be read for now.
        """
        if not self.is_shared:
            return NOTHING
        with self._lock, self._reading() as connection:
            now = self._database.standing(connection)
            if now is None or now.log_id != self.log_id or self._is_past(now):
                # Not for a reader to act upon: `check` begins anew, on the thread that reads the journals.
                self._is_another = True
                return NOTHING
            if now.top - self.top > _NEWS_PAGE:
                now = now._replace(top=self.top + _NEWS_PAGE, steps=self._seen.steps)
            found = NOTHING if now == self._seen else self._news_up_to(connection, now)
            dropped, self._dropped = [*self._dropped, *found.forgotten], []
            self._seen = now
            return News(found.messages, dropped)

    def listen(self, on_news: Callable[[], None]) -> None:
        """Call `on_news` whenever another server may have committed; see `Store.listen`."""
        self._stop_listening()
        self._stop_listening = self._database.listen(on_news)

    def check(self) -> None:
        """See that the log is still the one that was opened; see `Store.check`.

        Raises:
            LogReplaced: It is not there any more; a new log has been opened, and nothing is in it yet.
        """
        with self._lock:
            if self._engine is None:
                return
            suspected, self._suspected = self._suspected, None
            if (
                self._is_another
                or self._database.is_gone()
                or (suspected is not None and self._database.is_lost(suspected, self.log_id))
            ):
                # Where it cannot be opened now, it is tried again by the next look.
                with contextlib.suppress(DatabaseUnusable, StoreHeld):
                    self._begin_anew()

    def _begin_anew(self) -> NoReturn:
        self._is_another = True
        if self._engine is not None and not self.is_shared:
            # A file is let go before another one is opened in its place.
            self._engine.dispose()
        self._open()
        raise LogReplaced(self._shown)

    def forget(self, run_id: str, *, aged: bool = False) -> None:
        """Drop a run; see `Store.forget`.

        Args:
            run_id: The run.
            aged: Nobody asked for it, it is only too old: then a viewer that missed it must be told.
        """
        with self._lock:
            if self._engine is None:
                raise DatabaseUnusable(self._shown, "it has been closed")
            with self._engine.begin() as connection:
                self._database.enter(connection)
                now = self._database.standing(connection) or self._seen
                dropped = self._database.forgotten_since(connection, self._seen, now)
                last, changes = delete_run(connection, run_id, places=not aged and not self.is_shared)
                floor = max(now.floor, last) if aged else now.floor
                connection.execute(_SET_FLOOR, {"new_floor": floor})
                self._database.dropped(connection, run_id)
                forgotten = self._database.leave(connection, now).forgotten
            self._appender.forget()
            self._database.reached(self.log_id, self.top, changes)
            # What others have committed meanwhile is not told yet: only this has been seen.
            self._seen = self._seen._replace(floor=floor, forgotten=forgotten)
            self._dropped += dropped

    def compact(self) -> None:
        """Give back the space that dropped runs took in a file; it takes as long as copying what is left."""
        with self._lock:
            if self._engine is None:
                raise DatabaseUnusable(self._shown, "it has been closed")
            self._database.compact(self._engine)

    # --- reading ---

    def read(self, *, after: int, limit: int, run_id: str | None = None, client_id: str | None = None) -> list[Stored]:
        """Lifecycle messages above `after`; see `Store.read`."""
        with self._reading() as connection:
            return reading.read_messages(
                connection, after=after, top=self.top, limit=limit, run_id=run_id, client_id=client_id
            )

    def to_see_to(self, *, before: int, limit: int, run_id: str | None = None) -> list[Stored]:
        """What somebody should look at, the newest first; see `Store.to_see_to`."""
        with self._reading() as connection:
            return reading.messages_to_see_to(connection, before=before, top=self.top, limit=limit, run_id=run_id)

    def newest(self, *, run_id: str, client_id: str | None = None) -> list[Stored]:
        """The newest message of each type, phase and client; see `Store.newest`."""
        with self._reading() as connection:
            return reading.newest_messages(connection, top=self.top, run_id=run_id, client_id=client_id)

    def newest_steps(self, *, run_id: str, client_id: str | None = None) -> list[Step]:
        """The newest step of each client and phase; see `Store.newest_steps`."""
        with self._reading() as connection:
            return reading.newest_steps(connection, run_id=run_id, client_id=client_id)

    def steps(
        self, *, run_id: str, client_id: str | None = None, phase: str | None = None, since: int = 0
    ) -> list[Step]:
        """Steps above a row; see `Store.steps`."""
        with self._reading() as connection:
            return reading.read_steps(connection, run_id=run_id, client_id=client_id, phase=phase, since=since)

    def places(self) -> list[Place]:
        """How far each journal has been read from here."""
        with self._reading() as connection:
            return reading.read_places(connection, at=self._database.paths_at)

    def floor(self, run_id: str | None = None) -> int:
        """The newest offset that is kept no more; a run is kept whole or not at all."""
        return self._seen.floor if run_id is None else 0

    def close(self) -> None:
        """Let go of connections and of the lock. Twice is fine."""
        # Before our lock is taken: a call to `on_news` may be under way, and want it.
        self._stop_listening()
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None
            self._database.close()


class _Another(Exception):
    """The log that was opened is not there any more, or went back in time; nothing has been written."""


def _database_of(url: str) -> Database:
    try:
        made = sa.make_url(url.replace("postgres://", "postgresql://", 1))
    except sa.exc.ArgumentError:
        # What cannot be read as a URL may hold a password all the same.
        raise DatabaseUnusable(url.rpartition("@")[2], f"it is no database URL; {_RIGHT}") from None
    if made.get_backend_name() == "sqlite":
        return SqliteDatabase(made)
    if made.get_backend_name() != "postgresql":
        wrong = f"there is no log in {made.get_backend_name()}, only in SQLite and PostgreSQL; {_RIGHT}"
        raise DatabaseUnusable(made.render_as_string(), wrong)
    try:
        from federated_pneumonia_detection.hub.stores.postgres_database import PostgresDatabase
    except ModuleNotFoundError as error:
        wrong = f"{error.name} is not installed here; install federated-pneumonia-detection[postgres]"
        raise DatabaseUnusable(made.render_as_string(), wrong) from None
    return PostgresDatabase(made)


def _nothing() -> None:
    """Nobody listens."""
