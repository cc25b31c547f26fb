"""Where tokens are kept: a file of the server's own, or a table where several servers share a database.

Not in the SQLite database of the log: that one may be deleted and is rebuilt from the journals, and no journal knows a
token. PostgreSQL is nobody's to delete, and every server on it has to know the same tokens.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

import msgspec
import sqlalchemy as sa

from federated_pneumonia_detection.server.access.tokens import Token, TokenWrong
from federated_pneumonia_detection.server.errors import TokensUnusable

try:
    import fcntl
except ImportError:  # Windows: whoever writes last wins; the file is whole either way
    fcntl = None  # type: ignore[assignment]

__all__ = ["TokenFile", "TokenStore", "TokenTable", "open_tokens"]

CONNECTS_WITHIN_S = 5
_LARGEST_BYTES = 4 << 20


class TokenStore(Protocol):
    """Keeps tokens. Every method may block, and raises `TokensUnusable` where what it keeps cannot be had."""

    def read(self) -> tuple[Token, ...]:
        """All tokens, the oldest first."""

    def changed(self) -> bool:
        """Whether there may be something `read` would find that it did not find last time."""

    def add(self, token: Token) -> None:
        """Keep one more; `TokenWrong` where its name is taken."""

    def remove(self, name: str) -> Token | None:
        """Forget one; `None` where there is none of that name."""

    def used(self, at: Mapping[str, float]) -> None:
        """Note when tokens, by id, were last used."""

    def close(self) -> None:
        """Let go what is held open; the next use opens it again."""


class _Kept(msgspec.Struct, frozen=True):
    format: int
    tokens: tuple[Token, ...]


class TokenFile:
    """Tokens in a file that its owner alone can read; replaced as a whole, by rename.

    Args:
        path: the file; it and its folder are made by the first `add`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = (0, 0, 0)

    def __str__(self) -> str:
        return str(self.path)

    def read(self) -> tuple[Token, ...]:
        """All tokens, the oldest first; none where there is no file."""
        now = self._now()
        tokens: tuple[Token, ...] = ()
        try:
            with self.path.open("rb") as file:
                self._see_whose(os.fstat(file.fileno()))
                raw = file.read(_LARGEST_BYTES)
            tokens = msgspec.json.decode(raw, type=_Kept).tokens
        except FileNotFoundError:
            pass
        except OSError as error:
            raise TokensUnusable(f"{self.path}: {error.strerror or error}") from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise TokensUnusable(
                f"{self.path} is damaged; put back a copy, or delete it and make the tokens anew with fpd token create"
            ) from error
        # Only what could be read has been seen: what is damaged stays news.
        self._seen = now
        return tokens

    def changed(self) -> bool:
        """Whether the file is another one than was read last."""
        return self._now() != self._seen

    def add(self, token: Token) -> None:
        """Keep one more."""
        with self._locked():
            tokens = self.read()
            if any(other.name == token.name for other in tokens):
                raise _taken(token.name)
            self._write((*tokens, token))

    def remove(self, name: str) -> Token | None:
        """Forget one."""
        with self._locked():
            tokens = self.read()
            gone = next((token for token in tokens if token.name == name), None)
            if gone is not None:
                self._write(tuple(token for token in tokens if token is not gone))
            return gone

    def used(self, at: Mapping[str, float]) -> None:
        """Note when tokens were last used; those that are gone meanwhile stay gone."""
        with self._locked():
            before = self.read()
            after = tuple(
                msgspec.structs.replace(token, last_used=at[token.id]) if token.id in at else token for token in before
            )
            if after != before:
                self._write(after)

    def close(self) -> None:
        """Nothing is held open."""

    def _now(self) -> tuple[int, int, int] | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _see_whose(self, status: os.stat_result) -> None:
        if os.name != "posix":
            return
        if status.st_mode & 0o022:
            raise TokensUnusable(f"{self.path} can be written by other users; chmod 600 {self.path}")
        if status.st_uid not in (os.geteuid(), 0) and os.geteuid() != 0:
            raise TokensUnusable(f"{self.path} belongs to another user; run as that user, or use another --log-dir")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise TokensUnusable(f"{self.path.parent}: {error.strerror or error}") from error
        try:
            if fcntl is not None:
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _write(self, tokens: tuple[Token, ...]) -> None:
        body = msgspec.json.format(msgspec.json.encode(_Kept(1, tokens)))
        temporary = self.path.with_suffix(f".{secrets.token_hex(4)}.tmp")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(body + b"\n")
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink()
            raise TokensUnusable(f"{self.path}: {error.strerror or error}") from error


_schema = sa.MetaData()
_table = sa.Table(
    "access_tokens",
    _schema,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("name", sa.String(64), nullable=False, unique=True),
    sa.Column("role", sa.String(8), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("site", sa.String(64)),
    sa.Column("clients", sa.Text, nullable=False),
    sa.Column("expires", sa.Float),
    sa.Column("last_used", sa.Float),
)


class TokenTable:
    """Tokens in a table of a database that several servers share.

    Args:
        url: an SQLAlchemy URL. The table is made by the first use.
    """

    def __init__(self, url: sa.URL) -> None:
        arguments = {"connect_timeout": CONNECTS_WITHIN_S} if url.get_backend_name() == "postgresql" else {}
        self._engine = sa.create_engine(url, pool_size=1, max_overflow=1, pool_pre_ping=True, connect_args=arguments)
        self._shown = url.render_as_string(hide_password=True)
        self._made = False

    def __str__(self) -> str:
        return f"table access_tokens of {self._shown}"

    @contextmanager
    def _begin(self) -> Iterator[sa.Connection]:
        try:
            if not self._made:
                self._make()
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.SQLAlchemyError as error:
            # What the driver says may name the password's user; what it is about stands in the first line.
            told = str(error.__cause__ or error).partition("\n")[0]
            raise TokensUnusable(f"database {self._shown}: {told}") from error

    def _make(self) -> None:
        # Two servers that start at once may both find no table; one of them makes it.
        try:
            _schema.create_all(self._engine)
        except (sa.exc.ProgrammingError, sa.exc.IntegrityError, sa.exc.OperationalError):
            if not sa.inspect(self._engine).has_table(_table.name):
                raise
        self._made = True

    def read(self) -> tuple[Token, ...]:
        """All tokens, the oldest first."""
        with self._begin() as connection:
            rows = connection.execute(sa.select(_table).order_by(_table.c.created, _table.c.id)).mappings().all()
        return tuple(_token_of(row) for row in rows)

    def changed(self) -> bool:
        """Always perhaps: only asking tells."""
        return True

    def add(self, token: Token) -> None:
        """Keep one more."""
        row = msgspec.structs.asdict(token) | {"clients": json.dumps(token.clients)}
        with self._begin() as connection:
            if connection.execute(sa.select(_table.c.id).where(_table.c.name == token.name)).first() is not None:
                raise _taken(token.name)
            connection.execute(sa.insert(_table).values(row))

    def remove(self, name: str) -> Token | None:
        """Forget one."""
        with self._begin() as connection:
            row = connection.execute(sa.select(_table).where(_table.c.name == name)).mappings().first()
            if row is None:
                return None
            connection.execute(sa.delete(_table).where(_table.c.id == row["id"]))
        return _token_of(row)

    def used(self, at: Mapping[str, float]) -> None:
        """Note when tokens were last used."""
        with self._begin() as connection:
            for token_id, when in at.items():
                connection.execute(sa.update(_table).where(_table.c.id == token_id).values(last_used=when))

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


def _token_of(row: sa.RowMapping) -> Token:
    try:
        kept = {name: row[name] for name in Token.__struct_fields__}
        return msgspec.convert({**kept, "clients": json.loads(row["clients"])}, Token)
    except (msgspec.ValidationError, ValueError) as error:
        raise TokensUnusable(
            f"table access_tokens: the row of {str(row['name'])[:64]!a} is damaged: {error}"
        ) from error


def _taken(name: str) -> TokenWrong:
    return TokenWrong(f"there is a token called {name} already; revoke it first (fpd token revoke {name})")


def open_tokens(log_dir: Path, database: str | None) -> TokenStore:
    """The tokens of a server over `log_dir`: a table where its database is shared, else a file below `log_dir`.

    Raises:
        TokensUnusable: the database's URL is none.
    """
    try:
        url = None if database is None else sa.make_url(database)
        if url is not None and url.get_backend_name() != "sqlite":
            return TokenTable(url)
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError) as error:
        raise TokensUnusable("database: that is no SQLAlchemy URL; as postgresql+psycopg://USER@HOST/NAME") from error
    except ModuleNotFoundError as missing:
        raise TokensUnusable(f"the database needs {missing.name}; install the extra [postgres]") from missing
    return TokenFile(Path(log_dir) / ".server" / "tokens.json")
