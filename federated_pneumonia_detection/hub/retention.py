"""Which ended runs are due to go, by age and by size. Pure; the clock is a value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["KEEP_ALL", "Due", "Policy", "Weighed", "due"]


class Policy(NamedTuple):
    """What is kept.

    Attributes:
        older_than_s: runs that ended longer ago than this go; `None`: no age is too old.
        keep_bytes: of what is left the oldest go until all runs together take no more; `None`: no size is too large.
    """

    older_than_s: float | None = None
    keep_bytes: int | None = None


KEEP_ALL = Policy()


class Weighed(NamedTuple):
    """A run, and what it takes."""

    run_id: str
    ended_at: float | None
    """When it ended, in seconds since 1970; `None` while it goes on: it is counted, and stays."""
    size_bytes: int


class Due(NamedTuple):
    """A run that is due to go, and why."""

    run_id: str
    why: str


def due(runs: Sequence[Weighed], policy: Policy, *, now: float) -> list[Due]:
    """The runs that are due to go, the one that ended first first.

    Args:
        runs: All runs, those that go on among them.
        policy: What is kept.
        now: The present, in seconds since 1970.
    """
    ended = sorted(
        ((run.ended_at, run) for run in runs if run.ended_at is not None), key=lambda pair: (pair[0], pair[1].run_id)
    )
    total = sum(run.size_bytes for run in runs)
    found: list[Due] = []
    for ended_at, run in ended:
        age_s = now - ended_at
        if policy.older_than_s is not None and age_s > policy.older_than_s:
            found.append(Due(run.run_id, f"ended {_days(age_s)} ago"))
        elif policy.keep_bytes is not None and total > policy.keep_bytes:
            found.append(Due(run.run_id, "the oldest of what is too much"))
        else:
            continue
        total -= run.size_bytes
    return found


def _days(age_s: float) -> str:
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if age_s >= length:
            count = int(age_s // length)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "a moment"
