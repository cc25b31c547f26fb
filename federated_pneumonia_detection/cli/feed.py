"""Where a command reads runs from: a server, or a directory of journals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

if TYPE_CHECKING:
    from federated_pneumonia_detection.cli.client import Client
    from federated_pneumonia_detection.cli.terminal.sources import Source

__all__ = ["DEFAULT_LOG_DIR", "DEFAULT_URL", "ENDED", "Feed", "LogDir", "Run", "Url", "WholeFeed", "open_feed"]

DEFAULT_URL = "http://127.0.0.1:8000"
DEFAULT_LOG_DIR = Path("logs/progress")
ENDED = frozenset({"completed", "failed", "cancelled", "lost"})

Run = Annotated[str, typer.Argument(help="A run id, or latest.")]
Url = Annotated[str | None, typer.Option(help=f"The server to ask; default: {DEFAULT_URL}, if one answers there.")]
LogDir = Annotated[
    Path | None, typer.Option(help=f"Read the journals here instead; default, without a server: {DEFAULT_LOG_DIR}.")
]


class Feed(Protocol):
    """Runs and their messages. `Journals` is one."""

    def runs(self) -> list[dict[str, Any]]:
        """All runs, newest first."""

    def run(self, run: str) -> dict[str, Any]:
        """One run's state; `latest` is a run too."""

    def messages(self, run_id: str) -> Iterator[dict[str, Any] | None]:
        """Every message of a run, then live; `None` now and then when nothing comes."""

    def source(self) -> Source:
        """The same runs, for a full screen."""


class WholeFeed(Feed, Protocol):
    """A feed that also gives at once all that is there."""

    def so_far(self, run_id: str) -> list[dict[str, Any]]:
        """Every message of a run that is there now, all steps among them."""


class _Patient:
    """A server's runs, followed over its restarts."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.runs, self.run, self.so_far = client.runs, client.run, client.so_far

    def messages(self, run_id: str) -> Iterator[dict[str, Any] | None]:
        return self._client.messages(run_id, patience_s=600, tell=lambda words: typer.echo(f"fpd: {words}", err=True))

    def source(self) -> Source:
        from federated_pneumonia_detection.cli.terminal.sources import Server

        return Server(self._client)


@contextmanager
def open_feed(
    url: str | None, log_dir: Path | None, *, token_file: Path | None = None, ca: Path | None = None
) -> Iterator[WholeFeed]:
    """The feed that the two options mean: the one that is given, else a server that answers, else the journals here."""
    if url is not None and log_dir is not None:
        raise typer.BadParameter("give either --url or --log-dir, not both")
    if log_dir is not None and not log_dir.is_dir():
        raise typer.BadParameter(f"{log_dir}: there is no such directory; name the one that runs are written to")
    if log_dir is None:
        from federated_pneumonia_detection.cli.client import Client

        with Client(url or DEFAULT_URL, token_file=token_file, ca=ca) as client:
            if url is not None or client.answers() or not DEFAULT_LOG_DIR.is_dir():
                yield _Patient(client)
                return
        log_dir = DEFAULT_LOG_DIR
    from federated_pneumonia_detection.cli.journals import Journals

    yield Journals(log_dir)
