from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from federated_pneumonia_detection.hub.throttle import Throttle


def test_without_an_interval_everything_goes_at_once() -> None:
    throttle: Throttle[int] = Throttle(0.0)
    throttle.add([1])
    assert throttle.take(5.0) == [1]
    throttle.add([2])
    assert throttle.take(5.0) == [2]


def test_the_first_after_quiet_goes_at_once_and_the_rest_together_in_order() -> None:
    throttle: Throttle[int] = Throttle(0.5)
    throttle.add([1])
    assert throttle.take(10.0) == [1]
    throttle.add([2])
    throttle.add([3, 4])
    assert throttle.take(10.2) == []
    assert throttle.due(10.25) == 0.25
    assert throttle.take(10.5) == [2, 3, 4]
    throttle.add([5])
    assert throttle.take(99.0) == [5]


def test_an_end_takes_along_at_once_what_is_held() -> None:
    throttle: Throttle[str] = Throttle(0.5)
    throttle.add(["first"])
    throttle.take(10.0)
    throttle.add(["val"])
    throttle.add(["end"], urgent=True)
    assert throttle.take(10.1) == ["val", "end"]


def test_nothing_held_is_never_due() -> None:
    assert Throttle[int](0.5).due(1.0) is None


def test_a_clock_that_went_back_makes_nobody_wait_longer_than_the_interval() -> None:
    throttle: Throttle[int] = Throttle(0.5)
    throttle.add([1])
    throttle.take(1000.0)
    throttle.add([2])
    assert throttle.due(3.0) == 0.5


@given(
    interval=st.floats(0, 2),
    arrivals=st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=40),
    looks=st.lists(st.floats(0, 1), max_size=40),
)
def test_nothing_is_lost_twice_or_out_of_order_and_batches_keep_their_distance(
    interval: float, arrivals: list[tuple[float, bool]], looks: list[float]
) -> None:
    throttle: Throttle[int] = Throttle(interval)
    times: list[tuple[float, int | None, bool]] = []
    at = 0.0
    for number, (wait, urgent) in enumerate(arrivals):
        at += wait
        times.append((at, number, urgent))
    at = 0.0
    for wait in looks:
        at += wait
        times.append((at, None, False))
    taken: list[int] = []
    sent_at: list[tuple[float, bool]] = []
    held_urgent = False
    for now, item, urgent in sorted(times, key=lambda each: each[0]):
        if item is not None:
            throttle.add([item], urgent=urgent)
            held_urgent = held_urgent or urgent
        if batch := throttle.take(now):
            taken += batch
            sent_at.append((now, held_urgent))
            held_urgent = False
    taken += throttle.take(now=1e9)

    assert taken == list(range(len(arrivals)))
    for (before, _), (after, urgent) in pairwise(sent_at):
        assert urgent or after - before >= interval - 1e-9
