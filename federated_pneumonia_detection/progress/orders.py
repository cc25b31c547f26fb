"""What a training does between two batches: it looks whether somebody wants it to stop or to wait, and waits."""

from __future__ import annotations

import os
import time
from typing import Protocol

from federated_pneumonia_detection.progress.cancel import Cancel, CancelWatch
from federated_pneumonia_detection.progress.pause import Pause, pause_of, pause_path, resumed_by

__all__ = ["LOOK_S", "OrderWatch", "Tells"]

LOOK_S = 0.05
"""Seconds between two looks at the disk, while training and while waiting."""


class Tells(Protocol):
    """A logger, as far as it is needed here."""

    def log_training_paused(self, reason: str | None = None, by: str | None = None) -> None:
        """Say that the training waits."""

    def log_training_resumed(self, by: str | None = None) -> None:
        """Say that it goes on."""


class OrderWatch:
    """Looks for requests to stop and to wait; cheap enough for every batch, since it looks each 50 ms at most.

    Attributes:
        waited_s: how many seconds it has waited so far, for whoever has a deadline.
    """

    def __init__(self, log_dir: str | os.PathLike[str], run_id: str) -> None:
        self._log_dir = log_dir
        self._run_id = run_id
        self._cancel = CancelWatch(log_dir, run_id)
        self._pause_path = pause_path(log_dir, run_id)
        self._next_look = 0.0
        self._stop: Cancel | None = None
        self.waited_s = 0.0

    def cancelled(self) -> Cancel | None:
        """The request to stop, once there is one. Never raises."""
        return self._cancel.asked()

    def paused(self) -> Pause | None:
        """The request to wait, while it stands; looks at the disk. Never raises."""
        try:
            # Nearly always there is none, and that costs a look and nothing else.
            self._pause_path.stat()
        except (OSError, ValueError):
            return None
        return pause_of(self._log_dir, self._run_id)

    def resumed_by(self, pause: Pause) -> str | None:
        """Who took that request to wait away; `None` where nobody said so."""
        return resumed_by(self._log_dir, self._run_id, pause)

    def heed(self, logger: Tells | None, *, at_once: bool = False) -> Cancel | None:
        """Wait while the run is to wait, telling `logger` of it.

        Waiting costs nothing: the thread sleeps between two looks. The journal stays open and its lock held, which is
        how others know that the run lives.

        Args:
            logger: who tells of it.
            at_once: look at the disk even if somebody has just looked.

        Returns:
            The request to stop, once there is one, also in the middle of a pause.
        """
        now = time.monotonic()
        if now < self._next_look and not at_once:
            return self._stop
        self._next_look = now + LOOK_S
        cancel = self._stop = self._cancel.asked(at_once=True)
        pause = None if cancel is not None else self.paused()
        if pause is None:
            return cancel
        if logger is not None:
            logger.log_training_paused(pause.reason, pause.by)
        while cancel is None and self.paused() is not None:
            time.sleep(LOOK_S)
            cancel = self._stop = self._cancel.asked()
        self.waited_s += time.monotonic() - now
        if cancel is None and logger is not None:
            logger.log_training_resumed(self.resumed_by(pause))
        return cancel
