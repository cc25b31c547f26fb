from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federated_pneumonia_detection.hub.fold import fold, fold_all
from federated_pneumonia_detection.hub.state import Best, RunState, ended

RECORDINGS = sorted((Path(__file__).parents[2] / "recordings").glob("*.jsonl"))


def at(second: float) -> str:
    return f"2026-11-24T10:{int(second // 60):02}:{second % 60:09.6f}+00:00"


def folded(*messages: dict[str, Any]) -> RunState:
    """Messages a second apart, where they have no time of their own."""
    return fold_all("run", [{"timestamp": at(number), **message} for number, message in enumerate(messages)])


START = {"type": "run_start", "experiment_name": "exp", "mode": "centralized", "attempt": 1}


def client(name: str, type_: str, **fields: Any) -> dict[str, Any]:
    return {"type": type_, "client_id": name, **fields}


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
@settings(deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_order_between_writers_changes_nothing(path: Path, seed: int) -> None:
    messages = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    writers: dict[str, list[dict[str, Any]]] = {}
    for message in messages:
        # A recording does not say who wrote: a client, the hub, or the run's leader in one of its attempts.
        by_hub = "about" in message or message["type"] in ("run_queued", "run_edited")
        attempt = len([m for m in writers.get("leader", []) if m["type"] == "run_start"])
        writers.setdefault("hub" if by_hub else message.get("client_id") or "leader", []).append(message)
        assert attempt <= 2
    rng = random.Random(seed)
    shuffled: list[dict[str, Any]] = []
    rest = [list(its) for its in writers.values()]
    while rest := [its for its in rest if its]:
        shuffled.append(rng.choice(rest).pop(0))

    assert fold_all("run", shuffled) == fold_all("run", messages)


def test_bytes_moved_are_summed_by_client_and_for_the_run_and_what_is_no_count_adds_nothing() -> None:
    state = folded(
        START,
        client("a", "round_start", round=1),
        client("a", "round_end", round=1, bytes_down=1000, bytes_up=900),
        client("a", "round_end", round=1, bytes_down=10, bytes_up=9),
        client("b", "round_end", round=1, bytes_down="much", bytes_up=-5),
        client("b", "client_failed", round=2, error="gone", bytes_down=100),
        {"type": "round_end", "round": 1, "bytes_down": 7, "bytes_up": 7},
    )
    assert (state.bytes_down, state.bytes_up) == (1110, 909)
    assert [(each.bytes_down, each.bytes_up) for each in state.clients] == [(1010, 909), (100, None)]
    assert folded(START).bytes_up is None


def test_a_run_goes_from_queued_over_started_to_running() -> None:
    queued = {"type": "run_queued", "experiment_name": "exp", "mode": "centralized", "total_epochs": 3}
    assert folded(queued).status == "queued"
    assert folded(queued, START).status == "started"
    state = folded(queued, START, {"type": "epoch_start", "epoch": 1, "total_epochs": 3})
    assert (state.status, state.epoch, state.total_epochs) == ("running", 1, 3)


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ({"type": "training_complete", "final_metrics": {}}, "completed"),
        ({"type": "training_error", "error": "out of memory"}, "failed"),
        ({"type": "training_cancelled", "by": "an operator", "reason": "enough"}, "cancelled"),
    ],
)
def test_a_late_message_enriches_history_and_never_reopens(end: dict[str, Any], status: str) -> None:
    late = {"type": "epoch_end", "epoch": 3, "phase": "val", "metrics": {"val_auroc": 0.9}}
    state = folded(START, {"type": "epoch_start", "epoch": 3, "total_epochs": 3}, end, late)
    assert ended(state)
    assert (state.status, state.metrics, state.end_time) == (status, {"val_auroc": 0.9}, at(2))


def test_a_new_attempt_reopens_and_starts_from_nothing_but_keeps_what_people_gave() -> None:
    state = folded(
        START,
        {"type": "epoch_end", "epoch": 5, "phase": "val", "metrics": {"val_auroc": 0.9}},
        {"type": "run_edited", "name": "mine", "tags": ["a"]},
        {"type": "training_error", "error": "killed"},
        {**START, "attempt": 2},
    )
    assert (state.status, state.attempt, state.epoch, state.metrics, state.error) == ("started", 2, 0, {}, None)
    assert (state.name, state.tags) == ("mine", ("a",))


def test_a_stop_asked_of_a_new_attempt_is_kept_also_when_it_is_read_before_its_first_message() -> None:
    asked = {"type": "alert", "level": "info", "title": "Stop", "text": "asked", "about": "cancel"}
    again = {**START, "attempt": 2}
    of_this_one = folded(START, {**asked, "timestamp": at(9)}, {**again, "timestamp": at(8)})
    assert of_this_one.cancel_asked == at(9)
    of_the_one_before = folded(START, {**asked, "timestamp": at(7)}, {**again, "timestamp": at(8)})
    assert of_the_one_before.cancel_asked is None


def test_an_attempts_end_holds_also_when_it_is_read_before_its_beginning_or_dated_before_it() -> None:
    # The hub's word of a death stands in a journal of its own; with a clock ahead in the training, its time is earlier.
    death = {"type": "training_error", "error": "killed", "about": "death:w", "attempt": 2, "timestamp": at(5)}
    again = {**START, "attempt": 2, "timestamp": at(9)}
    for order in ([START, again, death], [START, death, again]):
        state = folded(*order)
        assert (state.attempt, state.status, state.error, state.begun) == (2, "failed", "killed", at(9))
    late = {**death, "attempt": 1}
    for order in ([START, again, late], [START, late, again]):
        assert folded(*order).status == "started"


def test_an_end_with_a_client_ends_that_clients_part_only() -> None:
    state = folded(
        {**START, "mode": "federated"},
        client("a", "round_start", round=1, total_rounds=2),
        client("a", "training_error", error="no disk"),
    )
    assert state.status == "running"
    assert state.clients[0].end is not None
    assert state.clients[0].end.error == "no disk"


def test_where_only_clients_log_the_run_ends_with_the_last_of_them() -> None:
    one = [client("a", "round_start", round=1, total_rounds=1), client("a", "round_end", round=1)]
    two = [client("b", "round_start", round=1, total_rounds=1), client("b", "round_end", round=1)]
    assert folded(*one).status == "completed"
    assert folded(*one, two[0]).status == "running"
    assert folded(*one, *two).status == "completed"


def test_where_only_clients_log_and_all_fail_the_run_has_failed_and_says_why() -> None:
    state = folded(
        client("a", "round_start", round=1, total_rounds=2),
        client("a", "training_error", error="first"),
        client("b", "round_start", round=1, total_rounds=2),
        {"type": "client_failed", "client_id": "b", "round": 1, "error": "second"},
    )
    assert (state.status, state.error) == ("failed", "first")


def test_a_client_that_failed_and_comes_back_in_a_later_round_is_training_again() -> None:
    state = folded(
        client("a", "round_start", round=1, total_rounds=3),
        {"type": "client_failed", "client_id": "a", "round": 1, "error": "why"},
        client("a", "round_start", round=2, total_rounds=3),
    )
    assert state.status == "running"
    assert (state.clients[0].end, state.rounds_with_failures) == (None, (1,))


def test_a_lost_run_that_is_heard_again_is_not_lost() -> None:
    lost = {"type": "alert", "about": "lost:7", "text": "nothing heard"}
    epoch = {"type": "epoch_start", "epoch": 1, "total_epochs": 2}
    assert folded(START, epoch, lost).status == "lost"
    assert folded(START, epoch, lost, {"type": "epoch_start", "epoch": 2, "total_epochs": 2}).status == "running"


def test_the_best_epoch_is_the_first_of_equals_and_less_loss_is_better() -> None:
    def val(epoch: int, **metrics: float) -> dict[str, Any]:
        return {"type": "epoch_end", "epoch": epoch, "phase": "val", "metrics": metrics}

    assert folded(START, val(1, val_auroc=0.8), val(2, val_auroc=0.9), val(3, val_auroc=0.9)).best == Best(
        "val_auroc", 0.9, 2
    )
    assert folded(START, val(1, val_loss=0.4), val(2, val_loss=0.3), val(3, val_loss=0.5)).best == Best(
        "val_loss", 0.3, 2
    )


def test_what_is_missing_is_a_gap_in_the_sparkline() -> None:
    state = folded(
        START,
        {"type": "epoch_end", "epoch": 1, "phase": "val", "metrics": {"val_auroc": 0.8}},
        {"type": "epoch_end", "epoch": 2, "phase": "val", "metrics": {"val_auroc": None}},
    )
    assert state.key_series == ((1, 0.8), (2, None))


@pytest.mark.parametrize("wrong", [None, "ten", -1, 1.5, True, [], {}, 1e300])
@pytest.mark.parametrize(
    "type_",
    ["run_start", "epoch_start", "epoch_end", "step", "round_start", "round_end", "round_aggregated", "alert"],
)
def test_no_message_of_anybody_breaks_the_fold(type_: str, wrong: Any) -> None:
    names = ("epoch", "round", "step", "total_epochs", "total_rounds", "metrics", "eval_metrics", "config", "data")
    fields = dict.fromkeys((*names, "timestamp", "failed_clients", "tags", "about", "attempt", "phase"), wrong)
    state = fold(folded(START), {"type": type_, "client_id": "c", **fields})
    assert fold(state, {"type": type_, **fields}).run_id == "run"


def test_a_failure_that_is_told_late_does_not_undo_a_later_round_and_the_clients_own_word_says_most() -> None:
    said = [
        client("a", "round_start", round=1, total_rounds=3),
        client("a", "training_error", round=1, error="no disk"),
        client("a", "round_start", round=2, total_rounds=3),
        {"type": "client_failed", "client_id": "a", "round": 1, "error": "it does not answer"},
    ]
    for order in (said, [said[3], *said[:3]]):
        (found,) = folded(*order).clients
        assert (found.end, found.failed_round, found.error) == (None, 1, "no disk")


def test_an_error_that_names_no_round_is_of_the_round_the_client_was_in_by_its_own_clock() -> None:
    first = [
        client("a", "round_start", round=1, timestamp=at(1)),
        client("a", "training_error", error="x", timestamp=at(2)),
    ]
    again = [client("a", "round_start", round=2, timestamp=at(3))]
    for order in ([*first, *again], [*again, *first]):
        (found,) = folded(*order).clients
        assert (found.failed_round, found.end) == (1, None)
    (alone,) = folded(*first).clients
    assert alone.end is not None
    assert (alone.end.status, alone.failed_round) == ("failed", 1)


def test_who_sent_the_last_round_has_ended_well_whatever_is_said_of_it_later() -> None:
    sent = [client("a", "round_start", round=1, total_rounds=1), client("a", "round_end", round=1)]
    failed = {"type": "client_failed", "client_id": "a", "round": 1, "error": "it does not answer"}
    for order in ([*sent, failed], [failed, *sent]):
        (found,) = folded(*order).clients
        assert found.end is not None
        assert found.end.status == "completed"


def test_only_the_newest_rounds_are_kept_and_the_last_sent_one_is_known_all_the_same() -> None:
    sent = [client("a", "round_end", round=1, eval_metrics={"num_samples": 7})]
    begun = [client("a", "round_start", round=round_) for round_ in range(2, 12)]
    (found,) = folded(*sent, *begun).clients
    assert [one.number for one in found.rounds] == [6, 7, 8, 9, 10, 11]
    assert (found.sent_round, found.num_samples) == (1, 7)


def test_hospitals_stand_in_the_order_of_their_names() -> None:
    names = ["h10", "h2", "a", "h02", "B"]
    assert [each.client_id for each in folded(*(client(name, "round_start", round=1) for name in names)).clients] == [
        "B",
        "a",
        "h02",
        "h2",
        "h10",
    ]


def test_what_is_withheld_is_known_of_each_hospital_with_its_newest_reason() -> None:
    told = [
        client("a", "round_end", round=2, withheld={"val_auroc": "n 8 < 20"}),
        client("a", "round_end", round=1, withheld={"val_auroc": "n 7 < 20", "text of alerts": "free text"}),
        client("a", "withheld", withheld={"steps": "none leaves", "odd": 7}),
        {"type": "withheld", "withheld": {"events of its own": "free text"}},
        {"type": "withheld", "client_id": "b", "withheld": "nothing"},
    ]
    state = folded(*told)
    assert [(one.what, one.why, one.at) for one in state.clients[0].withheld] == [
        ("steps", "none leaves", 0),
        ("text of alerts", "free text", 1),
        ("val_auroc", "n 8 < 20", 2),
    ]
    assert [(one.what, one.why) for one in state.withheld] == [("events of its own", "free text")]
    assert state.clients[1].withheld == ()
    many = [client("a", "withheld", withheld={f"{number:03}": "w"}) for number in range(80)]
    assert [one.what for one in folded(*reversed(many)).clients[0].withheld] == [f"{number:03}" for number in range(50)]


def test_what_the_machine_does_changes_nothing_and_is_no_sign_of_life() -> None:
    before = folded(START, {"type": "epoch_start", "epoch": 2, "total_epochs": 5})
    machine = {"type": "step", "phase": "system", "epoch": None, "step": None, "metrics": {"cpu_percent": 99.0}}

    assert fold(before, {**machine, "timestamp": at(3000), "row": 1}) == before
    assert fold(before, {**machine, "timestamp": at(3000), "row": 1, "client_id": "ward"}) == before
