"""How often and how many: allowances that fill up again, and places that are given back. No clock in here."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Hashable

__all__ = ["Allowance", "Places"]


class Allowance:
    """So many at once for each key, and then so many a second (a token bucket, RFC 2697 in its simplest form).

    Args:
        burst: how many at once.
        per_s: how many more each second.
        greatest_keys: how many keys are remembered; the one that was quiet for longest is forgotten, and begins full.
    """

    def __init__(self, *, burst: int, per_s: float, greatest_keys: int = 10_000) -> None:
        self.burst = burst
        self.per_s = per_s
        self._greatest = greatest_keys
        # Key to what was left, and when.
        self._left: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def left(self, key: Hashable, now: float) -> float:
        """What is left for `key` at `now` (seconds of a clock that never goes back)."""
        left, at = self._left.get(key, (float(self.burst), now))
        return min(float(self.burst), left + (now - at) * self.per_s)

    def take(self, key: Hashable, now: float) -> int:
        """Take one; 0 if there was one, else the whole seconds after which there is one again (1 or more)."""
        left = self.left(key, now)
        if left < 1:
            return max(1, math.ceil((1 - left) / self.per_s))
        self._left[key] = (left - 1, now)
        self._left.move_to_end(key)
        if len(self._left) > self._greatest:
            self._left.popitem(last=False)
        return 0


class Places:
    """How many each key holds at the moment, at most so many.

    Args:
        greatest: places for one key.
    """

    def __init__(self, greatest: int) -> None:
        self.greatest = greatest
        self._held: dict[Hashable, int] = {}

    def enter(self, key: Hashable) -> bool:
        """Take a place; whether there was one."""
        held = self._held.get(key, 0)
        if held >= self.greatest:
            return False
        self._held[key] = held + 1
        return True

    def leave(self, key: Hashable) -> None:
        """Give a place back."""
        held = self._held.get(key, 0) - 1
        if held > 0:
            self._held[key] = held
        else:
            self._held.pop(key, None)

    def held(self, key: Hashable) -> int:
        """How many `key` holds."""
        return self._held.get(key, 0)
