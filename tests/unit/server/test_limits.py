from hypothesis import given
from hypothesis import strategies as st

from federated_pneumonia_detection.server.access.limits import Allowance, Places


def test_so_many_at_once_and_then_so_many_a_second() -> None:
    allowance = Allowance(burst=3, per_s=0.5)
    assert [allowance.take("a", 0.0) for _ in range(4)] == [0, 0, 0, 2]
    assert allowance.take("b", 0.0) == 0
    assert allowance.take("a", 1.9) == 1
    assert allowance.take("a", 2.0) == 0
    assert allowance.take("a", 2.0) == 2
    assert allowance.left("a", 1e9) == 3


def test_a_key_that_was_quiet_for_longest_is_forgotten_first() -> None:
    allowance = Allowance(burst=1, per_s=0.1, greatest_keys=2)
    for key in ("a", "b", "c"):
        allowance.take(key, 0.0)
    assert allowance.take("a", 0.0) == 0
    assert allowance.take("c", 0.0) > 0


@given(
    st.integers(1, 20),
    st.floats(0.1, 50),
    st.lists(st.floats(0, 5), min_size=1, max_size=200),
)
def test_never_more_than_the_burst_and_what_has_filled_up_since(burst: int, per_s: float, pauses: list[float]) -> None:
    allowance = Allowance(burst=burst, per_s=per_s)
    now, taken = 0.0, 0
    for pause in pauses:
        now += pause
        wait = allowance.take("k", now)
        taken += wait == 0
        assert taken <= burst + now * per_s + 1e-6
        if wait:
            assert Allowance.left(allowance, "k", now + wait) >= 1 - 1e-6


def test_places_are_taken_and_given_back() -> None:
    places = Places(2)
    assert [places.enter("a") for _ in range(3)] == [True, True, False]
    assert places.enter("b")
    places.leave("a")
    assert places.enter("a")
    for _ in range(5):
        places.leave("a")
    assert places.held("a") == 0
    assert places.enter("a")
