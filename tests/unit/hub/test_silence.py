"""Of whom nothing is heard any more, and who is heard again: writers on other machines, for whom somebody vouches."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from federated_pneumonia_detection.hub.fold import fold, fold_all
from federated_pneumonia_detection.hub.state import RunState
from federated_pneumonia_detection.hub.verdicts import Verdict, Witness, verdicts

NOW = 1_000_000.0


def at(before_s: float) -> str:
    return datetime.fromtimestamp(NOW - before_s, UTC).isoformat()


START = {"type": "run_start", "timestamp": at(1000), "experiment_name": "exp", "mode": "federated"}


def begins(client_id: str, before_s: float = 900.0, round_: int = 1) -> dict[str, Any]:
    return {
        "type": "round_start",
        "timestamp": at(before_s),
        "client_id": client_id,
        "round": round_,
        "total_rounds": 9,
    }


def there(client_id: str | None, silent_s: float, **facts: Any) -> Witness:
    """A writer on another machine."""
    known: dict[str, Any] = {
        "writer": f"w-{client_id}",
        "client_id": client_id,
        "alive": True,
        "died": False,
        "remote": True,
        "pid": 7,
        "host": "ward",
        "heard_at": NOW - silent_s,
        "directory": "/logs",
    }
    return Witness(**{**known, **facts})


def here(client_id: str | None) -> Witness:
    return there(client_id, 900.0, remote=False, host="here")


def said(found: list[Verdict]) -> list[tuple[str, str | None]]:
    return [(verdict.body["title"], verdict.body.get("client_id")) for verdict in found]


def after(state: RunState, *found: Verdict, before_s: float) -> RunState:
    """The state when the hub has said it."""
    messages = [{**verdict.body, "about": verdict.about, "timestamp": at(before_s)} for verdict in found]
    for message in messages:
        state = fold(state, message)
    return state


LOST_RUN, LOST_A = ("Nothing more is heard of this run", None), ("Nothing more is heard of a", "a")


@pytest.mark.parametrize(("silent_s", "expected"), [(59.0, []), (61.0, [LOST_RUN])])
def test_a_run_of_which_nothing_is_heard_for_a_minute_is_lost(silent_s: float, expected: list[Any]) -> None:
    run = fold_all("run", [START])
    assert said(verdicts(run, [there(None, silent_s)], now=NOW)) == expected


def test_a_run_led_from_here_is_not_lost_with_a_hospital_of_it() -> None:
    run = fold_all("run", [START, begins("a"), begins("b")])
    assert said(verdicts(run, [here(None), there("a", 61), there("b", 10)], now=NOW)) == [LOST_A]


def test_a_run_whose_leader_is_silent_is_lost_though_hospitals_are_heard() -> None:
    run = fold_all("run", [START, begins("a")])
    assert said(verdicts(run, [there(None, 61), there("a", 10)], now=NOW)) == [LOST_RUN]


def test_a_run_of_hospitals_alone_goes_on_as_long_as_one_is_heard() -> None:
    run = fold_all("run", [begins("a"), begins("b")])
    assert said(verdicts(run, [there("a", 61), there("b", 10)], now=NOW)) == [LOST_A]
    assert said(verdicts(run, [there("a", 61), there("b", 62)], now=NOW)) == [LOST_RUN]


def test_who_sees_one_hospital_of_a_run_led_elsewhere_does_not_judge_the_run() -> None:
    run = fold_all("run", [START, begins("a")])
    assert said(verdicts(run, [there("a", 10_000, alive=False)], now=NOW)) == []
    assert said(verdicts(run, [there("a", 61)], now=NOW)) == [LOST_A]


def test_who_sees_one_hospital_of_several_believes_what_another_server_hears() -> None:
    run = fold_all("run", [begins("a"), begins("b", before_s=5)])
    assert said(verdicts(run, [there("a", 61)], now=NOW)) == [LOST_A]
    silent = fold_all("run", [begins("a"), begins("b", before_s=70)])
    assert said(verdicts(silent, [there("a", 61)], now=NOW)) == [LOST_RUN]


def test_a_hospital_that_has_done_its_part_is_not_missed() -> None:
    done = {
        "type": "round_end",
        "timestamp": at(800),
        "client_id": "a",
        "round": 9,
        "fit_metrics": {},
        "eval_metrics": {},
    }
    run = fold_all("run", [START, begins("a", round_=9), done])
    assert verdicts(run, [here(None), there("a", 10_000)], now=NOW) == []


def test_a_silence_is_told_once_and_its_end_once() -> None:
    run = fold_all("run", [START])
    lost = verdicts(run, [there(None, 100)], now=NOW)
    run = after(run, *lost, before_s=40)
    assert run.status == "lost"
    assert verdicts(run, [there(None, 100)], now=NOW) == []

    again = verdicts(run, [there(None, 5)], now=NOW)
    assert said(again) == [("Heard again", None)]
    run = after(run, *again, before_s=4)
    assert run.status == "started"
    assert verdicts(run, [there(None, 5)], now=NOW) == []

    later = verdicts(run, [there(None, 5)], now=NOW + 100)
    assert said(later) == [LOST_RUN]


def test_a_hospital_is_heard_again_too() -> None:
    run = fold_all("run", [START, begins("a")])
    run = after(run, *verdicts(run, [here(None), there("a", 100)], now=NOW), before_s=40)
    assert run.clients[0].lost is not None
    again = verdicts(run, [here(None), there("a", 5)], now=NOW)
    assert said(again) == [("Heard again", "a")]
    run = after(run, *again, before_s=4)
    assert verdicts(run, [here(None), there("a", 5)], now=NOW) == []


def test_a_message_is_a_sign_of_life_by_the_clock_of_whoever_got_it() -> None:
    run = fold_all("run", [START, begins("a")])
    run = after(run, *verdicts(run, [there(None, 100)], now=NOW), before_s=40)
    behind = {**begins("a", before_s=100_000, round_=2), "received": at(3)}
    assert fold(run, {**behind, "received": at(50)}).status == "lost"
    assert fold(run, behind).status == "running"


def test_a_death_is_told_also_of_who_was_lost() -> None:
    run = fold_all("run", [START])
    run = after(run, *verdicts(run, [there(None, 100)], now=NOW), before_s=40)
    (found,) = verdicts(run, [there(None, 100, alive=False, died=True)], now=NOW)
    assert found.body["error"] == "The training process (pid 7 on ward) was killed or crashed."
    assert after(run, found, before_s=1).status == "failed"
