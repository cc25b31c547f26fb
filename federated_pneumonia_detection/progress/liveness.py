"""Whether the writer of a journal lives: its lock, its process, its machine.

A journal that does not say that it was closed, whose lock is free and whose process is gone from this boot of this
machine, is proof of a death. Anything less is none.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import sys
from enum import Enum
from pathlib import Path

from federated_pneumonia_detection.progress.errors import NotAJournal
from federated_pneumonia_detection.progress.framing import JournalHeader, Line, decode_line
from federated_pneumonia_detection.progress.reading import read_header

try:
    import fcntl
except ImportError:  # Windows: there the process alone tells.
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "State",
    "boot_id",
    "host_name",
    "lock",
    "pid_start",
    "process_is_halted",
    "process_lives",
    "state",
    "unlock",
    "writer_is_gone",
]


class State(Enum):
    """What is known of a journal's writer."""

    ALIVE = "alive"
    """It lives, or nothing proves that it does not."""
    CLOSED = "closed"
    """It said that it was done: the last line stands there."""
    DEAD = "dead"
    """It died without a last line."""
    UNKNOWN = "unknown"
    """It runs on another machine; nobody here can tell."""


def state(journal: str | os.PathLike[str] | JournalHeader) -> State:
    """What is known of a journal's writer.

    Args:
        journal: the journal's path, or just its first line (then the lock and the last line are not looked at).

    Raises:
        NotAJournal: the file has no first line of ours.
        OSError: the file cannot be read.
    """
    if isinstance(journal, JournalHeader):
        return _process_state(journal)
    header = read_header(journal)
    last = _last_type(journal)
    if last == "journal_end":
        return State.CLOSED
    if header.shipped is True:
        # A mirror of another machine's journal: its lock and pid mean nothing here.
        return State.DEAD if last == "journal_died" else State.UNKNOWN
    if header.host != host_name():
        return State.UNKNOWN
    if is_locked(journal):
        return State.ALIVE
    found = _process_state(header)
    # The last line may have been written while we looked at lock and process.
    return State.CLOSED if found is State.DEAD and _last_type(journal) == "journal_end" else found


def lock(fd: int) -> bool | None:
    """Take the lock that says "the holder of this file lives".

    Returns:
        `True` where it was taken, `False` where somebody else has it, `None` where there are no such locks (Windows,
        some network drives).
    """
    if fcntl is None:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def unlock(fd: int) -> None:
    """Give up the lock that was taken on this very descriptor."""
    if fcntl is not None:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(fd, fcntl.LOCK_UN)


@functools.cache
def host_name() -> str:
    """This machine's name."""
    if hasattr(os, "uname"):
        return os.uname().nodename
    import socket  # costs an import that Linux can do without

    return socket.gethostname()


@functools.cache
def boot_id() -> str:
    """What tells this boot of this machine from any other; empty where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def pid_start(pid: int) -> int | None:
    """When a process started, in the system's own ticks since boot; `None` where the system does not say."""
    fields = _proc_stat(pid)
    return int(fields[19]) if fields else None


def process_lives(pid: int, started: int | None = None) -> bool:
    """Whether this process exists and (where both are known) is the one that started then."""
    if fields := _proc_stat(pid):
        if fields[0] in (b"Z", b"X"):
            return False
        return started is None or int(fields[19]) == started
    if sys.platform == "win32":
        return _windows_process_lives(pid)
    try:
        os.kill(pid, 0)
    except OSError as error:
        return error.errno == errno.EPERM
    except OverflowError:  # a number that no process can have
        return False
    # Another process may have got the pid; where there is no /proc, nothing tells.
    return True


def process_is_halted(pid: int, started: int | None = None) -> bool:
    """Whether this process is stopped by a signal: it lives, and does nothing until it is continued."""
    fields = _proc_stat(pid)
    return fields is not None and fields[0] == b"T" and (started is None or int(fields[19]) == started)


def _process_state(header: JournalHeader) -> State:
    if header.shipped is True or header.host != host_name():
        return State.UNKNOWN
    if header.boot != boot_id():
        return State.DEAD
    return State.ALIVE if process_lives(header.pid, header.pid_start) else State.DEAD


def _proc_stat(pid: int) -> list[bytes] | None:
    # The fields after the command's name, which may hold blanks and brackets itself.
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError:
        return None
    try:
        text = os.read(fd, 1024)
    except OSError:
        return None
    finally:
        os.close(fd)
    return text[text.rfind(b")") + 2 :].split()


def _windows_process_lives(pid: int) -> bool:
    # os.kill would end the process there.
    import ctypes

    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined]
    handle = kernel.OpenProcess(0x1000, False, pid)
    if not handle:
        return bool(kernel.GetLastError() == 5)
    code = ctypes.c_ulong()
    kernel.GetExitCodeProcess(handle, ctypes.byref(code))
    kernel.CloseHandle(handle)
    return code.value == 259


def is_locked(path: str | os.PathLike[str]) -> bool:
    """Whether somebody holds a journal's lock, which proves that its writer lives; cheap.

    Raises:
        OSError: the file cannot be opened.
    """
    if fcntl is None:
        return False
    fd = os.open(path, os.O_RDONLY)
    try:
        # Shared, so that two who look at once do not take each other for the writer.
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(fd)
    return False


def _last_type(path: str | os.PathLike[str]) -> str | None:
    # The type of the last line, where it is a short one, as those that speak of the journal itself are.
    with Path(path).open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 512))
        tail = file.read()
    if not tail.endswith(b"\n"):
        return None
    line = decode_line(tail[tail.rfind(b"\n", 0, -1) + 1 :])
    return line.type if isinstance(line, Line) else None


def writer_is_gone(path: str | os.PathLike[str]) -> bool:
    """Whether nobody will write to this journal any more: it was closed, or its writer is proved dead."""
    try:
        return state(path) in (State.CLOSED, State.DEAD)
    except (NotAJournal, OSError):
        return False
