"""Brings what is to be told to one target, on a thread of its own: one that does not answer delays nobody else."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from federated_pneumonia_detection.server.telling.memory import Notice
from federated_pneumonia_detection.server.telling.quiet import Quiet, held_until

__all__ = ["Postman", "Sender", "Standing", "together"]

log = logging.getLogger(__name__)

FIRST_WAIT_S, LONGEST_WAIT_S = 10.0, 900.0
GIVEN_UP_AFTER_S = 2 * 86_400.0
"""What is two days old is no news."""
_MOST_TOGETHER = 20


class Sender(Protocol):
    """Who is told."""

    name: str
    service: str

    def send(self, title: str, body: str, level: str) -> None:
        """Tell it, or raise `NotTaken`."""


def together(notices: Sequence[Notice]) -> tuple[str, str, str]:
    """Title, text and level of one message that tells all of these."""
    worst = max((notice.level for notice in notices), key=("info", "warning", "error").index)
    if len(notices) == 1:
        return notices[0].title, notices[0].body, worst
    shown = [f"{notice.title}\n{notice.body}" for notice in notices[:_MOST_TOGETHER]]
    more = len(notices) - _MOST_TOGETHER
    if more > 0:
        shown.append(f"… and {more} more; the page's Alerts have them all.")
    return f"{len(notices)} things happened", "\n\n".join(shown), worst


class Postman:
    """Takes to one target what waits for it.

    Args:
        target: Who is told.
        waiting: What waits for it, the oldest first.
        taken: Called with what it has taken, or what was given up.
        quiet: When it is told nothing.
    """

    def __init__(
        self,
        target: Sender,
        *,
        waiting: Callable[[str], Sequence[Notice]],
        taken: Callable[[str, Sequence[Notice]], None],
        quiet: Quiet | None,
    ) -> None:
        self.target = target
        self._waiting, self._taken, self._quiet = waiting, taken, quiet
        self._woken = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None
        self.told = 0
        """Messages that were taken."""
        self.refused = 0
        """Times that one was not."""
        self.trouble: str | None = None
        """Why the last one was not taken; `None` where it was, or nothing was to be told yet."""
        self.trouble_since: float | None = None

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run, name=f"tell-{self.target.name}", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There is something new."""
        self._woken.set()

    def close(self, within_s: float = 1.0) -> None:
        """Stop; what a service holds up is not waited for: it is told again after the next start."""
        self._closing = True
        self._woken.set()
        if self._thread is not None:
            self._thread.join(within_s)

    def _run(self) -> None:
        pause, wait_s = FIRST_WAIT_S, 0.0
        while not self._closing:
            # In trouble it waits its turn, whatever is new.
            if wait_s:
                self._pause(wait_s)
            else:
                self._woken.wait(self._next_look_s())
            self._woken.clear()
            if self._closing:
                return
            due = self._due(time.time())
            if not due or self._bring(due):
                pause, wait_s = FIRST_WAIT_S, 0.0
            else:
                wait_s, pause = pause, min(pause * 2, LONGEST_WAIT_S)

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._closing and (left := until - time.monotonic()) > 0:
            self._woken.wait(left)
            self._woken.clear()

    def _next_look_s(self) -> float | None:
        """How long until something that waits for the end of the quiet hours may go."""
        now = datetime.now().astimezone()
        held = [held_until(self._quiet, now, level=notice.level) for notice in self._waiting(self.target.name)]
        waits = [0.0 if until is None else (until - now).total_seconds() for until in held]
        # A clock may be set meanwhile: look again each minute.
        return min(max(0.05, min(waits)), 60.0) if waits else None

    def _due(self, now_s: float) -> list[Notice]:
        now = datetime.now().astimezone()
        waiting = self._waiting(self.target.name)
        old = [notice for notice in waiting if now_s - notice.since > GIVEN_UP_AFTER_S]
        if old:
            log.warning("given up telling %s: %d notices", self.target.name, len(old))
            self._taken(self.target.name, old)
        return [n for n in waiting if n not in old and held_until(self._quiet, now, level=n.level) is None]

    def _bring(self, due: Sequence[Notice]) -> bool:
        title, body, level = together(due)
        try:
            self.target.send(title, body, level)
        except Exception as error:  # noqa: BLE001 - a service of somebody else's: whatever it is, the next try comes
            self.refused += 1
            if self.trouble is None:
                self.trouble_since = time.time()
                log.warning("target %s (%s) was not told: %s", self.target.name, self.target.service, error)
            self.trouble = str(error)
            return False
        if self.trouble is not None:
            log.info("target %s takes messages again", self.target.name)
        self.trouble = self.trouble_since = None
        self.told += len(due)
        self._taken(self.target.name, due)
        return True


class Standing(msgspec.Struct, frozen=True):
    """How it stands with one target, without its address."""

    name: str
    service: str
    """The kind of address, as `mailtos`."""
    waiting: int
    told: int
    trouble: str | None
    """Why it does not take messages at the moment."""
    trouble_since: float | None
