"""What the teller must know over a restart: rules made on the page, when each was made, what waits to be told.

One small file, replaced as a whole; of `<log_dir>/.notify`, which only its owner reads.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import msgspec

from federated_pneumonia_detection.server.telling.rules import Rule

__all__ = ["Kept", "Memory", "Notice"]

log = logging.getLogger(__name__)


class Notice(msgspec.Struct, frozen=True):
    """One thing that is to be told to some targets, and was not yet."""

    key: str
    """Of which run and rule."""
    title: str
    body: str
    level: str
    to: tuple[str, ...]
    """The targets that have not taken it yet."""
    since: float
    """When it was found, in seconds since 1970."""


class Kept(msgspec.Struct):
    """All that is kept."""

    rules: list[Rule] = []
    """Made on the page."""
    since: dict[str, str] = {}
    """When each rule of the operator's file was first seen, by its id."""
    log_id: str = ""
    """How far the log was looked through for what was measured."""
    offset: int = 0
    waiting: list[Notice] = []


class Memory:
    """The file, read once and replaced at each change.

    Args:
        log_dir: The server's directory of journals.
    """

    def __init__(self, log_dir: Path) -> None:
        self._path = Path(log_dir) / ".notify" / "kept.json"
        self.kept = self._read()

    def _read(self) -> Kept:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Kept)
        except FileNotFoundError:
            return Kept()
        except (OSError, msgspec.DecodeError) as error:
            log.warning("what was to be told cannot be read, and begins anew: %s", error)
            return Kept()

    def save(self) -> None:
        """Put it on the disk, whole or not at all; what cannot be written stays in memory and is said."""
        temporary = self._path.with_suffix(".tmp")
        try:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            with temporary.open("wb") as file:
                file.write(msgspec.json.encode(self.kept))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
        except OSError as error:
            log.warning("what is to be told cannot be kept over a restart: %s", error)
