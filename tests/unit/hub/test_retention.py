"""Which runs are due to go, as arithmetic."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from federated_pneumonia_detection.hub.retention import KEEP_ALL, Policy, Weighed, due

NOW = 10_000_000.0
DAY = 86_400.0


def run(name: str, days: float | None, size: int = 10) -> Weighed:
    """A run that ended so many days ago, or goes on."""
    return Weighed(name, None if days is None else NOW - days * DAY, size)


def names(runs: list[Weighed], policy: Policy) -> list[str]:
    return [one.run_id for one in due(runs, policy, now=NOW)]


def test_by_default_everything_is_kept() -> None:
    assert names([run("old", 4000, 10**12)], KEEP_ALL) == []


def test_what_ended_longer_ago_goes_and_says_how_long() -> None:
    runs = [run("young", 29), run("old", 31), run("older", 90)]

    found = due(runs, Policy(older_than_s=30 * DAY), now=NOW)

    assert [(one.run_id, one.why) for one in found] == [("older", "ended 90 days ago"), ("old", "ended 31 days ago")]


def test_the_oldest_go_until_the_rest_fits() -> None:
    runs = [run("a", 3, 40), run("b", 2, 40), run("c", 1, 40)]

    assert names(runs, Policy(keep_bytes=120)) == []
    assert names(runs, Policy(keep_bytes=119)) == ["a"]
    assert names(runs, Policy(keep_bytes=40)) == ["a", "b"]
    assert names(runs, Policy(keep_bytes=0)) == ["a", "b", "c"]


def test_what_goes_for_its_age_counts_for_the_size() -> None:
    runs = [run("old", 40, 100), run("young", 1, 50)]

    assert names(runs, Policy(older_than_s=30 * DAY, keep_bytes=60)) == ["old"]


def test_a_run_that_goes_on_is_counted_and_stays() -> None:
    runs = [run("runs", None, 100), run("ended", 1, 10)]

    assert names(runs, Policy(older_than_s=0.0, keep_bytes=0)) == ["ended"]
    assert names(runs, Policy(keep_bytes=100)) == ["ended"]


@given(
    st.lists(st.tuples(st.none() | st.floats(0, 1000), st.integers(0, 10**9)), max_size=30),
    st.none() | st.floats(0, 1000),
    st.none() | st.integers(0, 10**10),
)
def test_what_is_left_is_within_both_limits_and_nothing_goes_without_need(
    told: list[tuple[float | None, int]], days: float | None, keep: int | None
) -> None:
    runs = [run(f"run-{at}", age, size) for at, (age, size) in enumerate(told)]
    going = names(runs, Policy(None if days is None else days * DAY, keep))

    left = [one for one in runs if one.run_id not in going]
    stays = sum(one.size_bytes for one in left)
    ages = {one.run_id: NOW - one.ended_at for one in runs if one.ended_at is not None}
    assert all(one.run_id in ages for one in runs if one.run_id in going)
    if days is not None:
        assert all(ages[one.run_id] <= days * DAY for one in left if one.run_id in ages)
    if keep is not None:
        assert stays <= keep or all(one.ended_at is None for one in left)
        for name in going:
            too_old = days is not None and ages[name] > days * DAY
            # Whoever is not too old went because what was left with it was too much.
            later = [one for one in runs if one.run_id not in going[: going.index(name)]]
            assert too_old or sum(one.size_bytes for one in later) > keep
