"""What is left of a run, from its messages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from federated_pneumonia_detection.hub.fold import fold_all
from federated_pneumonia_detection.hub.time_left import time_left, time_left_words
from federated_pneumonia_detection.hub.waits import Waits, waited_s, with_wait

BEGIN = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def at(second: float) -> str:
    return (BEGIN + timedelta(seconds=second)).isoformat()


def messages(epochs: int, of: int, length_s: float) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = [
        {"type": "run_start", "timestamp": at(0), "experiment_name": "x", "mode": "centralized", "total_epochs": of}
    ]
    for epoch in range(1, epochs + 1):
        begun = (epoch - 1) * length_s
        told.append({"type": "epoch_start", "timestamp": at(begun), "epoch": epoch, "total_epochs": of})
        told.append(
            {
                "type": "epoch_end",
                "timestamp": at(begun + 0.9 * length_s),
                "epoch": epoch,
                "total_epochs": of,
                "phase": "val",
                "metrics": {"val_loss": 1 / epoch},
            }
        )
    return told


def test_a_median_and_a_bound_in_words() -> None:
    state = fold_all("run", messages(5, 10, 120.0))
    left = time_left(state, BEGIN.timestamp() + 590)
    assert left is not None
    assert 580 < left.run_p50_s < 700
    assert time_left_words(state, left) == "About 10 min left (90 % within 12 min)."


def test_nothing_is_forecast_of_a_run_that_is_paused_or_over() -> None:
    told = messages(5, 10, 120.0)
    paused = {"type": "training_paused", "timestamp": at(600), "by": "olga", "reason": None}
    over = {"type": "training_complete", "timestamp": at(600), "final_metrics": {}}
    assert time_left(fold_all("run", told), BEGIN.timestamp() + 600) is not None
    assert time_left(fold_all("run", [*told, paused]), BEGIN.timestamp() + 600) is None
    assert time_left(fold_all("run", [*told, over]), BEGIN.timestamp() + 600) is None


def test_the_time_in_which_a_run_was_paused_is_no_part_of_its_epoch() -> None:
    told = messages(5, 10, 120.0)
    hour = 3600
    paused = {"type": "training_paused", "timestamp": at(500), "by": "olga", "reason": None}
    resumed = {"type": "training_resumed", "timestamp": at(500 + hour), "by": "olga"}
    closed = {**told[-1], "timestamp": at(588 + hour)}
    never = time_left(fold_all("run", told), BEGIN.timestamp() + 590)
    once = time_left(fold_all("run", [*told[:-1], paused, resumed, closed]), BEGIN.timestamp() + 590 + hour)
    assert never is not None
    assert once is not None
    assert abs(once.run_p50_s - never.run_p50_s) < 6
    assert abs(once.run_p90_s - never.run_p90_s) < 6


def test_a_pause_is_counted_once_in_whatever_order_it_is_read() -> None:
    marks = [(at(10), False), (at(70), True), (at(200), False), (at(230), True), (at(300), False)]
    forwards: Waits = ()
    backwards: Waits = ()
    for time, goes_on in marks:
        forwards = with_wait(with_wait(forwards, time, goes_on), time, goes_on)
    for time, goes_on in reversed(marks):
        backwards = with_wait(backwards, time, goes_on)
    assert forwards == backwards
    begin = BEGIN.timestamp()
    assert waited_s(forwards, begin, begin + 400) == 90, "the last one has no end yet"
    assert waited_s(forwards, begin + 60, begin + 210) == 20
