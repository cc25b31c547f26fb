from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from federated_pneumonia_detection.progress import clock


@given(st.integers(0, 4_000_000_000 * 10**9))
def test_a_stamp_is_the_moment_in_utc_to_the_microsecond(ns: int) -> None:
    moment = datetime.fromtimestamp(ns // 10**9, UTC).replace(microsecond=ns % 10**9 // 1000)
    assert clock.stamp(ns) == moment.isoformat(timespec="microseconds")
    assert clock.seconds_of(clock.stamp(ns)) == moment.timestamp()


def test_what_is_no_time_has_no_seconds() -> None:
    assert clock.seconds_of("yesterday") is None
    assert clock.seconds_of("1970-01-01T00:00:01") == 1.0
