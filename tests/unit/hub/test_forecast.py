"""The forecast of a run's end: what it counts, and that it does not jump."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from federated_pneumonia_detection.hub.forecast import EarlyStop, Forecast, Open, Seen, forecast

RECORDED = json.loads((Path(__file__).parents[2] / "recordings" / "forecasts.json").read_text(encoding="utf-8"))


def told(seen: Seen) -> Forecast:
    found = forecast(seen)
    assert found is not None
    return found


def test_nothing_is_forecast_before_the_first_unit_is_over() -> None:
    assert forecast(Seen((), 10, 5.0)) is None


def test_units_of_one_length_give_about_that_length_each() -> None:
    found = told(Seen((60.0,) * 10, 5, 0.0))
    assert 290 < found.run_p50_s < 330
    assert found.run_p50_s < found.run_p90_s < 400
    assert found.unit_p50_s == pytest.approx(60, rel=0.05)


def test_what_has_passed_of_the_open_unit_is_not_left() -> None:
    begun, halfway = told(Seen((60.0,) * 10, 5, 0.0)), told(Seen((60.0,) * 10, 5, 30.0))
    assert begun.run_p50_s - halfway.run_p50_s == pytest.approx(30, abs=0.5)


def test_the_start_of_the_first_unit_is_not_expected_again() -> None:
    assert told(Seen((200.0, 60.0, 61.0, 59.0), 10)).run_p50_s < 750


def test_scatter_and_few_units_make_the_bound_wider() -> None:
    def width(durations: tuple[float, ...]) -> float:
        found = told(Seen(durations, 20))
        return (found.run_p90_s - found.run_p50_s) / found.run_p50_s

    steady = tuple(60.0 + (-1) ** n for n in range(12))
    assert width(steady) < width(tuple(60.0 + 20 * (-1) ** n for n in range(12)))
    assert width(steady) < width(steady[:2])


def test_a_round_waits_for_its_slowest_hospital() -> None:
    quick, slow = Open((20.0, 21.0, 19.0), 10.0), Open((80.0, 82.0, 78.0), 10.0)
    both = told(Seen((85.0, 85.0, 85.0), 1, 10.0, waiting=(quick, slow), closing=(5.0, 5.0, 5.0)))
    one = told(Seen((85.0, 85.0, 85.0), 1, 10.0, waiting=(quick,), closing=(5.0, 5.0, 5.0)))
    assert both.unit_p50_s == pytest.approx(75, rel=0.05)
    assert one.unit_p50_s == pytest.approx(15, rel=0.1)


def test_an_overdue_straggler_is_expected_later_the_longer_it_takes() -> None:
    rests = [told(Seen((60.0,) * 6, 1, elapsed)).unit_p50_s or 0.0 for elapsed in (70.0, 120.0, 240.0)]
    assert rests == sorted(rests)
    assert rests[-1] > 40


def test_a_loss_that_no_longer_falls_ends_the_run_early() -> None:
    durations = (60.0,) * 12
    falling = tuple(1 / n for n in range(1, 13))
    flat = (*falling[:8], 0.2, 0.21, 0.2, 0.22)
    far = told(Seen(durations, 88, early=EarlyStop(5, falling)))
    near = told(Seen(durations, 88, early=EarlyStop(5, flat)))
    without = told(Seen(durations, 88))
    assert near.run_p50_s < far.run_p50_s < without.run_p50_s
    assert near.units_p50 is not None
    assert near.units_p50 <= 5
    assert near.run_p90_s > near.run_p50_s


def test_a_run_that_may_stop_early_ends_at_its_last_unit_at_the_latest() -> None:
    falling = tuple(1 / n for n in range(1, 13))
    early = told(Seen((60.0,) * 12, 2, early=EarlyStop(5, falling)))
    assert early.run_p50_s == pytest.approx(told(Seen((60.0,) * 12, 2)).run_p50_s, rel=0.02)


@pytest.mark.parametrize("seed", range(10))
def test_the_forecast_end_moves_no_faster_than_twice_the_clock_while_nothing_happens(seed: int) -> None:
    draw = random.Random(seed)
    durations = tuple(60 * draw.lognormvariate(0, 0.15) for _ in range(draw.randint(1, 12)))
    early = EarlyStop(4, tuple(draw.random() for _ in durations)) if seed % 2 else None
    ends = []
    for tenths in range(0, 3000, 5):
        found = told(Seen(durations, 6, tenths / 10, early=early))
        ends.append((tenths / 10 + found.run_p50_s, tenths / 10 + found.run_p90_s))
    for (p50, p90), (next_p50, next_p90) in pairwise(ends):
        assert -0.2 < next_p50 - p50 < 1.0
        assert -0.5 < next_p90 - p90 < 1.6


def test_durations_that_a_clock_made_negative_are_left_out() -> None:
    assert forecast(Seen((-5.0, 0.0), 3)) is None
    assert told(Seen((-5.0, 60.0, 60.0), 3)).run_p50_s > 170


@pytest.mark.parametrize("recorded", RECORDED)
def test_the_page_is_held_to_these_figures(recorded: dict[str, Any]) -> None:
    found = forecast(msgspec.convert(recorded["seen"], Seen))
    if found is None:
        assert recorded["forecast"] is None
        return
    for name, figure in msgspec.to_builtins(found).items():
        expected = recorded["forecast"][name]
        assert figure == (expected if expected is None else pytest.approx(expected, rel=1e-9)), name
