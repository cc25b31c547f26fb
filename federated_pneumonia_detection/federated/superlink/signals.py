"""Flower ends its apps by a signal, and for many reasons: here the reason is found, and the app may say it first."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Signalled", "heard"]


class Signalled(BaseException):
    """Flower wants this process to end.

    Attributes:
        number: the signal.
        orphaned: whether the process that started this one is gone: the SuperLink's, or the SuperNode's.
    """

    def __init__(self, number: int, *, orphaned: bool) -> None:
        super().__init__("what started it is gone" if orphaned else "the SuperLink ended the run")
        self.number = number
        self.orphaned = orphaned


@contextmanager
def heard() -> Iterator[None]:
    """Within it the first SIGINT or SIGTERM raises `Signalled`; afterwards Flower's own handlers end the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    parent = os.getppid()
    came: int | None = None

    def hear(number: int, frame: FrameType | None) -> None:
        nonlocal came
        if came is None:
            came = number
            raise Signalled(number, orphaned=os.getppid() != parent)

    before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)
        if came is not None:
            signal.raise_signal(came)
