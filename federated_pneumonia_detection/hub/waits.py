"""When somebody waited because somebody asked for it: of how long a round or an epoch takes, that time is no part."""

from __future__ import annotations

from itertools import pairwise

from federated_pneumonia_detection.hub.times import seconds

__all__ = ["Waits", "waited_s", "with_wait"]

Waits = tuple[tuple[str, bool], ...]
"""Times at which somebody began to wait (`False`) or went on (`True`), oldest first."""

_KEPT = 40


def with_wait(waits: Waits, time: str, goes_on: bool) -> Waits:
    """The same with one more; the newest are kept, in whatever order they came."""
    if seconds(time) is None or (time, goes_on) in waits:
        return waits
    return tuple(sorted((*waits, (time, goes_on)), key=lambda wait: (seconds(wait[0]) or 0.0, wait[1]))[-_KEPT:])


def waited_s(waits: Waits, since_s: float, until_s: float) -> float:
    """How many seconds between two times were waited; a wait that nobody ended counts for nothing."""
    total = 0.0
    for (began, is_end), (ended, goes_on) in pairwise(waits):
        if not is_end and goes_on:
            overlap = min(until_s, seconds(ended) or 0.0) - max(since_s, seconds(began) or 0.0)
            total += max(0.0, overlap)
    return total
