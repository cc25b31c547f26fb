from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_pneumonia_detection.progress import clock


@given(st.integers(0, 4_000_000_000 * 10**9))
def test_a_stamp_is_the_moment_in_utc_to_the_microsecond(ns: int) -> None:
    moment = datetime.fromtimestamp(ns // 10**9, UTC).replace(microsecond=ns % 10**9 // 1000)
    assert clock.stamp(ns) == moment.isoformat(timespec="microseconds")
    assert clock.seconds_of(clock.stamp(ns)) == moment.timestamp()


def test_a_clock_that_is_set_back_stops_nothing_and_goes_on_at_its_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    hour = 3600 * 10**9
    begun = 1_800_000_000 * 10**9
    # Two seconds, an hour back, two seconds, two hours forward, half an hour back.
    moments = [0, 1, 2, 2 - 3600, 4 - 3600, 4 + 3600, 4 + 1800]
    monkeypatch.setattr(clock, "_newest_ns", 0)
    monkeypatch.setattr(clock, "_ahead_ns", 0)
    read = iter([begun + second * 10**9 for second in moments])
    monkeypatch.setattr(clock.time, "time_ns", lambda: next(read))

    told = [clock.seconds_of(clock.now()) for _ in moments]
    assert told == [begun / 10**9 + second for second in (0, 1, 2, 2, 4, 4 + 2 * hour / 10**9, 4 + 2 * hour / 10**9)]


def test_what_is_no_time_has_no_seconds() -> None:
    assert clock.seconds_of("yesterday") is None
    assert clock.seconds_of("1970-01-01T00:00:01") == 1.0
