"""Readers of what peers write, as another process would read it: from where they stopped, as soon as it is there."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

__all__ = ["Tail", "count_rows", "level_db_records", "tf_records"]


class Tail:
    """A file that grows, found by a pattern as soon as it is there, and how far it was made sense of."""

    def __init__(self, folder: Path, pattern: str) -> None:
        self.data = b""
        self.at = 0
        """Up to where `data` was made sense of."""
        self._folder = folder
        self._pattern = pattern
        self._path: Path | None = None

    def more(self) -> bool:
        """Read on; whether there was anything new."""
        if self._path is None:
            self._path = next(iter(self._folder.rglob(self._pattern)), None)
            if self._path is None:
                return False
        with self._path.open("rb") as file:
            file.seek(len(self.data))
            new = file.read()
        self.data += new
        return bool(new)

    def records(self, framing: Callable[[bytes, int], Iterator[tuple[bytes, int]]]) -> list[bytes]:
        """The whole records that are new."""
        fresh = []
        for record, end in framing(self.data, self.at):
            fresh.append(record)
            self.at = end
        return fresh

    def lines(self) -> list[bytes]:
        """The whole lines that are new."""
        if not self.more():
            return []
        end = self.data.rfind(b"\n") + 1
        fresh, self.at = self.data[self.at : end], max(self.at, end)
        return fresh.splitlines()


def tf_records(data: bytes, at: int) -> Iterator[tuple[bytes, int]]:
    """The whole records of a TensorBoard event file from a place on, each with the place behind it."""
    while len(data) - at >= 12:
        (length,) = struct.unpack_from("<Q", data, at)
        end = at + 12 + length + 4
        if len(data) < end:
            return
        yield data[at + 12 : end - 4], end
        at = end


def level_db_records(data: bytes, at: int) -> Iterator[tuple[bytes, int]]:
    """The whole records of a log in LevelDB's framing from a place on, each with the place behind it.

    Blocks of 32 KiB hold fragments with a head of seven bytes (checksum, length, kind: 1 full, 2 first, 3 middle,
    4 last); a block's last bytes are left empty where no head fits.
    """
    block, head, record = 32 * 1024, 7, b""
    while True:
        left = block - at % block
        if left < head:
            at += left
            continue
        if len(data) - at < head:
            return
        length, kind = struct.unpack_from("<HB", data, at + 4)
        if len(data) < at + head + length:
            return
        record += data[at + head : at + head + length]
        at += head + length
        if kind in (1, 4):
            yield record, at
            record = b""


def count_rows(database: Path, query: str) -> int:
    """The number a query of one number gives; 0 while there is no such table."""
    if not database.exists():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5)) as connection:
            return int(connection.execute(query).fetchone()[0])
    except sqlite3.OperationalError:  # made a moment ago, and without its tables
        return 0
