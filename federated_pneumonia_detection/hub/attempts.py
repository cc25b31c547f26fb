"""What of a run that was begun more than once is part of its curve, and which attempt each message is of."""

from __future__ import annotations

from typing import Final, Literal

from federated_pneumonia_detection.hub.fields import integer
from federated_pneumonia_detection.hub.state import RunState
from federated_pneumonia_detection.hub.times import seconds

__all__ = ["CURRENT", "Attempts", "Wanted"]

Wanted = int | Literal["all", "current"]
"""Which attempts somebody wants: one by its number, all, or the run's curve (`current`), which is of all together."""

CURRENT: Final = "current"


class Attempts:
    """The attempts of a run, for whoever reads its messages.

    Args:
        state: The run.
    """

    def __init__(self, state: RunState) -> None:
        self._newest = state.attempt
        self._kept = {each.attempt: each.kept for each in state.attempts}
        # Those that are told by the clock alone, newest first: their messages do not name them.
        self._unnamed = [
            (each.attempt, seconds(each.started))
            for each in reversed(state.attempts)
            if each.attempt > 1 and each.started is not None and each.from_ is None
        ]

    @property
    def are_several(self) -> bool:
        """Whether the run was begun more than once."""
        return self._newest > 1

    def of(self, told: object, timestamp: object) -> int:
        """The attempt of a message that says this of itself."""
        named = integer(told)
        if named is not None and named >= 1:
            return named
        if self._unnamed:
            at = seconds(timestamp) if isinstance(timestamp, str) else None
            for attempt, begun in self._unnamed:
                if at is None or begun is None or at >= begun:
                    return attempt
        return 1

    def is_current(self, attempt: int, epoch: object, round_: object) -> bool:
        """Whether what an attempt said of an epoch (inside a round, of the round) is part of the run's curve."""
        if attempt >= self._newest:
            return True
        number = integer(round_)
        if number is None:
            number = integer(epoch)
        return number is None or number <= self._kept.get(attempt, 0)

    def wants(self, wanted: Wanted, attempt: int, is_current: bool) -> bool:
        """Whether somebody who wants that gets what an attempt said."""
        return wanted == "all" or (is_current if wanted == CURRENT else attempt == wanted)
