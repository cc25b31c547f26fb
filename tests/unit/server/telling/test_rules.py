from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from federated_pneumonia_detection.hub.state import RunState
from federated_pneumonia_detection.server.telling.rules import Rule, crossed, happened, measured, rule_of

RUN = RunState("run-1", experiment_name="baseline", status="running", sentence="Training epoch 3.")


def told(words: str, state: RunState, **more: Any) -> list[str]:
    return [fired.title for fired in happened([rule_of(words, **more)], state)]


def epoch(at: int, **metrics: float | None) -> dict[str, Any]:
    time = f"2026-01-01T00:00:{at:02d}+00:00"
    return {"type": "epoch_end", "run_id": "run-1", "epoch": at, "phase": "val", "metrics": metrics, "timestamp": time}


def lines(rule: Rule, *messages: dict[str, Any], state: RunState = RUN) -> list[str]:
    return [fired.text for fired in crossed([rule], state, [each for said in messages for each in measured(said)])]


@pytest.mark.parametrize(
    ("status", "words"),
    [("completed", "finished"), ("failed", "failed"), ("cancelled", "stopped"), ("lost", "stalled")],
)
def test_the_end_of_a_run_is_told_by_the_rule_of_that_end_alone(status: Any, words: str) -> None:
    ended = replace(RUN, status=status)
    assert {each: told(each, ended) for each in ("finished", "failed", "stopped", "stalled")} == {
        each: [each.capitalize()] if each == words else [] for each in ("finished", "failed", "stopped", "stalled")
    }


def test_a_run_of_which_nothing_is_heard_has_stalled_before_it_is_given_up() -> None:
    assert told("stalled", RUN) == []
    assert told("stalled", replace(RUN, condition="lost_contact")) == ["Stalled"]


def test_what_was_told_of_an_attempt_is_not_told_again_and_of_the_next_attempt_it_is() -> None:
    failed = replace(RUN, status="failed")
    (fired,) = happened([rule_of("failed")], failed)
    again = replace(failed, told=(fired.about,))

    assert told("failed", again) == []
    assert told("failed", replace(again, attempt=2)) == ["Failed"]


def test_what_ended_before_the_rule_was_made_is_not_told() -> None:
    ended = replace(RUN, status="completed", heard="2026-01-01T00:00:10+00:00")
    assert told("finished", ended, since="2026-01-01T00:00:11+00:00") == []
    assert told("finished", ended, since="2026-01-01T00:00:09+00:00") == ["Finished"]


def test_a_rule_for_some_runs_is_held_against_name_experiment_and_id() -> None:
    failed = replace(RUN, status="failed", name="The good one")
    assert [bool(told("failed", failed, runs=pattern)) for pattern in ("base*", "run-?", "The*", "other*")] == [
        True,
        True,
        True,
        False,
    ]


def test_a_line_is_crossed_once_by_the_first_value_beyond_it() -> None:
    values = [epoch(1, val_auroc=0.94), epoch(2, val_auroc=0.953), epoch(3, val_auroc=0.96)]
    assert lines(rule_of("val_auroc > 0.95"), *values) == ["val_auroc is 0.953, which is > 0.95."]


def test_a_value_that_is_no_number_or_on_the_line_crosses_nothing() -> None:
    assert lines(rule_of("val_loss < 0.1"), epoch(1, val_loss=None), epoch(2, val_loss=0.1)) == []
    assert lines(rule_of("val_loss <= 0.1"), epoch(2, val_loss=0.1)) == ["val_loss is 0.1, which is <= 0.1."]


def test_a_crossing_before_the_rule_was_made_is_not_told_and_the_next_value_is() -> None:
    rule = rule_of("val_auroc > 0.9", since="2026-01-01T00:00:02+00:00")
    assert lines(rule, epoch(1, val_auroc=0.99)) == []
    assert lines(rule, epoch(1, val_auroc=0.99), epoch(3, val_auroc=0.98)) == ["val_auroc is 0.98, which is > 0.9."]


def test_what_a_hospital_measured_of_its_own_crosses_no_line() -> None:
    assert lines(rule_of("val_auroc > 0.9"), {**epoch(1, val_auroc=0.99), "client_id": "hospital_0"}) == []


def test_a_global_model_and_a_test_result_cross_lines_too() -> None:
    told_round = {"type": "round_aggregated", "run_id": "run-1", "round": 4, "metrics": {"val_auroc": 0.97}}
    told_end = {"type": "training_complete", "run_id": "run-1", "final_metrics": {"test_auroc": 0.95}}
    rules = [rule_of("val_auroc > 0.9"), rule_of("test_auroc > 0.9")]
    values = [*measured(told_round), *measured(told_end)]
    assert [fired.title for fired in crossed(rules, RUN, values)] == [
        "Validation AUROC 0.970 at round 4",
        "Test AUROC 0.950 at the end",
    ]


def test_the_same_words_in_another_spelling_are_the_same_rule() -> None:
    assert rule_of("val_auroc>0.950").id == rule_of(" val_auroc  >  .95 ").id != rule_of("val_auroc >= 0.95").id
    assert rule_of("Finished") == rule_of("finished")


@pytest.mark.parametrize("words", ["", "val_auroc", "> 0.9", "val_auroc > x", "val_auroc == 1", "9 > 8", "finished!"])
def test_words_that_are_no_rule_are_refused_with_one_that_is(words: str) -> None:
    with pytest.raises(ValueError, match=r"val_auroc > 0\.95"):
        rule_of(words)
