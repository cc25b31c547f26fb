"""How often one writer's messages are let through: the first after quiet at once, an end at once, the rest together.

It stands before the log, not behind it. Were messages held back after they had their offsets, a viewer could get one
writer's 11 before another's 10, and would resume after 11. Held back before, offsets are given in the order of sending.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

__all__ = ["Throttle"]

T = TypeVar("T")


class Throttle(Generic[T]):
    """Holds back one writer's messages; times are values of one clock, in seconds.

    Args:
        interval_s: The least time between two batches, 0 to hold back nothing.
    """

    def __init__(self, interval_s: float) -> None:
        self.interval_s = interval_s
        """The least time between two batches."""
        self._held: list[T] = []
        # When the last batch went; None before the first.
        self._last: float | None = None
        self._urgent = False

    def __len__(self) -> int:
        return len(self._held)

    def add(self, items: Iterable[T], *, urgent: bool = False) -> None:
        """Hold items behind those held already; an urgent one (an end) takes all of them along at once."""
        self._held.extend(items)
        self._urgent = self._urgent or urgent

    def due(self, now: float) -> float | None:
        """In how many seconds what is held may go: 0 for now, `None` where nothing is held."""
        if not self._held:
            return None
        return self.wait(now)

    def wait(self, now: float) -> float:
        """In how many seconds something that came now could go. A clock that went back does not make it longer."""
        if self._urgent or self._last is None:
            return 0.0
        if now < self._last:
            # The clock went back: counted from the old moment, what is held would wait until that comes again.
            self._last = now
        return max(0.0, self._last + self.interval_s - now)

    def take(self, now: float) -> list[T]:
        """What may go now, in order: everything held, or nothing."""
        if not self._held or self.wait(now) > 0:
            return []
        taken, self._held = self._held, []
        self._last = now
        self._urgent = False
        return taken

    def clear(self) -> None:
        """Let go of what is held."""
        self._held = []
        self._urgent = False
