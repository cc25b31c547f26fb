"""The log in a database, by SQLAlchemy Core: SQLite in a file beside the journals, or any other it knows."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NoReturn

import msgspec
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from federated_pneumonia_detection.hub.database_file import DatabaseFile
from federated_pneumonia_detection.hub.errors import DatabaseUnusable, LogReplaced
from federated_pneumonia_detection.hub.store import Arrival, Batch, Place, Step, Stored

__all__ = ["FORMAT", "SqlStore"]

FORMAT = 1
"""Of the tables below. A database of a newer format is refused, not guessed at."""

_NOBODY = ""
"""`client_id` of what no client said: a primary key takes no NULL."""

_schema = sa.MetaData()
_meta = sa.Table(
    "meta",
    _schema,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("format", sa.Integer, nullable=False),
    sa.Column("log_id", sa.String(32), nullable=False),
    sa.Column("top", sa.BigInteger, nullable=False),
    sa.Column("floor", sa.BigInteger, nullable=False),
)
_messages = sa.Table(
    "messages",
    _schema,
    sa.Column("offset", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("client_id", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("phase", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("writer", sa.Text, nullable=False),
    sa.Column("n", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("writer", "n"),
    sa.Index("messages_of_a_run", "run_id", "offset"),
)
_steps = sa.Table(
    "steps",
    _schema,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("client_id", sa.Text, primary_key=True),
    sa.Column("phase", sa.Text, primary_key=True),
    sa.Column("row", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("writer", sa.Text, nullable=False),
    sa.Column("n", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("writer", "n"),
)
_places = sa.Table(
    "places",
    _schema,
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("writer", sa.Text, nullable=False),
    sa.Column("inode", sa.BigInteger, nullable=False),
    sa.Column("byte", sa.BigInteger, nullable=False),
    sa.Column("n", sa.BigInteger, nullable=False),
)
_STORED = (
    _messages.c.offset,
    _messages.c.run_id,
    _messages.c.client_id,
    _messages.c.type,
    _messages.c.phase,
    _messages.c.body,
    _messages.c.writer,
    _messages.c.n,
)
_STEP = (
    _steps.c.row,
    _steps.c.run_id,
    _steps.c.client_id,
    _steps.c.phase,
    _steps.c.body,
    _steps.c.at,
    _steps.c.writer,
    _steps.c.n,
)
# What every commit says, made once: to build a statement costs more than to run it.
_ADD_MESSAGES = sa.insert(_messages)
_ADD_STEPS = sa.insert(_steps)
_SET_TOP = sa.update(_meta).values(top=sa.bindparam("new_top"))
_ADD_PLACES = sa.insert(_places)
_MOVE_PLACES = (
    sa.update(_places)
    .where(_places.c.path == sa.bindparam("of"))
    .values({name: sa.bindparam(f"new_{name}") for name in ("writer", "inode", "byte", "n")})
)


class SqlStore:
    """A log that outlives its process.

    One process at a time appends; for a file, a lock beside it sees to that. What a restart must know stands in the
    same transaction as what it is about. A file that fails its check is put aside, and one that was deleted or replaced
    is noticed: the log is another one then, and is read anew from the journals. One that went back in time goes on as
    another log.

    Args:
        url: An SQLAlchemy URL.

    Raises:
        StoreHeld: Another process keeps this file.
        DatabaseUnusable: It cannot be opened, or is of a newer format.
    """

    def __init__(self, url: str) -> None:
        self._lock = threading.RLock()
        try:
            self._url = sa.make_url(url)
        except sa.exc.ArgumentError:
            raise DatabaseUnusable(url, "it is no database URL; one looks like sqlite:///path/hub.sqlite3") from None
        self._file = DatabaseFile.of(self._url)
        self._highest: dict[str, int] = {}
        # The journals whose place is noted; None before that was looked up.
        self._placed: set[str] | None = None
        # The highest row given, by run, client and phase.
        self._rows: dict[tuple[str, str, str], int] = {}
        self._log_id, self._top, self._floor = "", 0, 0
        self._engine: Engine | None = None
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    # --- opening ---

    def _open(self) -> None:
        if self._file is not None and not self._is_sound():
            self._file.put_aside()
        try:
            self._engine = _engine(self._url)
            with self._engine.begin() as connection:
                _schema.create_all(connection)
                self._identify(connection)
        except (sa.exc.SQLAlchemyError, ModuleNotFoundError) as error:
            raise DatabaseUnusable(self._url.render_as_string(), _reason(error)) from None
        if self._file is not None:
            self._file.opened(self._log_id, self._top)

    def _is_sound(self) -> bool:
        """Whether the file passes SQLite's own check; one that is not there yet does."""
        if self._file is None or not self._file.path.exists():
            return True
        engine = _engine(self._url)
        try:
            with engine.connect() as connection:
                return bool(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar() == "ok")
        except sa.exc.OperationalError as error:
            raise DatabaseUnusable(self._url.render_as_string(), _reason(error)) from None
        except sa.exc.DatabaseError:
            return False
        finally:
            engine.dispose()

    def _identify(self, connection: Connection) -> None:
        row = connection.execute(sa.select(_meta)).first()
        if row is not None and row.format > FORMAT:
            wrong = f"it has format {row.format}, this program knows {FORMAT}; use a newer one"
            raise DatabaseUnusable(self._url.render_as_string(), wrong)
        if row is not None and (self._file is None or not self._file.went_back(row.log_id, row.top)):
            self._log_id, self._top, self._floor = row.log_id, row.top, row.floor
            return
        # New, or a copy from the past: from here on offsets mean something else, so this is another log.
        self._log_id, self._top, self._floor = secrets.token_hex(8), row.top if row else 0, row.floor if row else 0
        connection.execute(sa.delete(_meta))
        connection.execute(
            sa.insert(_meta).values(id=1, format=FORMAT, log_id=self._log_id, top=self._top, floor=self._floor)
        )

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Connection]:
        engine = self._engine
        if engine is None:
            raise DatabaseUnusable(self._url.render_as_string(), "it has been closed")
        with engine.connect() as connection:
            yield connection

    # --- writing ---

    @property
    def log_id(self) -> str:
        """Which log this is."""
        return self._log_id

    @property
    def top(self) -> int:
        """The newest offset."""
        return self._top

    def append(self, batch: Batch) -> list[Stored | Step]:
        """Commit a batch in one transaction; see `Store.append`.

        Raises:
            LogReplaced: The file was deleted or replaced; a new log has been opened, and nothing is in it yet.
            sqlalchemy.exc.SQLAlchemyError: It could not be committed; the same may be tried again.
        """
        with self._lock:
            self.check()
            try:
                return self._append(batch)
            except sa.exc.DatabaseError as error:
                if self._file is None or isinstance(error, sa.exc.OperationalError | sa.exc.IntegrityError):
                    raise
                self._file.put_aside()
                self._begin_anew()

    def check(self) -> None:
        """See that the log is still the one that was opened; see `Store.check`.

        Raises:
            LogReplaced: The file was deleted or replaced; a new log has been opened, and nothing is in it yet.
        """
        with self._lock:
            if self._engine is not None and self._file is not None and self._file.is_gone():
                self._begin_anew()

    def _begin_anew(self) -> NoReturn:
        if self._engine is not None:
            self._engine.dispose()
        self._highest.clear()
        self._rows.clear()
        self._placed = None
        self._open()
        raise LogReplaced(self._url.render_as_string())

    def _append(self, batch: Batch) -> list[Stored | Step]:
        assert self._engine is not None
        highest, rows, top = dict(self._highest), dict(self._rows), self._top
        added: list[Stored | Step] = []
        with self._engine.begin() as connection:
            for arrival in self._new(connection, batch.arrivals, highest):
                if arrival.type == "step":
                    added.append(_step(arrival, self._next_row(connection, arrival, rows), top))
                else:
                    top += 1
                    added.append(Stored(top, *arrival[2:], writer=arrival.writer, n=arrival.n))
            messages = [_values(message) for message in added if isinstance(message, Stored)]
            steps = [_values(step) for step in added if isinstance(step, Step)]
            if messages:
                connection.execute(_ADD_MESSAGES, messages)
                connection.execute(_SET_TOP, {"new_top": top})
            if steps:
                connection.execute(_ADD_STEPS, steps)
            placed = self._place(connection, batch.places)
        if self._file is not None and top > self._top:
            self._file.reached(self._log_id, top)
        self._highest, self._rows, self._top, self._placed = highest, rows, top, placed
        return added

    def _place(self, connection: Connection, places: Sequence[Place]) -> set[str]:
        """Note how far journals have been read; the journals of which it is known now."""
        newest = {place.path: place for place in places}
        known = self._placed
        if known is None:
            known = set(connection.execute(sa.select(_places.c.path)).scalars())
        moved = [place for path, place in newest.items() if path in known]
        added = [place for path, place in newest.items() if path not in known]
        if moved:
            values = [
                {"of": p.path, "new_writer": p.writer, "new_inode": p.inode, "new_byte": p.byte, "new_n": p.n}
                for p in moved
            ]
            connection.execute(_MOVE_PLACES, values)
        if added:
            connection.execute(_ADD_PLACES, [msgspec.structs.asdict(place) for place in added])
        return known | newest.keys() if added else known

    def _new(self, connection: Connection, arrivals: Sequence[Arrival], highest: dict[str, int]) -> Iterable[Arrival]:
        """Those of whose writer and number nothing is stored yet, each once."""
        seen: set[tuple[str, int]] = set()
        for arrival in arrivals:
            writer, n = arrival.writer, arrival.n
            if writer not in highest:
                highest[writer] = max(_highest(connection, table, writer) for table in (_messages, _steps))
            if (writer, n) in seen:
                continue
            if n <= highest[writer] and any(_has(connection, table, writer, n) for table in (_messages, _steps)):
                continue
            seen.add((writer, n))
            highest[writer] = max(n, highest[writer])
            yield arrival

    def _next_row(self, connection: Connection, step: Arrival, rows: dict[tuple[str, str, str], int]) -> int:
        key = (step.run_id, step.client_id or _NOBODY, step.phase)
        if key not in rows:
            rows[key] = connection.execute(sa.select(sa.func.max(_steps.c.row)).where(_same(key))).scalar() or 0
        rows[key] += 1
        return rows[key]

    def forget(self, run_id: str, *, aged: bool = False) -> None:
        """Drop a run; see `Store.forget`.

        Args:
            run_id: The run.
            aged: Nobody asked for it, it is only too old: then a viewer that missed it must be told.
        """
        with self._lock:
            assert self._engine is not None
            with self._engine.begin() as connection:
                of_run = _messages.c.run_id == run_id
                last = connection.execute(sa.select(sa.func.max(_messages.c.offset)).where(of_run)).scalar() or 0
                writers = sa.union(
                    sa.select(_messages.c.writer).where(of_run),
                    sa.select(_steps.c.writer).where(_steps.c.run_id == run_id),
                )
                if not aged:
                    connection.execute(sa.delete(_places).where(_places.c.writer.in_(writers)))
                connection.execute(sa.delete(_messages).where(of_run))
                connection.execute(sa.delete(_steps).where(_steps.c.run_id == run_id))
                if aged:
                    self._floor = max(self._floor, last)
                    connection.execute(sa.update(_meta).values(floor=self._floor))
            self._highest.clear()
            self._placed = None
            self._rows = {key: row for key, row in self._rows.items() if key[0] != run_id}

    # --- reading ---

    def read(self, *, after: int, limit: int, run_id: str | None = None, client_id: str | None = None) -> list[Stored]:
        """Lifecycle messages above `after`; see `Store.read`."""
        query = sa.select(*_STORED).where(_messages.c.offset > after).order_by(_messages.c.offset).limit(limit)
        if run_id is not None:
            query = query.where(_messages.c.run_id == run_id)
        if client_id is not None:
            query = query.where(_messages.c.client_id == client_id)
        with self._connected() as connection:
            return [_stored(row) for row in connection.execute(query)]

    def newest(self, *, run_id: str, client_id: str | None = None) -> list[Stored]:
        """The newest message of each type, phase and client; see `Store.newest`."""
        kinds = (_messages.c.type, _messages.c.phase, _messages.c.client_id)
        newest = sa.select(sa.func.max(_messages.c.offset)).where(_messages.c.run_id == run_id).group_by(*kinds)
        if client_id is not None:
            newest = newest.where(_messages.c.client_id == client_id)
        query = sa.select(*_STORED).where(_messages.c.offset.in_(newest)).order_by(_messages.c.offset)
        with self._connected() as connection:
            return [_stored(row) for row in connection.execute(query)]

    def newest_steps(self, *, run_id: str, client_id: str | None = None) -> list[Step]:
        """The newest step of each client and phase; see `Store.newest_steps`."""
        newest = (
            sa.select(_steps.c.client_id, _steps.c.phase, sa.func.max(_steps.c.row).label("row"))
            .where(_steps.c.run_id == run_id)
            .group_by(_steps.c.client_id, _steps.c.phase)
        )
        if client_id is not None:
            newest = newest.where(_steps.c.client_id == client_id)
        top = newest.subquery()
        same = sa.and_(_steps.c.client_id == top.c.client_id, _steps.c.phase == top.c.phase, _steps.c.row == top.c.row)
        query = sa.select(*_STEP).join(top, same).where(_steps.c.run_id == run_id)
        with self._connected() as connection:
            return [_read_step(row) for row in connection.execute(query)]

    def steps(
        self, *, run_id: str, client_id: str | None = None, phase: str | None = None, since: int = 0
    ) -> list[Step]:
        """Steps above a row; see `Store.steps`."""
        query = sa.select(*_STEP).where(_steps.c.run_id == run_id, _steps.c.row > since)
        if client_id is not None:
            query = query.where(_steps.c.client_id == client_id)
        if phase is not None:
            query = query.where(_steps.c.phase == phase)
        with self._connected() as connection:
            rows = connection.execute(query.order_by(_steps.c.client_id, _steps.c.phase, _steps.c.row))
            return [_read_step(row) for row in rows]

    def places(self) -> list[Place]:
        """How far each journal has been read."""
        with self._connected() as connection:
            return [Place(*row) for row in connection.execute(sa.select(_places))]

    def floor(self, run_id: str | None = None) -> int:
        """The newest offset that is kept no more; a run is kept whole or not at all."""
        return self._floor if run_id is None else 0

    def close(self) -> None:
        """Let go of connections and of the lock. Twice is fine."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None
            if self._file is not None:
                self._file.close()


def _engine(url: sa.URL) -> Engine:
    engine = sa.create_engine(url)
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    # WAL: readers never wait for the one writer. NORMAL: a commit survives any kill of the process; a power cut may
    # take the last ones, which the journals still have.
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _reason(error: Exception) -> str:
    told = getattr(error, "orig", None) or error
    return " ".join(str(told).split())


def _same(key: tuple[str, str, str]) -> sa.ColumnElement[bool]:
    run_id, client_id, phase = key
    return sa.and_(_steps.c.run_id == run_id, _steps.c.client_id == client_id, _steps.c.phase == phase)


def _highest(connection: Connection, table: sa.Table, writer: str) -> int:
    return connection.execute(sa.select(sa.func.max(table.c.n)).where(table.c.writer == writer)).scalar() or 0


def _has(connection: Connection, table: sa.Table, writer: str, n: int) -> bool:
    query = sa.select(table.c.n).where(table.c.writer == writer, table.c.n == n)
    return connection.execute(query).first() is not None


def _step(arrival: Arrival, row: int, at: int) -> Step:
    return Step(
        row=row,
        run_id=arrival.run_id,
        client_id=arrival.client_id,
        phase=arrival.phase,
        body=arrival.body,
        at=at,
        writer=arrival.writer,
        n=arrival.n,
    )


def _values(message: Stored | Step) -> dict[str, Any]:
    return {**message._asdict(), "client_id": message.client_id or _NOBODY}


def _stored(row: Any) -> Stored:
    message = Stored(*row)
    return message if message.client_id else message._replace(client_id=None)


def _read_step(row: Any) -> Step:
    step = Step(*row)
    return step if step.client_id else step._replace(client_id=None)
