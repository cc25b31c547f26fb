"""The time of a message, cheaply: the second is formatted once, the microseconds each time."""

from __future__ import annotations

import time

__all__ = ["now", "seconds_of", "stamp"]

# The last second formatted, and its text. A tuple, so that two threads never see one half of it.
_second: tuple[int, str] = (0, "1970-01-01T00:00:00")

_MOMENT_NS = 1_000_000_000
# The last moment told, and by how much this process is ahead of a machine whose clock was set back.
_newest_ns = _ahead_ns = 0


def stamp(ns: int) -> str:
    """These nanoseconds since 1970 as ISO 8601 in UTC, with microseconds and offset."""
    global _second
    second, rest = divmod(ns, 1_000_000_000)
    known, text = _second
    if second != known:
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        _second = (second, text)
    return f"{text}.{rest // 1000:06d}+00:00"


def now() -> str:
    """The present moment as a message tells it: never before the one told last by this process.

    Where the machine's clock is set back, time goes on here from the last moment told, so that what follows is not
    taken for what was before: the second attempt of a run would seem to speak of the first one.
    """
    global _newest_ns, _ahead_ns
    ns = time.time_ns() + _ahead_ns
    if ns < _newest_ns:
        # A moment is a thread that was held up between reading the clock and here, and no clock set back.
        if ns < _newest_ns - _MOMENT_NS:
            _ahead_ns += _newest_ns - ns
        ns = _newest_ns
    _newest_ns = ns
    return stamp(ns)


def seconds_of(timestamp: str) -> float | None:
    """The seconds since 1970 that a message's timestamp tells, or `None` where it tells none."""
    from datetime import UTC, datetime

    try:
        moment = datetime.fromisoformat(timestamp)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
