"""The SQLite file of a log: who holds it, whether it is still the one that was opened, and how far it had come."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import IO, Literal

import sqlalchemy as sa

from federated_pneumonia_detection.hub.errors import DatabaseUnusable, StoreHeld
from federated_pneumonia_detection.progress import liveness

try:
    import fcntl
except ImportError:  # Windows: SQLite's own locks keep the file whole, but nobody says who holds it
    fcntl = None  # type: ignore[assignment]

__all__ = ["DatabaseFile"]

Look = Literal["same", "written to", "cut off", "gone"]
"""`gone`: it lies there no more, or its write-ahead log. `cut off`: part of it is. `written to`: by somebody else."""

_NOTE_BYTES = 128
_PARTS = ("", "-wal", "-shm")


def _boot() -> str:
    return liveness.boot_id() or "unknown"


class DatabaseFile:
    """One SQLite file, held by this process until `close`.

    Beside it lie `….lock`, which names its holder, and `….top`, the log's identity and newest offset: a database whose
    offset is below that is a copy of the past.

    Raises:
        StoreHeld: Another process holds it.
        DatabaseUnusable: Its folder cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # Looked at before each commit: as text, which is quicker.
        self._file_name, self._log_name = str(path), str(self._beside("-wal"))
        # What was opened: the inodes of the file and of its write-ahead log, its size, and when it was last written to.
        self._inodes: tuple[int | None, int | None] = (None, None)
        self._size = self._written = 0
        self._lock: IO[str] | None = None
        self._top_fd: int | None = None
        self._noted: tuple[str, int] | None = None
        self.hold()

    @classmethod
    def of(cls, url: sa.URL) -> DatabaseFile | None:
        """The file of an SQLAlchemy URL; `None` for SQLite in memory."""
        if not url.database or url.database == ":memory:":
            return None
        return cls(Path(url.database))

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)

    def hold(self) -> None:
        """Hold the file from now on; again where somebody removed what says so.

        Raises:
            StoreHeld: Another process holds it.
            DatabaseUnusable: Its folder cannot be written.
        """
        try:
            if self._lock is None or _inode(self._beside(".lock")) != os.fstat(self._lock.fileno()).st_ino:
                self._take_lock()
            if self._top_fd is None or _inode(self._beside(".top")) != os.fstat(self._top_fd).st_ino:
                self._open_top()
        except OSError as error:
            self.close()
            raise DatabaseUnusable(str(self.path), error.strerror or str(error)) from None
        except StoreHeld:
            self.close()
            raise

    def _take_lock(self) -> None:
        lock = self._beside(".lock").open("a+")
        if self._lock is not None:
            self._lock.close()
        self._lock = lock
        if fcntl is None:
            return
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "another process"
            raise StoreHeld(self.path, holder) from None
        lock.truncate(0)
        lock.write(f"process {os.getpid()}\n")
        lock.flush()

    def _open_top(self) -> None:
        fd = os.open(self._beside(".top"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if self._top_fd is not None:
            os.close(self._top_fd)
        self._top_fd = fd

    def opened(self, log_id: str, top: int) -> None:
        """The database has been opened: this is the file to look for from now on."""
        self._inodes = _status(self._file_name).st_ino, _status(self._log_name).st_ino or None
        self.written(compacted=True)
        self.reached(log_id, top)

    def written(self, *, compacted: bool = False) -> None:
        """This process has written to the file itself; else its log alone is written to."""
        status = _status(self._file_name)
        # It only grows: what is free in it is used again. Shorter, it was cut off a moment ago, and a look will tell.
        if compacted or status.st_size >= self._size:
            self._size, self._written = status.st_size, status.st_mtime_ns

    def look(self) -> Look:
        """What has become of the file since it was opened, or since the last look."""
        # One look at the file: what happens to it a moment later is for the next one.
        status, (file, log) = _status(self._file_name), self._inodes
        is_same = status.st_ino == file and (log is None or _status(self._log_name).st_ino == log)
        if not is_same:
            return "gone"
        if status.st_size < self._size:
            return "cut off"
        if status.st_mtime_ns == self._written:
            return "same"
        self._size, self._written = status.st_size, status.st_mtime_ns
        return "written to"

    def reached(self, log_id: str, top: int) -> None:
        """Note how far the log has come: after the commit, and before anybody is told of it."""
        if self._noted != (log_id, top):
            self._note(log_id, top, "open")

    def went_back(self, log_id: str, top: int) -> bool:
        """Whether the log had come further than this before, or may have.

        After a power cut the last commits may be gone, and this note with them; viewers may have seen them.
        """
        if self._top_fd is None:
            return False
        try:
            noted_id, noted_top, noted_boot, how = os.pread(self._top_fd, _NOTE_BYTES, 0).decode().split()
            return noted_id == log_id and (top < int(noted_top) or (how == "open" and noted_boot != _boot()))
        except ValueError:  # nothing noted yet
            return False

    def _note(self, log_id: str, top: int, how: str) -> None:
        if self._top_fd is not None:
            self._noted = (log_id, top)
            os.pwrite(self._top_fd, f"{log_id:<32} {top:>20} {_boot():<40} {how:<6}\n".encode(), 0)

    def put_aside(self) -> None:
        """Keep a file that cannot be used, under another name."""
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        for suffix in _PARTS:
            with contextlib.suppress(FileNotFoundError):
                self._beside(suffix).rename(self._beside(f".damaged-{stamp}{suffix}"))

    def close(self) -> None:
        """Let it go. Twice is fine."""
        if self._top_fd is not None:
            if self._noted is not None:
                self._note(*self._noted, "closed")
            os.close(self._top_fd)
            self._top_fd = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _inode(path: Path) -> int:
    return _status(path).st_ino


def _status(path: Path | str) -> os.stat_result:
    """The file's status; all zeros where there is none."""
    try:
        return os.stat(path)  # noqa: PTH116 - asked for each commit
    except FileNotFoundError:
        return os.stat_result((0,) * 10)
