"""What a writer does by itself, a little later: one thread for all writers of a process, born when first needed."""

from __future__ import annotations

import os
import threading
import time
from typing import Protocol

from federated_pneumonia_detection.progress.telling import tell

__all__ = ["Upkeep", "upkeep"]


class Kept(Protocol):
    """Something that wants to be called again later."""

    def keep_up(self) -> None:
        """Do what is due."""
        ...


class Upkeep:
    """Calls `keep_up` on whoever asked for it, at the time they asked for."""

    def __init__(self) -> None:
        # Re-entrant: a signal handler may log while this very thread is in here.
        self._condition = threading.Condition(threading.RLock())
        self._due: dict[Kept, float] = {}
        self._thread: threading.Thread | None = None

    def ask(self, kept: Kept, at: float) -> None:
        """Call `kept.keep_up()` at this time (`time.monotonic`), or earlier if it was asked so before."""
        with self._condition:
            known = self._due.get(kept)
            if known is not None and known <= at:
                return
            self._due[kept] = at
            if self._thread is None:
                try:
                    self._thread = threading.Thread(target=self._run, name="progress-upkeep", daemon=True)
                    self._thread.start()
                except RuntimeError:  # the interpreter is going down, or has no thread left; the next log call does it
                    self._thread = None
            else:
                self._condition.notify()

    def forget(self, kept: Kept) -> None:
        """Call it no more."""
        with self._condition:
            self._due.pop(kept, None)

    def _run(self) -> None:
        while True:
            with self._condition:
                while True:
                    now = time.monotonic()
                    ready = [kept for kept, at in self._due.items() if at <= now]
                    if ready:
                        break
                    self._condition.wait(min(self._due.values()) - now if self._due else None)
                for kept in ready:
                    del self._due[kept]
            for kept in ready:
                try:
                    kept.keep_up()
                except Exception as error:  # noqa: BLE001 - one of those it serves must not end it for the others
                    tell(f"the upkeep of progress failed ({type(error).__name__}: {error})")


upkeep = Upkeep()
"""The one of this process."""


def _in_a_child() -> None:
    # Neither the thread nor the lock's owner exists in a forked child.
    upkeep.__init__()  # type: ignore[misc]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_a_child)
