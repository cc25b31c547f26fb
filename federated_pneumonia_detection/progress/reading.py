"""Reads a journal that may still be growing, keeping its place; needs no lock, and never waits."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

import msgspec

from federated_pneumonia_detection.progress.errors import NotAJournal
from federated_pneumonia_detection.progress.framing import (
    LONGEST_LINE,
    Damage,
    JournalHeader,
    Line,
    decode_header,
    decode_line,
    decode_lines,
)

__all__ = ["Entry", "Gap", "JournalReader", "is_file", "read_at", "read_header", "read_small"]


def read_at(fd: int, length: int, at: int) -> bytes:
    """The bytes of an open file from a place on, without a race where the system can do so in one call."""
    if hasattr(os, "pread"):
        return os.pread(fd, length, at)
    os.lseek(fd, at, os.SEEK_SET)
    return os.read(fd, length)


def is_file(path: str | os.PathLike[str]) -> bool:
    """Whether there is a regular file of this name; a name that no system takes is one that is not there."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116 - `Path.is_file` raises for a name that is too long
    except (OSError, ValueError):
        return False


def read_small(path: str | os.PathLike[str], longest: int) -> bytes:
    """The first `longest` bytes of a file that anybody may have put there; a pipe of that name is not waited for.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "no regular file", os.fspath(path))
        return os.read(fd, longest)
    finally:
        os.close(fd)


class Gap(NamedTuple):
    """Numbers are missing before the line that begins at `byte`: from `expected` up to, not including, `got`."""

    expected: int
    got: int
    byte: int


Entry: TypeAlias = Line | Gap | Damage

_CHUNK = 1 << 20
_START = b'{"type":"'
_STEP = b'{"type":"step",'


class JournalReader:
    """Reads the lines of one journal, from where it stopped the last time.

    A last line without its newline is not read yet. A file that was truncated or replaced is read anew from its start:
    a message is known by (writer, n), so reading it twice changes nothing.

    Args:
        path: the journal.
        byte: where to go on (0: from the start), as `byte` was when the place was noted.
        n: the number of the last message before `byte`.
        writer: who wrote what was read before; if the file is another writer's by now, it is read from its start.
        steps: `False` passes over the `step` messages without a look at their numbers and checksums, which is far
            quicker for whoever wants the others alone.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, byte: int = 0, n: int = 0, writer: str | None = None, steps: bool = True
    ) -> None:
        self.path = Path(path)
        self.byte = byte
        """Where the next line begins: everything before it was handed out."""
        self.n = n
        """The number of the last message handed out."""
        self.header: JournalHeader | None = None
        """The first line; `None` until it was read."""
        self.ended = False
        """Whether the last line (`journal_end`) was read."""
        self.foreign = False
        """Whether this is no journal of ours; then it has no lines."""
        self.at_end = False
        """Whether the last read came to the end that the file had then."""
        self._writer = writer
        self._steps = steps
        self._identity: tuple[int, int] | None = None
        # How far a line that is too long was looked through, while its end has not been found.
        self._scanned = 0

    def read(self, max_bytes: int = _CHUNK) -> list[Entry]:
        """What was written since the last time, up to about `max_bytes` of it; an empty list when nothing was.

        Raises:
            OSError: the file cannot be opened or read.
        """
        fd = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
        try:
            return self._read(fd, max_bytes)
        finally:
            os.close(fd)

    def present(self) -> Iterator[list[Entry]]:
        """Everything that is written by now, in pieces; not what is added while it is read, which may never end.

        Raises:
            OSError: the file cannot be opened or read.
        """
        end = self.path.stat().st_size
        before = -1
        # A piece may be empty where all of it was passed over.
        while before != self.byte < end:
            before = self.byte
            yield self.read()

    def finish(self) -> list[Entry]:
        """What is left when the writer is known to write no more: an unfinished last line is damage.

        Raises:
            OSError: the file cannot be opened or read.
        """
        entries: list[Entry] = []
        for more in self.present():
            entries += more
        left = self.path.stat().st_size - self.byte
        if left > 0 and not self.foreign:
            self.n += 1
            entries.append(Damage(f"the last line is unfinished ({left} bytes)", self.byte, self.n))
            self.byte += left
        return entries

    def _read(self, fd: int, max_bytes: int) -> list[Entry]:
        self.at_end = False
        status = os.fstat(fd)
        identity = (status.st_dev, status.st_ino)
        if status.st_size < self.byte or self._identity not in (None, identity):
            self._from_the_start()
        self._identity = identity
        if self.header is None and not self._read_header(fd):
            return self._not_ours() if self.foreign and self.byte == 0 else []
        if self.foreign or status.st_size <= max(self.byte, self._scanned):
            return []
        if self._scanned:
            return self._pass_over(fd)
        data = read_at(fd, max(max_bytes, 4096), self.byte)
        self.at_end = self.byte + len(data) >= status.st_size
        end = data.rfind(b"\n") + 1
        if not end and len(data) < LONGEST_LINE:
            data = read_at(fd, LONGEST_LINE, self.byte)
            end = data.rfind(b"\n") + 1
        if not end:
            if len(data) >= LONGEST_LINE:
                self._scanned = self.byte + len(data)
                return self._pass_over(fd)
            return []
        return self._lines(data[:end])

    def _from_the_start(self) -> None:
        self.byte = self.n = self._scanned = 0
        self.header = None
        self.ended = self.foreign = False

    def _read_header(self, fd: int) -> bool:
        if self.foreign:
            return False
        first = read_at(fd, 65536, 0)
        end = first.find(b"\n") + 1
        if not end:
            # Nothing there yet (made without hard links), or no journal at all.
            self.foreign = bool(first) and (len(first) == 65536 or not _START.startswith(first[: len(_START)]))
            return False
        try:
            self.header = decode_header(first[:end])
        except NotAJournal as error:
            self.foreign = True
            self._reason = error.reason
            return False
        if self._writer not in (None, self.header.writer):
            self.byte = self.n = 0
        self._writer = self.header.writer
        self.byte = max(self.byte, end)
        return True

    def _not_ours(self) -> list[Entry]:
        # Said once: the place moves on, so that the next read has nothing to say.
        self.byte = 1
        return [Damage(f"not one of our journals ({getattr(self, '_reason', 'no first line')})", 0)]

    def _lines(self, data: bytes) -> list[Entry]:
        entries: list[Entry] = []
        clean = decode_lines(data, self.byte) if self._steps else None
        if clean is None:
            return self._lines_one_by_one(data)
        last = self.n
        for line in clean:
            n = line.n
            if n > last + 1:
                entries.append(Gap(last + 1, n, line.byte))
            last = n
            entries.append(line)
        self.n = last
        self.ended = line.type == "journal_end"
        self.byte += len(data)
        return entries

    def _lines_one_by_one(self, data: bytes) -> list[Entry]:
        entries: list[Entry] = []
        at = self.byte
        damaged = False
        for line in data.split(b"\n")[:-1]:
            if not self._steps and line.startswith(_STEP):
                self.n += 1
                at += len(line) + 1
                continue
            decoded = decode_line(line)
            if isinstance(decoded, Line):
                self._take(decoded, at, entries)
                damaged = False
            else:
                # A neighbour whose newline was damaged is whole behind it, and is kept.
                behind = line.rfind(_START)
                kept = decode_line(line[behind:]) if behind > 0 else decoded
                self.n += 1
                if not damaged:
                    entries.append(Damage(decoded.reason, at, self.n))
                damaged = True
                if isinstance(kept, Line):
                    self._take(kept, at + behind, entries)
                    damaged = False
            at += len(line) + 1
        self.byte = at
        return entries

    def _take(self, line: Line, at: int, entries: list[Entry]) -> None:
        # A number that is not above the last one is no gap: a damaged line was counted that was none, or a copy.
        if line.n > self.n + 1:
            entries.append(Gap(self.n + 1, line.n, at))
        self.n = line.n
        self.ended = line.type == "journal_end"
        entries.append(msgspec.structs.replace(line, byte=at))

    def _pass_over(self, fd: int) -> list[Entry]:
        while data := read_at(fd, _CHUNK, self._scanned):
            end = data.find(b"\n") + 1
            if not end:
                self._scanned += len(data)
                continue
            self.n += 1
            damage = Damage(f"a line of more than {LONGEST_LINE} bytes", self.byte, self.n)
            self.byte, self._scanned = self._scanned + end, 0
            return [damage]
        return []


def read_header(path: str | os.PathLike[str]) -> JournalHeader:
    """The first line of the journal at this path.

    Raises:
        NotAJournal: it has none.
        OSError: the file cannot be opened or read.
    """
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
    try:
        first = os.read(fd, 65536)
    finally:
        os.close(fd)
    end = first.find(b"\n")
    if end < 0:
        raise NotAJournal("no whole first line")
    return decode_header(first[:end])
