"""How processes of this machine end, seen by whoever looks on: nobody has to be their parent.

Linux tells it from 6.15 on to whoever holds a descriptor of the process (pidfd_open(2), PIDFD_GET_INFO). Elsewhere
nothing is known of an end but that it has come.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections import deque
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from federated_pneumonia_detection.progress.liveness import pid_start

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["Exit", "Exits"]

# include/uapi/linux/pidfd.h: _IOWR(0xFF, 11, struct pidfd_info), whose first 64 bytes are as old as the call.
_SIZE = 64
_GET_INFO = (3 << 30) | (_SIZE << 16) | (0xFF << 8) | 11
_INFO_EXIT = 1 << 3
_EXIT_CODE_AT = 60
_HELD_AT_MOST = 256
_KILLS_KEPT = 6
_LOOKS_KEPT = 120
"""So many looks after a process was seen last, its end is told."""

Process = tuple[int, int | None]
"""A process: its pid, and when it started in ticks since boot, where that is known."""


class Exit(NamedTuple):
    """How a process ended."""

    code: int | None
    """Its exit code; `None` where a signal ended it."""
    signal: int | None
    for_memory: bool = False
    """The kernel has ended a process for want of memory at about that time: this one, it seems."""


class Exits:
    """Processes that are looked at, and how they ended. Not thread-safe."""

    def __init__(self) -> None:
        self._held: dict[Process, int] = {}
        # Of those that are looked at no more: how many looks ago.
        self._gone: dict[Process, int] = {}
        # How many processes the kernel had ended for want of memory at the last looks.
        self._kills: deque[int] = deque(maxlen=_KILLS_KEPT)

    def look(self, living: Collection[Process]) -> None:
        """Hold on to these processes, which live, also for a minute after; to be called every half second or so."""
        self._kills.append(_kills_for_memory())
        for process in living:
            self.hold(process)
        self._gone = {process: self._gone.get(process, 0) + 1 for process in self._held if process not in living}
        self._let_go([process for process, looks in self._gone.items() if looks > _LOOKS_KEPT])

    def hold(self, process: Process) -> None:
        """Hold on to a process that lives."""
        if process in self._held or len(self._held) >= _HELD_AT_MOST:
            return
        pid, start = process
        try:
            fd = os.pidfd_open(pid)
        except (OSError, AttributeError, OverflowError, ValueError):
            return
        if start is not None and pid_start(pid) != start:  # another process has this pid now
            os.close(fd)
            return
        self._held[process] = fd

    def how(self, process: Process) -> Exit | None:
        """How a process ended that was held before; `None` while it lives, and where nobody can tell."""
        status = _status(self._held[process]) if process in self._held else None
        if status is None:
            return None
        number = status & 0x7F
        if number == 0:
            return Exit(code=status >> 8, signal=None)
        has_killed = bool(self._kills) and _kills_for_memory() > self._kills[0]
        return Exit(code=None, signal=number, for_memory=number == 9 and has_killed)

    def close(self) -> None:
        """Let go of all."""
        self._let_go(list(self._held))

    def _let_go(self, processes: Collection[Process]) -> None:
        for process in processes:
            if (fd := self._held.pop(process, None)) is not None:
                os.close(fd)


def _status(fd: int) -> int | None:
    """The wait status of a process that has ended, as wait(2) gives it to its parent."""
    if fcntl is None:
        return None
    told = bytearray(_SIZE)
    struct.pack_into("=Q", told, 0, _INFO_EXIT)
    try:
        fcntl.ioctl(fd, _GET_INFO, told)
    except OSError:  # an older kernel, or it is gone and nobody has waited for it yet
        return None
    (mask,) = struct.unpack_from("=Q", told, 0)
    (status,) = struct.unpack_from("=i", told, _EXIT_CODE_AT)
    return int(status) if mask & _INFO_EXIT else None


def _kills_for_memory() -> int:
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    return 0
