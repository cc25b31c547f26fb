"""Which journals of other machines were deleted here on purpose: those machines still have them, and would send them.

A file in the directory, a line for each writer. Whoever wants a run back deletes its line, or the file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

__all__ = ["Forgotten", "forget"]

_NAME = ".forgotten"


def forget(directory: str | os.PathLike[str], writers: Iterable[str]) -> None:
    """Note that these writers' journals are not wanted here any more.

    Raises:
        OSError: It cannot be noted.
    """
    lines = "".join(f"{writer}\n" for writer in writers).encode()
    if lines:
        with Path(directory, _NAME).open("ab", buffering=0) as file:
            file.write(lines)
            os.fsync(file.fileno())


class Forgotten:
    """The writers that were forgotten in a directory, read again when that has changed."""

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self._path = Path(directory, _NAME)
        self._seen: tuple[int, int] | None = None
        self._writers: frozenset[str] = frozenset()

    def __contains__(self, writer: str) -> bool:
        """Whether this writer's journal was deleted here."""
        try:
            status = self._path.stat()
            now = (status.st_mtime_ns, status.st_size)
            if now != self._seen:
                self._writers = frozenset(self._path.read_text(encoding="ascii", errors="replace").split())
                self._seen = now
        except OSError:
            return False
        return writer in self._writers
