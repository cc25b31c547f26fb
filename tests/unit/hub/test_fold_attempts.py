"""A run that goes on from an epoch or a round: one curve, whatever is superseded kept, in whichever order it comes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_pneumonia_detection.hub.fold import Folding, fold_all
from federated_pneumonia_detection.hub.state import Best, RunState

Message = dict[str, Any]


def at(second: float) -> str:
    return (datetime(2026, 11, 24, 10, tzinfo=UTC) + timedelta(seconds=second)).isoformat()


def attempt(number: int, first: int, last: int, *, goes_on: bool = True, begins_at: float = 0.0) -> list[Message]:
    """What a centralised attempt says of its epochs; every message of a later attempt says which it is."""
    mark = {} if number == 1 else {"attempt": number}
    said: list[Message] = [
        {"type": "run_start", "experiment_name": "exp", "mode": "centralized", "attempt": number, "total_epochs": 10}
    ]
    if number > 1 and goes_on:
        said[0]["from_epoch"] = first - 1
    for epoch in range(first, last + 1):
        metrics = {"val_auroc": round(0.5 + epoch / 100 + number / 1000, 4), "val_loss": 1 / epoch}
        said += [
            {"type": "epoch_start", "epoch": epoch, "total_epochs": 10, **mark},
            {"type": "epoch_end", "epoch": epoch, "phase": "train", "metrics": {}, **mark},
            {"type": "epoch_end", "epoch": epoch, "phase": "val", "metrics": metrics, **mark},
        ]
    return [{"timestamp": at(begins_at + n), **message} for n, message in enumerate(said)]


def curve(state: RunState) -> list[tuple[int, float | None]]:
    return list(state.key_series)


def test_going_on_from_epoch_5_after_7_gives_one_curve_and_keeps_the_rest() -> None:
    died = {"type": "training_error", "error": "killed", "about": "death:w", "timestamp": at(90)}
    state = fold_all("run", [*attempt(1, 1, 7), died, *attempt(2, 6, 10, begins_at=100)])

    assert curve(state) == [(e, round(0.5 + e / 100 + (0.001 if e <= 5 else 0.002), 4)) for e in range(1, 11)]
    assert (state.attempt, state.epoch, state.status, state.metrics_at) == (2, 10, "running", 10)
    first, second = state.attempts
    assert (first.attempt, first.from_, first.reached, first.kept, first.how, first.ended) == (
        1,
        None,
        7,
        5,
        "failed",
        at(90),
    )
    assert (second.attempt, second.from_, second.reached, second.kept, second.how) == (2, 5, 10, 10, None)
    assert [epoch for epoch, _ in first.key_series] == [1, 2, 3, 4, 5, 6, 7]


def test_before_its_first_epoch_an_attempt_stands_where_it_goes_on_from() -> None:
    state = fold_all("run", [*attempt(1, 1, 7), *attempt(2, 6, 5, begins_at=100)])
    assert (state.status, state.epoch, state.metrics, state.metrics_at) == ("started", 5, {"val_auroc": 0.551}, 5)
    assert state.best == Best("val_auroc", 0.551, 5)
    whole = fold_all("run", [*attempt(1, 1, 5), *attempt(2, 6, 5, begins_at=100)])
    assert (whole.metrics, whole.metrics_at) == ({"val_auroc": 0.551, "val_loss": 0.2}, 5)


def test_the_best_is_of_the_curve_and_not_of_what_is_superseded() -> None:
    better = [{**m, "metrics": {"val_auroc": 0.99}} if m.get("epoch") == 7 else m for m in attempt(1, 1, 7)]
    state = fold_all("run", [*better, *attempt(2, 6, 8, begins_at=100)])
    assert state.best == Best("val_auroc", 0.582, 8)


def test_an_attempt_that_does_not_say_from_where_supersedes_all() -> None:
    state = fold_all("run", [*attempt(1, 1, 4), *attempt(2, 1, 2, goes_on=False, begins_at=100)])
    assert [epoch for epoch, _ in curve(state)] == [1, 2]
    assert [(a.attempt, a.reached, a.kept) for a in state.attempts] == [(1, 4, 0), (2, 2, 2)]


def test_a_third_attempt_may_go_back_before_the_second() -> None:
    said = [*attempt(1, 1, 7), *attempt(2, 6, 8, begins_at=100), *attempt(3, 4, 6, begins_at=200)]
    state = fold_all("run", said)
    assert curve(state) == [(1, 0.511), (2, 0.521), (3, 0.531), (4, 0.543), (5, 0.553), (6, 0.563)]
    assert [(a.attempt, a.kept) for a in state.attempts] == [(1, 3), (2, 3), (3, 6)]


def test_a_third_attempt_may_keep_of_the_second() -> None:
    said = [*attempt(1, 1, 7), *attempt(2, 6, 8, begins_at=100), *attempt(3, 8, 8, begins_at=200)]
    state = fold_all("run", said)
    assert curve(state)[4:] == [(5, 0.551), (6, 0.562), (7, 0.572), (8, 0.583)]
    assert [(a.attempt, a.kept) for a in state.attempts] == [(1, 5), (2, 7), (3, 8)]


def client(number: int, name: str, rounds: range, *, begins_at: float) -> list[Message]:
    mark = {} if number == 1 else {"attempt": number}
    said: list[Message] = []
    for round_ in rounds:
        said += [
            {"type": "round_start", "round": round_, "total_rounds": 4},
            {"type": "local_epoch", "round": round_, "local_epoch": 1, "metrics": {}},
            {"type": "round_end", "round": round_, "fit_metrics": {}, "eval_metrics": {"num_samples": 9}},
        ]
    return [{"timestamp": at(begins_at + n), "client_id": name, **mark, **each} for n, each in enumerate(said)]


def server(number: int, rounds: range, *, begins_at: float, failed: int | None = None) -> list[Message]:
    mark = {} if number == 1 else {"attempt": number}
    said: list[Message] = [{"type": "run_start", "mode": "federated", "attempt": number, "total_rounds": 4}]
    if number > 1:
        said[0]["from_round"] = rounds.start - 1
    for round_ in rounds:
        aggregate = {"round": round_, "metrics": {"val_auroc": 0.6 + round_ / 10 + number / 100, "num_samples": 18}}
        lost = {"failed_clients": ["b"]} if round_ == failed else {}
        said += [
            {"type": "round_start", "round": round_, "total_rounds": 4, **mark},
            {"type": "round_aggregated", "num_clients": 2, **aggregate, **lost, **mark},
        ]
    return [{"timestamp": at(begins_at + n), **each} for n, each in enumerate(said)]


def test_rounds_go_on_as_epochs_do() -> None:
    said = [
        *server(1, range(1, 4), begins_at=0, failed=3),
        *client(1, "a", range(1, 4), begins_at=0.5),
        *server(2, range(3, 5), begins_at=100),
        *client(2, "a", range(3, 4), begins_at=100.5),
    ]
    state = fold_all("run", said)
    assert [(at_, round(value or 0, 2)) for at_, value in curve(state)] == [(1, 0.71), (2, 0.81), (3, 0.92), (4, 1.02)]
    assert (state.round, state.aggregated_round, state.rounds_with_failures) == (4, 4, ())
    assert [(c.client_id, c.round, c.sent_round) for c in state.clients] == [("a", 3, 3)]
    assert [(a.from_, a.reached, a.kept) for a in state.attempts] == [(None, 3, 2), (2, 4, 4)]


JOURNALS = [
    [attempt(1, 1, 3), attempt(2, 3, 5, begins_at=-60), attempt(3, 5, 6, begins_at=30)],
    [attempt(1, 1, 4), attempt(2, 1, 2, begins_at=100), [{"type": "run_edited", "name": "x", "timestamp": at(3)}]],
    [
        server(1, range(1, 4), begins_at=0, failed=2),
        client(1, "a", range(1, 4), begins_at=1),
        client(1, "b", range(1, 3), begins_at=2),
        server(2, range(2, 5), begins_at=1.5, failed=4),
        client(2, "a", range(2, 4), begins_at=-9),
        client(2, "b", range(2, 4), begins_at=200),
        [
            {"type": "alert", "about": "cancel", "timestamp": at(2)},
            {"type": "training_error", "error": "killed", "about": "death:1", "timestamp": at(2.5)},
            {"type": "client_failed", "client_id": "a", "round": 4, "error": "x", "attempt": 2, "timestamp": at(3)},
            {"type": "training_error", "error": "again", "about": "death:2", "attempt": 2, "timestamp": at(4)},
        ],
    ],
]


@pytest.mark.parametrize("journals", JOURNALS, ids=["three attempts", "from the start", "federated"])
@given(seed=st.integers(0, 1_000_000))
def test_no_order_between_writers_and_no_clock_changes_what_it_comes_to(
    seed: int, journals: Sequence[Sequence[Message]]
) -> None:
    in_order = fold_all("run", [message for journal in journals for message in journal])
    rng = random.Random(seed)
    rest = [list(journal) for journal in journals]
    folding = Folding(RunState("run"))
    while rest := [journal for journal in rest if journal]:
        folding.take(rng.choice(rest).pop(0))
        if rng.random() < 0.1:
            # From a state that somebody asked for it goes on the same, also where it was sent as JSON.
            folding = Folding(msgspec.json.decode(msgspec.json.encode(folding.state()), type=RunState))
    assert folding.state() == in_order


@pytest.mark.parametrize("wrong", [None, "two", -1, 0, True, [], 1e300, 2.5])
def test_an_attempt_that_is_no_number_breaks_nothing(wrong: Any) -> None:
    start = {"type": "run_start", "attempt": wrong, "from_epoch": wrong, "from_round": wrong, "timestamp": at(0)}
    state = fold_all("run", [*attempt(1, 1, 2), *attempt(2, 2, 3, begins_at=50), start])
    assert (state.run_id, state.attempt >= 2) == ("run", True)
