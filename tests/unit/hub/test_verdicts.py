from __future__ import annotations

from typing import Any

import pytest

from federated_pneumonia_detection.hub.fold import fold_all
from federated_pneumonia_detection.hub.state import RunState
from federated_pneumonia_detection.hub.times import seconds
from federated_pneumonia_detection.hub.verdicts import ExitReport, Verdict, Witness, verdicts

NOW = 1_000_000.0
START = "1970-01-12T13:00:00+00:00"


def state(*messages: dict[str, Any]) -> RunState:
    start = {"type": "run_start", "timestamp": START, "experiment_name": "exp", "mode": "centralized"}
    return fold_all("run", [start, *({"timestamp": START, **message} for message in messages)])


def witness(writer: str = "w", **facts: Any) -> Witness:
    known = {
        "client_id": None,
        "alive": True,
        "died": False,
        "remote": False,
        "pid": 42,
        "host": "here",
        "heard_at": NOW - 1,
        "directory": "/logs",
    }
    return Witness(writer=writer, **{**known, **facts})


DEAD: dict[str, Any] = {"alive": False, "died": True}
CLOSED: dict[str, Any] = {"alive": False, "died": False}


def types(found: list[Verdict]) -> list[str]:
    return [verdict.body["type"] for verdict in found]


def test_of_a_living_run_there_is_nothing_to_say() -> None:
    assert verdicts(state(), [witness()], now=NOW) == []


def test_a_copy_of_a_journal_that_lags_behind_is_no_second_writer() -> None:
    # A backup made in the middle of the run has no last line, and its pid is gone once the run is over.
    assert verdicts(state(), [witness(**CLOSED), witness(**DEAD)], now=NOW) == []
    assert verdicts(state(), [witness(**DEAD), witness()], now=NOW) == []
    assert types(verdicts(state(), [witness(**DEAD), witness(remote=True)], now=NOW)) == ["training_error"]


def test_a_clock_set_back_in_the_middle_of_an_attempt_does_not_hide_its_death() -> None:
    again = state({"type": "run_start", "attempt": 2, "timestamp": "1970-01-12T13:30:00+00:00"})
    begun = seconds("1970-01-12T13:30:00+00:00")
    assert begun is not None
    first = witness("first", **DEAD, heard_at=begun - 10, started_at=begun - 60)
    second = witness("second", **DEAD, heard_at=begun - 7200, started_at=begun + 0.02)
    (found,) = verdicts(again, [first, second], now=NOW)
    assert found.about == "death:second"
    assert verdicts(again, [first, second._replace(alive=True, died=False)], now=NOW) == []


def test_a_run_whose_leader_died_has_failed() -> None:
    (found,) = verdicts(state(), [witness(**DEAD)], now=NOW)

    assert found.body["type"] == "training_error"
    assert found.body["error"] == "The training process (pid 42) was killed or crashed."
    assert found.about == "death:w"
    assert found.needs_report


@pytest.mark.parametrize(
    ("report", "error"),
    [
        (ExitReport(code=3), "The training process ended with exit code 3 without a word."),
        (ExitReport(signal=9), "The training process was killed by signal 9 (SIGKILL)."),
        (ExitReport(signal=999), "The training process was killed by signal 999."),
    ],
)
def test_what_its_supervisor_knows_is_told(report: ExitReport, error: str) -> None:
    (found,) = verdicts(state(), [witness(**DEAD)], now=NOW, report=report)
    assert (found.body["error"], found.needs_report) == (error, False)


def test_its_last_lines_are_the_detail() -> None:
    (found,) = verdicts(state(), [witness(**DEAD)], now=NOW, report=ExitReport(code=1, last_lines=("a", "b")))
    assert found.body["detail"] == "a\nb"


def test_a_dead_child_of_a_living_run_is_an_alert() -> None:
    found = verdicts(state(), [witness(), witness("child", **DEAD)], now=NOW)
    assert types(found) == ["alert"]


def test_a_dead_client_has_failed_and_the_run_goes_on() -> None:
    run = state({"type": "round_start", "round": 2, "total_rounds": 3, "client_id": "client_1"})
    found = verdicts(run, [witness(), witness("c", client_id="client_1", **DEAD)], now=NOW)

    assert types(found) == ["client_failed"]
    assert (found[0].body["client_id"], found[0].body["round"]) == ("client_1", 2)


def test_a_client_that_lives_on_in_another_process_has_not_failed() -> None:
    run = state({"type": "round_start", "round": 1, "total_rounds": 3, "client_id": "c"})
    found = verdicts(run, [witness(), witness("c1", client_id="c", **DEAD), witness("c2", client_id="c")], now=NOW)
    assert types(found) == ["alert"]


def test_a_client_that_was_done_may_end_as_it_likes() -> None:
    run = state(
        {"type": "round_start", "round": 1, "total_rounds": 1, "client_id": "c"},
        {"type": "round_end", "round": 1, "client_id": "c"},
    )
    assert verdicts(run, [witness(), witness("c", client_id="c", **DEAD)], now=NOW) == []


def test_when_all_die_at_once_the_run_has_failed_and_that_is_all() -> None:
    run = state({"type": "round_start", "round": 1, "total_rounds": 3, "client_id": "c"})
    found = verdicts(run, [witness(**DEAD), witness("c", client_id="c", **DEAD)], now=NOW)
    assert types(found) == ["training_error"]


@pytest.mark.parametrize("end", ["training_complete", "training_error", "training_cancelled"])
def test_a_run_that_has_ended_may_die(end: str) -> None:
    assert verdicts(state({"type": end, "error": "why"}), [witness(**DEAD)], now=NOW) == []


def test_what_was_told_is_not_told_again() -> None:
    run = state({"type": "alert", "about": "death:child"})
    assert verdicts(run, [witness(), witness("child", **DEAD)], now=NOW) == []


def test_a_death_of_an_earlier_attempt_is_none_of_this_one() -> None:
    begun = "1970-01-12T13:46:39+00:00"  # a second before NOW
    run = state({"type": "run_start", "attempt": 2, "timestamp": begun})
    assert verdicts(run, [witness("old", heard_at=NOW - 100, **DEAD), witness("new")], now=NOW) == []


def test_a_normal_end_without_a_word_is_lost_after_ten_minutes_and_never_an_error() -> None:
    closed = witness(heard_at=NOW - 599, **CLOSED)
    assert verdicts(state(), [closed], now=NOW) == []

    (found,) = verdicts(state(), [closed], now=NOW + 2)

    assert found.body["type"] == "alert"
    lost = fold_all(
        "run", [{"type": "run_start", "timestamp": START}, {**found.body, "about": found.about, "timestamp": START}]
    )
    assert lost.status == "lost"


def test_a_writer_elsewhere_is_lost_after_a_minute_without_a_word() -> None:
    remote = witness(remote=True, host="there", heard_at=NOW - 59)
    assert verdicts(state(), [remote], now=NOW) == []
    (found,) = verdicts(state(), [remote], now=NOW + 2)
    assert "there" in found.body["text"]
