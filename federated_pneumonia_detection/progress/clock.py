"""The time of a message, cheaply: the second is formatted once, the microseconds each time."""

from __future__ import annotations

import time

__all__ = ["now", "seconds_of", "stamp"]

# The last second formatted, and its text. A tuple, so that two threads never see one half of it.
_second: tuple[int, str] = (0, "1970-01-01T00:00:00")


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
    """The present moment as a message tells it."""
    return stamp(time.time_ns())


def seconds_of(timestamp: str) -> float | None:
    """The seconds since 1970 that a message's timestamp tells, or `None` where it tells none."""
    from datetime import UTC, datetime

    try:
        moment = datetime.fromisoformat(timestamp)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
