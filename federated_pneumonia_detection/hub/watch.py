"""Wakes a follower when something was written: by inotify where there is one, else by looking often.

Neither is trusted alone: whoever waits here looks at all sizes each second as well, since network drives tell nothing.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import struct
import sys
import threading
import time
from typing import Protocol

__all__ = ["NOTE_SUFFIX", "InotifyWatch", "PollingWatch", "Watch", "best_watch"]

NOTE_SUFFIX = ".follow"
"""A file of this suffix holds the path of a further directory to follow: how a child tells its parent's hub."""

_MODIFY, _MOVED_TO, _CREATE, _DELETE_SELF, _MOVE_SELF = 0x2, 0x80, 0x100, 0x400, 0x800
_OVERFLOW, _IGNORED, _ONLYDIR = 0x4000, 0x8000, 0x01000000
_MASK = _MODIFY | _MOVED_TO | _CREATE | _DELETE_SELF | _MOVE_SELF | _ONLYDIR
_EVENT = struct.Struct("iIII")


class Watch(Protocol):
    """Tells that files in some directories have changed."""

    is_prompt: bool
    """It tells at once by itself."""

    def add(self, directory: str) -> bool:
        """Watch a directory; `False` where that cannot be done (yet). Adding it again is fine."""

    def wait(self, timeout_s: float) -> set[str] | None:
        """Wait for a change, a wake-up or the timeout.

        Returns:
            The paths of what has changed; `None` when it is not known, and everything is to be looked at.
        """

    def wake(self) -> None:
        """End a wait, from any thread."""

    def close(self) -> None:
        """Stop watching."""


def best_watch() -> Watch:
    """Inotify where the system has it, polling elsewhere; journals and notes are what it tells of."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            return InotifyWatch((".jsonl", NOTE_SUFFIX))
    return PollingWatch()


class PollingWatch:
    """Looks at everything each twentieth of a second.

    Args:
        every_s: How often.
    """

    is_prompt = False

    def __init__(self, every_s: float = 0.05) -> None:
        self._every_s = every_s
        self._event = threading.Event()

    def add(self, directory: str) -> bool:
        """Nothing to prepare: everything is looked at anyway."""
        return True

    def wait(self, timeout_s: float) -> set[str] | None:
        """Wait a twentieth of a second at most."""
        self._event.wait(min(timeout_s, self._every_s))
        self._event.clear()
        return None

    def wake(self) -> None:
        """End a wait."""
        self._event.set()

    def close(self) -> None:
        """Nothing to close."""


class InotifyWatch:
    """Linux's own notification; see inotify(7). A few files' descriptors, no thread.

    Args:
        endings: What the names end in that are told; the others wake nobody. Hidden files are never told.

    Raises:
        OSError: The system has no inotify, or no more of it for this user.
    """

    is_prompt = True

    def __init__(self, endings: tuple[str, ...] = ("",)) -> None:
        self._endings = tuple(os.fsencode(ending) for ending in endings)
        self._libc = ctypes.CDLL(None, use_errno=True)
        try:
            self._fd = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        except AttributeError:
            raise OSError("this C library has no inotify") from None
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        self._wake_fd, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._directories: dict[int, str] = {}
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)
        self._poll.register(self._wake_fd, select.POLLIN)

    def add(self, directory: str) -> bool:
        """Watch a directory; again after it was removed and made anew."""
        number = self._libc.inotify_add_watch(self._fd, os.fsencode(directory), ctypes.c_uint32(_MASK))
        if number < 0:
            return False
        self._directories[number] = directory if directory.endswith("/") else f"{directory}/"
        return True

    def wait(self, timeout_s: float) -> set[str] | None:
        """Wait for events; `None` when the kernel had too many to tell."""
        until = time.monotonic() + timeout_s
        changed: set[str] = set()
        while True:
            ready = self._poll.poll(max(0.0, until - time.monotonic()) * 1000)
            is_lost = is_woken = False
            for fd, _ in ready:
                with contextlib.suppress(BlockingIOError):
                    data = os.read(fd, 65536)
                    if fd == self._wake_fd:
                        is_woken = True
                    else:
                        is_lost = self._take(data, changed)
            # Each document that is replaced, and each file that it is made in, would be a turn for nothing.
            if is_lost or changed or is_woken or time.monotonic() >= until:
                return None if is_lost else changed

    def _take(self, data: bytes, changed: set[str]) -> bool:
        at, lost = 0, False
        while at < len(data):
            number, mask, _, length = _EVENT.unpack_from(data, at)
            name = data[at + _EVENT.size : at + _EVENT.size + length].rstrip(b"\0")
            at += _EVENT.size + length
            lost = lost or bool(mask & _OVERFLOW)
            if mask & _IGNORED:
                self._directories.pop(number, None)
            elif name.endswith(self._endings) and not name.startswith(b"."):
                directory = self._directories.get(number)
                if directory is not None and name:
                    changed.add(directory + os.fsdecode(name))
        return lost

    def wake(self) -> None:
        """End a wait; does nothing when one is due anyway, or after `close`."""
        with contextlib.suppress(OSError):
            os.write(self._waker, b"\0")

    def close(self) -> None:
        """Stop watching."""
        for fd in (self._fd, self._wake_fd, self._waker):
            with contextlib.suppress(OSError):
                os.close(fd)
        self._waker = -1
