"""One writer's file: made whole with its first line and lock, one `write` a message, ended by a last line."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from federated_pneumonia_detection.progress import liveness
from federated_pneumonia_detection.progress.framing import JournalHeader, encode_line
from federated_pneumonia_detection.progress.reading import read_at
from federated_pneumonia_detection.progress.slug import slug

__all__ = ["Journal", "JournalEnd", "encode_end", "journal_names", "journal_stem"]

_FLAGS = os.O_RDWR | os.O_APPEND | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_MOST_WRITERS = 100_000


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

    def __init__(self, path: Path, header: JournalHeader, fd: int, size: int) -> None:
        self.path = path
        self.header = header
        self.size = size
        self._fd = fd
        # Whether the file ends in half a line that could not be cut off.
        self._torn = False

    @classmethod
    def create(cls, directory: Path, header: JournalHeader, *, stem: str | None = None) -> Journal:
        """Make a journal under the first free name; whoever sees the name sees the first line and the lock, too.

        Args:
            directory: where; made if it is missing.
            header: its first line.
            stem: what its name begins with; `None` for what its run and client are called.

        Raises:
            OSError: it cannot be made there.
        """
        directory.mkdir(parents=True, exist_ok=True)
        first = encode_line(msgspec.json.encode(header), 0)
        temporary = directory / f".{os.urandom(8).hex()}.tmp"
        fd = os.open(temporary, _FLAGS | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            liveness.lock(fd)
            _write(fd, first)
            path, placed = _place(
                fd, temporary, directory, stem or journal_stem(header.run_id, header.client_id), first
            )
        except BaseException:
            os.close(fd)
            raise
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        if placed != fd:
            os.close(fd)
        else:
            placed = _by_its_name(path, fd)
        return cls(path, header, placed, len(first))

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
        """Make the file again where it was, after somebody removed or moved it, with everything written so far.

        Raises:
            OSError: it cannot be made there now.
        """
        directory = self.path.parent
        directory.mkdir(parents=True, exist_ok=True)
        temporary = directory / f".{os.urandom(8).hex()}.tmp"
        fd = os.open(temporary, _FLAGS | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            liveness.lock(fd)
            at = 0
            while data := read_at(self._fd, 1 << 20, at):
                _write(fd, data)
                at += len(data)
            temporary.replace(self.path)
        except BaseException:
            os.close(fd)
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        os.close(self._fd)
        self._fd, self.size = fd, at

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


def _place(fd: int, temporary: Path, directory: Path, stem: str, first: bytes) -> tuple[Path, int]:
    for name in journal_names(stem):
        path = directory / name
        try:
            os.link(temporary, path)
        except FileExistsError:
            continue
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS):
                raise
            # No hard links here: made in place, so that for a moment a reader may see an empty file.
            try:
                placed = os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o644)
            except FileExistsError:
                continue
            liveness.lock(placed)
            _write(placed, first)
            return path, placed
        return path, fd
    raise OSError(errno.EEXIST, "no free name for a journal", str(directory / stem))


def _by_its_name(path: Path, fd: int) -> int:
    """The same file, opened by its final name: inotify tells a change under the name by which a file was opened."""
    try:
        named = os.open(path, _FLAGS)
    except OSError:  # removed or moved away already: what is open goes on
        return fd
    if not os.path.sameopenfile(named, fd):
        os.close(named)
        return fd
    os.close(fd)
    # Between the two a reader finds no lock, but a process that lives.
    liveness.lock(named)
    return named


def _write(fd: int, data: bytes) -> None:
    if os.write(fd, data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
