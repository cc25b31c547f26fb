"""When a living writer replaces its document: at once at a start and an end, else at most a tenth of the time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from federated_pneumonia_detection.progress.document import Document
from federated_pneumonia_detection.progress.upkeep import upkeep

__all__ = ["DocumentKeeper", "Identity"]

_SHARE = 10.0
_RETRY_S = 1.0


class Identity(NamedTuple):
    """Whose writer and document it is: one of these has one writer in a process."""

    directory: str
    run_id: str
    client_id: str | None


class DocumentKeeper:
    """Replaces a document often enough to be true and seldom enough to cost little; used from any thread.

    Args:
        identity: whose document it is.
        failed: told when it could not be replaced, which is then tried again each second.
    """

    def __init__(self, identity: Identity, failed: Callable[[OSError | ValueError], None]) -> None:
        self._document = Document(Path(identity.directory), identity.run_id, identity.client_id)
        self._failed = failed
        self._lock = threading.RLock()
        # Whether it is being replaced, and whether that is asked for once more meanwhile.
        self._is_busy = self._again = False
        # Whether it lacks something, and the thread has been asked to see to that.
        self._is_stale = False
        self._last = self._cost = 0.0

    def touched(self, now: float) -> None:
        """A message was written: replace the document, or, if that was just done, let it be done shortly after."""
        due = self._last + _SHARE * self._cost
        # The first time what others wrote has to be read as well, which may be much: not in the log call, then.
        if now >= due and self._last:
            self.replace(wait=False)
        elif not self._is_stale:
            self._is_stale = True
            upkeep.ask(self, due)

    def replace(self, *, wait: bool) -> None:
        """Replace it now.

        Args:
            wait: whether to wait where another thread is just at it, so that everything written is in it on return.
        """
        if not self._lock.acquire(blocking=wait):
            self._is_stale = True
            upkeep.ask(self, time.monotonic() + self._cost)
            return
        try:
            self._again = True
            if self._is_busy:  # a signal handler in the middle of it: whoever is at it does it once more
                return
            self._is_busy = True
            try:
                while self._again:
                    self._again = False
                    self._replace()
            finally:
                self._is_busy = False
        finally:
            self._lock.release()

    def keep_up(self) -> None:
        """What is due by itself."""
        if self._is_stale:
            self.replace(wait=True)

    def _replace(self) -> None:
        started = time.monotonic()
        self._is_stale = False
        try:
            self._document.replace()
        except (OSError, ValueError) as error:  # ValueError: a directory's name with a NUL in it
            self._failed(error)
            self._is_stale = True
            upkeep.ask(self, started + _RETRY_S)
        self._last = time.monotonic()
        self._cost = self._last - started
