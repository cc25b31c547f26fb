"""Quiet hours: what is told in them waits until they are over. Pure."""

from __future__ import annotations

from datetime import datetime, time, timedelta, tzinfo
from typing import NamedTuple

__all__ = ["Quiet", "held_until"]


class Quiet(NamedTuple):
    """From when until when nobody is told anything, each day."""

    begins: time
    ends: time
    zone: tzinfo | None = None
    """Whose time of day it is; `None`: the server's."""
    lets_failures_through: bool = False


def held_until(quiet: Quiet | None, now: datetime, *, level: str) -> datetime | None:
    """Until when something waits; `None`: it goes now.

    Args:
        quiet: The quiet hours; begun in the evening, they end on the next morning.
        now: The present, with a zone.
        level: Of what is told: an `error` may be let through.
    """
    if quiet is None or quiet.begins == quiet.ends or (level == "error" and quiet.lets_failures_through):
        return None
    here = now.astimezone(quiet.zone)
    at, overnight = here.time().replace(tzinfo=None), quiet.begins > quiet.ends
    inside = (at >= quiet.begins or at < quiet.ends) if overnight else quiet.begins <= at < quiet.ends
    if not inside:
        return None
    day = here.date() + timedelta(days=1) if overnight and at >= quiet.begins else here.date()
    # Of that day's own offset: a clock may be put forward or back in the night.
    ends = datetime.combine(day, quiet.ends)
    return ends.replace(tzinfo=quiet.zone) if quiet.zone is not None else ends.astimezone()
