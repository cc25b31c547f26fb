from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from federated_pneumonia_detection.hub.merge import merge


def at(second: float) -> str:
    return f"2026-11-24T10:00:{second:09.6f}+00:00"


def test_two_journals_are_merged_by_time() -> None:
    one = [(at(1), "a1"), (at(4), "a4")]
    two = [(at(2), "b2"), (at(3), "b3"), (at(5), "b5")]
    assert list(merge([one, two])) == ["a1", "b2", "b3", "a4", "b5"]


def test_times_of_other_zones_are_the_same_moments() -> None:
    assert list(merge([[("2026-11-24T12:00:01+02:00", "late")], [("2026-11-24T10:00:00Z", "early")]])) == [
        "early",
        "late",
    ]


def test_a_clock_that_went_back_keeps_its_own_order() -> None:
    jumped = [(at(9), "a1"), (at(1), "a2"), (at(2), "a3")]
    assert list(merge([jumped, [(at(5), "b")]])) == ["b", "a1", "a2", "a3"]


def test_what_has_no_time_stays_where_it_stands() -> None:
    assert list(merge([[(at(3), "a1"), (None, "a2"), ("nonsense", "a3")], [(at(4), "b")]])) == ["a1", "a2", "a3", "b"]


@given(st.lists(st.lists(st.integers(0, 50), max_size=12), max_size=5))
def test_nothing_is_lost_and_no_writer_goes_against_itself(clocks: list[list[int]]) -> None:
    sources = [[(at(second), (writer, n)) for n, second in enumerate(its)] for writer, its in enumerate(clocks)]
    merged = list(merge(sources))
    for writer, its in enumerate(clocks):
        assert [n for w, n in merged if w == writer] == list(range(len(its)))
