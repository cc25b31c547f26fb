"""`fpd token`: who may use a server that others can reach."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from federated_pneumonia_detection.cli.feed import DEFAULT_LOG_DIR

if TYPE_CHECKING:
    from federated_pneumonia_detection.server.access.token_store import TokenStore

__all__ = ["app"]

app = typer.Typer(help="Who may use a server that others can reach.", no_args_is_help=True)

TokenName = Annotated[str, typer.Argument(help="What to call it: whose it is.", metavar="NAME")]
LogDirOption = Annotated[Path, typer.Option(help="The server's log directory: tokens lie in it.")]
DatabaseOption = Annotated[
    str | None, typer.Option(help="The server's database, where several servers share one: tokens lie there.")
]


@contextmanager
def _store(log_dir: Path, database: str | None) -> Iterator[TokenStore]:
    from federated_pneumonia_detection.server.access.token_store import open_tokens

    store = open_tokens(log_dir, database)
    try:
        yield store
    finally:
        store.close()


@app.command()
def create(
    name: TokenName,
    role: Annotated[
        Literal["viewer", "operator", "site"],
        typer.Option(help="viewer: read. operator: also start, stop, change. site: ship its own journals, only that."),
    ],
    site: Annotated[str | None, typer.Option(help="With --role site: which one; default: NAME.")] = None,
    clients: Annotated[
        str | None, typer.Option(help="With --role site: client ids it may write, by commas; default: the site.")
    ] = None,
    expires: Annotated[str | None, typer.Option(help="When it ends, as 12h, 30d or 8w; default: when revoked.")] = None,
    log_dir: LogDirOption = DEFAULT_LOG_DIR,
    database: DatabaseOption = None,
) -> None:
    """Make a token and print it, once: only its SHA-256 is kept.

    The token alone goes to standard output, so `fpd token create NAME --role viewer > token.txt` keeps it in a file.
    A running server knows it at once.
    """
    from federated_pneumonia_detection.server.access.tokens import TokenWrong, issue, seconds_of

    now = time.time()
    try:
        token, secret = issue(
            name,
            role,
            now=now,
            site=site,
            clients=clients.split(",") if clients is not None else (),
            expires=None if expires is None else now + seconds_of(expires),
        )
        with _store(log_dir, database) as store:
            store.add(token)
    except TokenWrong as wrong:
        raise typer.BadParameter(str(wrong)) from None
    holds = "until it is revoked" if token.expires is None else f"until {_day(token.expires)}"
    scope = f", for {token.site} and the clients {', '.join(token.clients)}" if token.role == "site" else ""
    typer.echo(f"Token {name} ({role}{scope}), good {holds}. It is shown this once:", err=True)
    typer.echo(secret)


@app.command("list")
def list_tokens(log_dir: LogDirOption = DEFAULT_LOG_DIR, database: DatabaseOption = None) -> None:
    """List the tokens: name, role, what a site may write, since when, until when, when last used."""
    with _store(log_dir, database) as store:
        tokens = store.read()
    if not tokens:
        typer.echo("No tokens yet. `fpd token create NAME --role operator` makes one.")
        return
    now = time.time()
    rows = [("name", "role", "may write", "made", "ends", "last used")]
    for token in tokens:
        ends = "when revoked" if token.expires is None else _day(token.expires)
        rows.append(
            (
                token.name,
                token.role,
                f"{token.site}: {', '.join(token.clients)}" if token.role == "site" else "",
                _day(token.created),
                ends if token.holds_at(now) else f"expired {ends}",
                "never" if token.last_used is None else _day(token.last_used),
            )
        )
    _show(rows)


@app.command()
def revoke(name: TokenName, log_dir: LogDirOption = DEFAULT_LOG_DIR, database: DatabaseOption = None) -> None:
    """Let a token end. A running server refuses it within seconds and closes what is open under it."""
    with _store(log_dir, database) as store:
        gone = store.remove(name)
    if gone is None:
        raise typer.BadParameter(f"there is no token called {name}; `fpd token list` shows those there are")
    typer.echo(f"Token {name} ({gone.role}) is revoked.")


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _show(rows: Sequence[tuple[str, ...]]) -> None:
    from rich.console import Console

    if not Console().is_terminal:
        for row in rows[1:]:
            typer.echo("\t".join(row))
        return
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
