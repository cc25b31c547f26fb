from __future__ import annotations

from pathlib import Path

import pytest

from federated_pneumonia_detection.progress import ProgressLogger, cancel
from federated_pneumonia_detection.progress.cancel import CancelWatch, cancel_path, clear, request_cancel


def test_a_request_is_heard_with_its_reason(tmp_path: Path) -> None:
    request_cancel(tmp_path, "run", reason="too slow", by="anna")
    found = CancelWatch(tmp_path, "run").asked()
    assert found is not None
    assert (found.reason, found.by) == ("too slow", "anna")
    assert [path.name for path in tmp_path.iterdir()] == ["run.cancel"]


def test_nobody_asked_is_none_and_another_run_is_not_meant(tmp_path: Path) -> None:
    request_cancel(tmp_path, "another")
    assert CancelWatch(tmp_path, "run").asked() is None
    assert CancelWatch(tmp_path / "missing", "run").asked() is None


def test_a_watch_looks_at_the_disk_once_in_50_ms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(cancel.time, "monotonic", lambda: now[0])
    watch = CancelWatch(tmp_path, "run")
    assert watch.asked() is None
    request_cancel(tmp_path, "run")
    now[0] += 0.04
    assert watch.asked() is None
    now[0] += 0.02
    assert watch.asked() is not None
    clear(tmp_path, "run")
    assert watch.asked() is not None, "once asked, it stays asked"


def test_a_file_made_by_hand_means_the_same(tmp_path: Path) -> None:
    cancel_path(tmp_path, "run").touch()
    assert CancelWatch(tmp_path, "run").asked() == cancel.Cancel()


def test_a_request_taken_back_is_gone(tmp_path: Path) -> None:
    request_cancel(tmp_path, "../run")
    assert cancel_path(tmp_path, "../run").parent == tmp_path
    clear(tmp_path, "../run")
    clear(tmp_path, "../run")
    assert CancelWatch(tmp_path, "../run").asked() is None


def test_a_request_that_a_killed_attempt_did_not_hear_does_not_stop_the_next_one(tmp_path: Path) -> None:
    first = ProgressLogger(tmp_path, "exp", run_id="run")
    request_cancel(tmp_path, "run")
    first.log_training_error("out of memory")
    assert CancelWatch(tmp_path, "run").asked() is not None, "it was asked, and died of something else"

    ProgressLogger(tmp_path, "exp", run_id="run")
    assert CancelWatch(tmp_path, "run").asked() is None


def test_a_request_made_before_a_run_has_said_its_first_word_is_heard(tmp_path: Path) -> None:
    request_cancel(tmp_path, "run")
    ProgressLogger(tmp_path, "exp", run_id="run")
    assert CancelWatch(tmp_path, "run").asked() is not None
