"""Times as messages carry them: ISO 8601 text, compared as moments."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["before", "earlier", "later", "seconds"]


def seconds(timestamp: str | None) -> float | None:
    """Seconds since 1970 of an ISO 8601 time (UTC where it names no zone); `None` for what is no time."""
    if not timestamp:
        return None
    try:
        moment = datetime.fromisoformat(timestamp)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, TypeError):
        return None


def before(one: str | None, other: str | None) -> bool:
    """Whether both are times, and the first is the earlier one."""
    first, second = seconds(one), seconds(other)
    return first is not None and second is not None and first < second


def later(one: str | None, other: str | None) -> str | None:
    """The later of two times; the other one where one is none."""
    if not one or seconds(one) is None:
        return other or one
    return other if before(one, other) else one


def earlier(one: str | None, other: str | None) -> str | None:
    """The earlier of two times; the other one where one is none."""
    if not one or seconds(one) is None:
        return other or one
    return other if before(other, one) else one
