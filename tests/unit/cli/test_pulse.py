from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from federated_pneumonia_detection.cli.pulse import diagnosis, log_findings

NOW = datetime(2026, 11, 24, 20, 0, tzinfo=UTC)


def test_sound_numbers_have_nothing_to_say() -> None:
    sound = {"fpd_hub_top": 120.0, "fpd_hub_viewers": 3.0, "process_open_fds": 20.0, "process_max_fds": 1024.0}
    assert list(diagnosis(sound)) == []


@pytest.mark.parametrize(
    ("name", "value", "state", "words"),
    [
        ("fpd_hub_log_stuck_seconds", 12.2, "bad", "the log has taken no message for 12 s"),
        ("fpd_hub_lag_seconds", 31.0, "bad", "messages reach the log 31 s after they were written"),
        ("fpd_hub_follower_faults_total", 2.0, "bad", "faults in reading the journals, which went on: 2"),
        ("fpd_hub_missing_messages_total", 3.0, "bad", "messages missing in journals: 3"),
        ("fpd_hub_damaged_lines_total", 1.0, "bad", "damaged lines in journals: 1"),
        ("fpd_server_log_lines_unwritten_total", 5.0, "bad", "lines of the server's log that could not be written: 5"),
        ("fpd_hub_viewers_too_slow_total", 4.0, "note", "viewers sent away for reading too slowly: 4"),
        ('fpd_runs{status="lost"}', 2.0, "note", "contact with 2 runs is lost"),
        ("fpd_server_trainings_waiting", 1.0, "note", "trainings that wait for room: 1"),
    ],
)
def test_each_number_that_is_wrong_is_a_sentence_with_a_cure(name: str, value: float, state: str, words: str) -> None:
    (finding,) = diagnosis({name: value})
    assert (finding.state, finding.what) == (state, words)
    assert finding.cure


def test_files_that_run_out_are_bad_before_they_are_gone() -> None:
    (finding,) = diagnosis({"process_open_fds": 1000.0, "process_max_fds": 1024.0})
    assert finding.what == "1000 of the 1024 files it may have open are open"
    assert finding.state == "bad"


def line(event: str, *, level: str = "warning", ago: timedelta = timedelta(minutes=5)) -> dict[str, Any]:
    return {"time": (NOW - ago).isoformat(), "level": level, "event": event}


def test_the_log_tells_each_event_of_the_last_hour_once_with_how_often() -> None:
    told = [
        line("the disk is full", ago=timedelta(minutes=9)),
        line("old", ago=timedelta(hours=2)),
        line("serving", level="info"),
        line("the disk is full", ago=timedelta(minutes=4)),
        line("GET /api/runs failed", level="error", ago=timedelta(minutes=1)),
        {"time": "yesterday", "level": "error", "event": "no time"},
        {"level": "error"},
    ]
    found = [(finding.state, finding.what) for finding in log_findings(told, NOW)]
    assert found == [
        ("bad", "the log, once, 19:59: GET /api/runs failed"),
        ("note", "the log, 2 times, last 19:56: the disk is full"),
    ]


def test_many_kinds_of_warnings_are_cut_and_the_rest_is_counted() -> None:
    found = [finding.what for finding in log_findings([line(f"event {i}") for i in range(9)], NOW)]
    assert len(found) == 6
    assert found[-1] == "the log has 4 more kinds of warnings of the last hour"
