"""Flower ends its apps by a signal, and for many reasons: here the reason is found, and the app may say it first."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Signalled", "heard"]

_LOOK_S = 0.2


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
    """Within it the first SIGINT or SIGTERM raises `Signalled`, and further ones nothing; the process is yours to end.

    That the process that started this one is gone is noticed here, too: Flower raises its signal on another thread,
    and the main one, in the middle of a wait for an answer that never comes, hears it a minute later.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    parent, over = os.getppid(), threading.Event()
    came = False

    def hear(number: int, frame: FrameType | None) -> None:
        nonlocal came
        if not came:
            came = True
            raise Signalled(number, orphaned=os.getppid() != parent)

    before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    watch = threading.Thread(target=_watch_parent, args=(parent, over), name="fpd-parent", daemon=True)
    watch.start()
    try:
        yield
    finally:
        over.set()
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)


def _watch_parent(parent: int, over: threading.Event) -> None:
    main = threading.main_thread().ident
    assert main is not None
    while not over.wait(_LOOK_S):
        if os.getppid() != parent:
            # To that thread itself: a signal to the process leaves its sleep alone.
            signal.pthread_kill(main, signal.SIGTERM)
            return
