"""Where a notebook reads runs from: a server, or a directory of journals, both as the commands see them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from federated_pneumonia_detection.cli.client import Client
from federated_pneumonia_detection.cli.feed import DEFAULT_LOG_DIR, DEFAULT_URL
from federated_pneumonia_detection.cli.journals import Journals

__all__ = ["Feed", "Where", "found", "opened"]

Where = str | os.PathLike[str] | None
"""The address of a server, or a log directory; `None`: found as `fpd runs` finds them."""


class Feed(Protocol):
    """Runs and their messages. `Client` and `Journals` are ones."""

    def runs(self) -> list[dict[str, Any]]:
        """All runs, newest first."""

    def run(self, run: str) -> dict[str, Any]:
        """One run's state; `latest` is a run too."""

    def so_far(self, run_id: str) -> list[dict[str, Any]]:
        """Every message of a run that is there now."""

    def messages(self, run_id: str) -> Iterator[dict[str, Any] | None]:
        """Every message of a run, then live; `None` now and then when nothing comes."""


def found(where: Where) -> str | Path:
    """The server's address, or the directory, that `where` means: by itself a server that answers, else the journals.

    Raises:
        NotADirectoryError: there is no such directory.
    """
    if where is None:
        with Client() as client:
            if client.answers() or not DEFAULT_LOG_DIR.is_dir():
                return DEFAULT_URL
        return DEFAULT_LOG_DIR.absolute()
    text = os.fspath(where)
    if isinstance(where, str) and text.startswith(("http://", "https://")):
        return text
    path = Path(text)
    if not path.is_dir():
        raise NotADirectoryError(
            f"{text}: there is no such directory; name the one that runs are written to, or a server as http://…"
        )
    return path.absolute()


@contextmanager
def opened(place: str | Path) -> Iterator[Feed]:
    """What `found` has found, to read from."""
    if isinstance(place, Path):
        yield Journals(place)
        return
    with Client(place) as client:
        yield client
