from __future__ import annotations

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from federated_pneumonia_detection.server.telling.quiet import Quiet, held_until

NIGHT = Quiet(time(22), time(7), UTC)


def at(words: str) -> datetime:
    return datetime.fromisoformat(f"{words}+00:00")


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-03-01T21:59:59", None),
        ("2026-03-01T22:00:00", "2026-03-02T07:00:00"),
        ("2026-03-02T06:59:59", "2026-03-02T07:00:00"),
        ("2026-03-02T07:00:00", None),
        ("2026-02-28T23:00:00", "2026-03-01T07:00:00"),
    ],
)
def test_what_happens_at_night_waits_for_the_morning(now: str, until: str | None) -> None:
    assert held_until(NIGHT, at(now), level="info") == (None if until is None else at(until))


def test_quiet_hours_within_a_day_end_on_that_day() -> None:
    noon = Quiet(time(12), time(13, 30), UTC)
    assert held_until(noon, at("2026-03-01T12:10:00"), level="info") == at("2026-03-01T13:30:00")
    assert held_until(noon, at("2026-03-01T14:00:00"), level="info") is None


def test_a_failure_waits_too_unless_it_is_let_through() -> None:
    night = at("2026-03-01T23:00:00")
    assert held_until(NIGHT, night, level="error") is not None
    through = NIGHT._replace(lets_failures_through=True)
    assert held_until(through, night, level="error") is None
    assert held_until(through, night, level="warning") is not None


def test_the_time_of_day_is_that_of_the_zone_also_where_a_clock_is_put_forward_in_the_night() -> None:
    berlin = Quiet(time(22), time(7), ZoneInfo("Europe/Berlin"))
    # In that night 02:00 became 03:00: the morning comes at 05:00 UTC, not at 06:00.
    assert held_until(berlin, at("2026-03-28T22:00:00"), level="info") == at("2026-03-29T05:00:00")
    assert held_until(berlin, at("2026-03-28T20:30:00"), level="info") is None


def test_without_quiet_hours_nothing_waits() -> None:
    assert held_until(None, at("2026-03-01T23:00:00"), level="info") is None
    assert held_until(Quiet(time(7), time(7), UTC), at("2026-03-01T23:00:00"), level="info") is None
