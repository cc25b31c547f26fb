"""What a test tells beside its metrics, as the logger writes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from federated_pneumonia_detection.progress import FederatedProgressLogger, ProgressLogger
from federated_pneumonia_detection.progress.messages import TestCurves, decode

EVERYTHING: dict[str, Any] = {
    "chosen": 0.5,
    "pr_recall": [1, 0],
    "pr_precision": [0.5, 1],
    "pr_threshold": [0, 1],
    "average_precision": 0.75,
    "bin_n": [3, 0],
    "bin_pneumonia": [1, 0],
    "bin_predicted": [0.25, None],
    "brier": 0.1,
    "calibration_error": float("nan"),
    "hardest": [4, 2],
}


@pytest.fixture
def said(tmp_path: Path) -> Any:
    def read() -> dict[str, Any]:
        lines = [
            msgspec.json.decode(line) for path in tmp_path.glob("*.jsonl") for line in path.read_bytes().splitlines()
        ]
        (found,) = [line for line in lines if line.get("type") == "test_curves"]
        return found

    return read


def test_all_of_it_is_in_one_message_and_what_is_no_number_is_null(tmp_path: Path, said: Any) -> None:
    ProgressLogger(tmp_path, run_id="run").log_test_curves([0, 1], [0, 1], [1, 0], {"tn": 1}, **EVERYTHING)

    told = said()
    assert {name: told[name] for name in EVERYTHING} == {**EVERYTHING, "calibration_error": None}


def test_what_is_left_out_is_not_told(tmp_path: Path, said: Any) -> None:
    ProgressLogger(tmp_path, run_id="run").log_test_curves([0, 1], [0, 1], [1, 0])

    assert not said().keys() & EVERYTHING.keys()


def test_a_client_names_no_image(tmp_path: Path, said: Any) -> None:
    FederatedProgressLogger("ward", tmp_path, run_id="run").log_test_curves([], [], [], **EVERYTHING)

    assert "hardest" not in said()


def test_the_message_is_bounded_whatever_is_given(tmp_path: Path, said: Any) -> None:
    many = [0.123456] * 100_000
    columns = dict.fromkeys(
        ("pr_recall", "pr_precision", "pr_threshold", "bin_predicted", "bin_n", "bin_pneumonia"), many
    )
    ProgressLogger(tmp_path, run_id="run").log_test_curves(many, many, many, **columns, hardest=list(range(100_000)))

    told = said()
    assert {len(told[name]) for name in columns} == {200}
    assert told["hardest"] == list(range(24))
    assert len(msgspec.json.encode(told)) < 20_000


def test_a_message_of_before_there_was_more_than_the_roc_is_still_read() -> None:
    old = decode('{"type":"test_curves","fpr":[0.0],"tpr":[1.0],"threshold":[null],"confusion":null,"timestamp":""}')

    assert isinstance(old, TestCurves)
    assert old.hardest is msgspec.UNSET
