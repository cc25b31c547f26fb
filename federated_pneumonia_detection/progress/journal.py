"""One writer's file: made whole with its first line and lock, one `write` a message, ended by a last line."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from federated_pneumonia_detection.progress import liveness
from federated_pneumonia_detection.progress.framing import JournalHeader, encode_line
from federated_pneumonia_detection.progress.reading import read_at
from federated_pneumonia_detection.progress.slug import slug

__all__ = ["Journal", "JournalEnd", "encode_end", "journal_names", "journal_stem"]

_FLAGS = os.O_RDWR | os.O_APPEND | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_MOST_WRITERS = 100_000
_TRIES = 20
_BETWEEN_TRIES_S = 0.0005


class JournalEnd(msgspec.Struct, frozen=True, tag_field="type", tag="journal_end"):
    """A journal's last line: its writer is done, or its process ended normally."""

    timestamp: str


def encode_end(timestamp: str) -> bytes:
    """The last line's message."""
    return msgspec.json.encode(JournalEnd(timestamp))


def journal_stem(run_id: str, client_id: str | None) -> str:
    """What the files of a run, or of a client in it, are called, before `~2` and the suffix."""
    return slug(run_id) if client_id is None else f"{slug(run_id)}.{slug(client_id)}"


def journal_names(stem: str) -> Iterator[str]:
    """The names that the journals of a run or client take, one after the other: each further process takes the next."""
    yield f"{stem}.jsonl"
    for number in range(2, _MOST_WRITERS):
        yield f"{stem}~{number}.jsonl"


class Journal:
    """An open journal. Not thread-safe: its writer has the lock.

    Attributes:
        path: where it lies.
        header: its first line.
        size: how many bytes of it are known to be written.
    """

    def __init__(self, path: Path, header: JournalHeader, fd: int, size: int, stem: str) -> None:
        self.path = path
        self.header = header
        self.size = size
        self._fd = fd
        self._stem = stem
        self._last_n = 0
        # Whether the file ends in half a line that could not be cut off.
        self._torn = False

    @classmethod
    def create(cls, directory: Path, header: JournalHeader, *, stem: str | None = None) -> Journal:
        """Make a journal under the first free name; whoever sees the name sees the first line, too.

        Args:
            directory: where; made if it is missing.
            header: its first line.
            stem: what its name begins with; `None` for what its run and client are called.

        Raises:
            OSError: it cannot be made there.
        """
        stem = stem or journal_stem(header.run_id, header.client_id)
        first = encode_line(msgspec.json.encode(header), 0)
        path, fd = _made(directory, stem, [first])
        return cls(path, header, fd, len(first), stem)

    def append(self, body: bytes, n: int) -> None:
        """Write one message; when this returns, it survives the death of the process.

        Raises:
            OSError: it was not written.
        """
        line = encode_line(body, n)
        if self._torn:
            line = b"\n" + line
        written = os.write(self._fd, line)
        if written != len(line):
            self._cut_off(written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        self._torn = False
        self.size += written
        self._last_n = n

    def has(self, n: int) -> bool:
        """Whether the message of this number was written, for whoever was interrupted in the middle of `append`."""
        if self._last_n != n and os.fstat(self._fd).st_size > self.size:
            # Between the write and the note of it.
            self.size, self._last_n = os.fstat(self._fd).st_size, n
        return self._last_n == n

    def sync(self) -> None:
        """Make what was written survive a power cut."""
        with contextlib.suppress(OSError):  # what cannot be synced (some network drives) is written all the same
            getattr(os, "fdatasync", os.fsync)(self._fd)

    def is_in_place(self) -> bool:
        """Whether the file still lies where it was made."""
        try:
            there, here = self.path.stat(), os.fstat(self._fd)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)

    def put_back(self) -> None:
        """Make the file again, after somebody removed or moved it, with everything written so far.

        It lies where it was, or, where another writer's journal has taken that name, under the next one.

        Raises:
            OSError: it cannot be made there now.
        """
        path, fd = _made(self.path.parent, self._stem, _pieces(self._fd))
        os.close(self._fd)
        self.path, self._fd, self.size = path, fd, os.fstat(fd).st_size

    def close(self) -> None:
        """Close the file, which frees its lock. The last line is the writer's to write."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            with contextlib.suppress(OSError):
                os.close(fd)

    def _cut_off(self, written: int) -> None:
        # A full disk may take half a line. Readers have not read it: a line is read when its newline is there.
        try:
            os.ftruncate(self._fd, self.size)
        except OSError:
            self._torn = True
            self.size += written


def _made(directory: Path, stem: str, pieces: Iterable[bytes]) -> tuple[Path, int]:
    # A journal under the first free name, locked, with these bytes in it.
    directory.mkdir(parents=True, exist_ok=True)
    temporary = directory / f".{os.urandom(8).hex()}.tmp"
    fd = os.open(temporary, _FLAGS | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        liveness.lock(fd)
        for piece in pieces:
            _write(fd, piece)
        path = _linked(temporary, directory, stem)
        return _by_its_name(path, fd) if path is not None else _in_place(fd, directory, stem)
    finally:
        os.close(fd)
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _linked(temporary: Path, directory: Path, stem: str) -> Path | None:
    # Never over another writer's file; None where there are no hard links.
    for name in journal_names(stem):
        path = directory / name
        try:
            os.link(temporary, path)
        except FileExistsError:
            continue
        except OSError as error:
            if error.errno in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS):
                return None
            raise
        return path
    raise OSError(errno.EEXIST, "no free name for a journal", str(directory / stem))


def _by_its_name(path: Path, fd: int) -> tuple[Path, int]:
    # The same file, opened by its final name: inotify tells a change under the name by which a file was opened.
    try:
        named = os.open(path, _FLAGS)
    except OSError:  # removed or moved away already: what is open goes on
        return path, os.dup(fd)
    if not os.path.sameopenfile(named, fd):
        os.close(named)
        return path, os.dup(fd)
    # Between the two a reader finds no lock, but a process that lives.
    liveness.unlock(fd)
    _lock(named)
    return path, named


def _in_place(fd: int, directory: Path, stem: str) -> tuple[Path, int]:
    # Without hard links a reader may, for a moment, see an empty file.
    for name in journal_names(stem):
        path = directory / name
        try:
            placed = os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            continue
        try:
            _lock(placed)
            for piece in _pieces(fd):
                _write(placed, piece)
        except BaseException:
            os.close(placed)
            raise
        return path, placed
    raise OSError(errno.EEXIST, "no free name for a journal", str(directory / stem))


def _lock(fd: int) -> None:
    # Somebody may look at the lock just now, and holds it for that moment.
    for _ in range(_TRIES):
        if liveness.lock(fd) is not False:
            return
        time.sleep(_BETWEEN_TRIES_S)


def _pieces(fd: int) -> Iterator[bytes]:
    at = 0
    while data := read_at(fd, 1 << 20, at):
        yield data
        at += len(data)


def _write(fd: int, data: bytes) -> None:
    if os.write(fd, data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
