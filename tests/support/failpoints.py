"""`kill -9` at every place where something becomes visible to others: writes, renames, syncs, locks, commits, sends.

Nothing of it stands in the product: `arm` puts counting wrappers around the functions of `os`, `fcntl` and SQLAlchemy
by which this process touches the world, and the process kills itself at the one that was asked for, before it, after
it, or (for a write) when half of it is done. `forked` does that in a child, so that no interpreter has to start.
"""

from __future__ import annotations

import fcntl
import os
import pathlib
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

BEFORE, HALF, AFTER = "before", "half", "after"
WHENS = (BEFORE, HALF, AFTER)

_WRITES = ("write",)
_CALLS = ("pwrite", "link", "replace", "rename", "unlink", "mkdir", "fsync", "fdatasync", "ftruncate")
write_unseen = os.write
"""The real `os.write`, for what a test itself writes down."""


class Outcome(NamedTuple):
    """How an armed child ended."""

    killed: bool
    point: str
    """Where it was killed; empty where it came to its end."""
    code: int


class _Points:
    """Counts, and kills at the one that was asked for."""

    def __init__(self, at: int, when: str, tell: int) -> None:
        self._at = at
        self._when = when
        self._tell = tell
        self._count = 0
        self._lock = threading.Lock()

    def call(self, name: str, act: Callable[..., Any], *arguments: Any, half: Callable[[], Any] | None = None) -> Any:
        with self._lock:
            self._count += 1
            is_it = self._count == self._at
        if is_it and self._when == BEFORE:
            self._kill(name)
        if is_it and self._when == HALF:
            if half is not None:
                half()
            self._kill(name)
        try:
            return act(*arguments)
        finally:
            if is_it:
                self._kill(name)

    def _kill(self, name: str) -> None:
        write_unseen(self._tell, name.encode())
        os.kill(os.getpid(), signal.SIGKILL)


def arm(at: int, when: str, tell: int) -> None:
    """Kill this process at its `at`-th point (from 1); 0 never does. The point's name is written to `tell` before."""
    points = _Points(at, when, tell)
    for name in _WRITES:
        _wrap_write(points, name)
    for name in _CALLS:
        _wrap_call(points, os, name)
    _wrap_call(points, fcntl, "flock")
    # The standard library writes whole files past `os.write`; here they go through it.
    pathlib.Path.write_bytes = _write_bytes  # type: ignore[method-assign, assignment]
    _wrap_commits(points)
    _wrap_sends(points)


def forked(act: Callable[[], object], *, at: int = 0, when: str = BEFORE) -> tuple[int, int]:
    """Do something in an armed child; gives its pid, and a descriptor for `ended`."""
    told, tell = os.pipe()
    pid = os.fork()
    if pid:
        os.close(tell)
        return pid, told
    code = 1
    try:
        os.close(told)
        arm(at, when, tell)
        act()
        code = 0
    finally:
        os._exit(code)


def ended(pid: int, told: int) -> Outcome:
    """Wait for the end of a child of `forked`."""
    _, status = os.waitpid(pid, 0)
    point = os.read(told, 200).decode()
    os.close(told)
    killed = os.WIFSIGNALED(status) and bool(point)
    return Outcome(killed, point, os.waitstatus_to_exitcode(status))


def _wrap_write(points: _Points, name: str) -> None:
    real = getattr(os, name)

    def write(fd: int, data: Any) -> Any:
        view = memoryview(data)
        return points.call(name, real, fd, data, half=lambda: real(fd, view[: len(view) // 2]))

    setattr(os, name, write)


def _wrap_call(points: _Points, module: Any, name: str) -> None:
    real = getattr(module, name)

    def call(*arguments: Any, **more: Any) -> Any:
        return points.call(name, lambda: real(*arguments, **more))

    setattr(module, name, call)


def _write_bytes(self: pathlib.Path, data: bytes) -> int:
    fd = os.open(self, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        return os.write(fd, data)
    finally:
        os.close(fd)


def _wrap_commits(points: _Points) -> None:
    module = sys.modules.get("sqlalchemy.engine.default")
    if module is None:  # a training has none
        return
    real = module.DefaultDialect.do_commit

    def do_commit(self: Any, connection: Any) -> None:
        points.call("commit", real, self, connection)

    module.DefaultDialect.do_commit = do_commit


def _wrap_sends(points: _Points) -> None:
    module = sys.modules.get("federated_pneumonia_detection.server.viewer_protocol")
    if module is None:
        return
    protocol = module.ViewerProtocol
    made = protocol.connection_made

    def connection_made(self: Any, transport: Any) -> None:
        made(self, _Transport(points, transport))

    protocol.connection_made = connection_made


class _Transport:
    """Its writes are points. uvloop sends a moment after `write`; what must be out before goes past it."""

    def __init__(self, points: _Points, transport: Any) -> None:
        self._points = points
        self._transport = transport

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        fd = self._transport.get_extra_info("socket").fileno()
        sent = 0

        def now() -> None:
            nonlocal sent
            if self._transport.get_write_buffer_size() == 0:
                sent = write_unseen(fd, data)

        self._points.call("send", now, half=lambda: write_unseen(fd, data[: len(data) // 2]))
        if sent < len(data):
            self._transport.write(data[sent:])
