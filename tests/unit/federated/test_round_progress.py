from __future__ import annotations

import json
from pathlib import Path

import pytest

from federated_pneumonia_detection.federated.errors import RunCancelled
from federated_pneumonia_detection.federated.round_progress import RoundProgress
from federated_pneumonia_detection.progress.cancel import request_cancel


def types(log_dir: Path) -> list[str]:
    lines = [json.loads(line) for path in log_dir.glob("*.jsonl") for line in path.read_text().splitlines()]
    return [line["type"] for line in lines if not line["type"].startswith("journal")]


def progress(log_dir: Path) -> RoundProgress:
    return RoundProgress("client_0", log_dir=str(log_dir), experiment_name="demo", run_id="r1")


def test_a_round_is_ended_once(tmp_path: Path) -> None:
    one = progress(tmp_path)

    one.start_round(1, 2)
    one.end_round(1, {}, {})
    one.end_round(1, {}, {})

    assert types(tmp_path) == ["round_start", "round_end"]


def test_what_comes_between_two_rounds_belongs_to_none(tmp_path: Path) -> None:
    one = progress(tmp_path)
    one.start_round(1, 2)
    one.end_round(1, {}, {})

    one.step(1, 1, 1, {"train_loss": 0.5})
    one.local_epoch(1, {"train_loss": 0.5})

    assert types(tmp_path) == ["round_start", "round_end"]


def test_an_error_ends_the_round_with_the_clients_part(tmp_path: Path) -> None:
    one = progress(tmp_path)
    one.start_round(1, 2)

    one.error("the disk is full")
    one.end_round(1, {}, {})

    assert types(tmp_path) == ["round_start", "training_error"]


def test_a_client_hears_at_its_next_step_that_the_run_is_to_stop(tmp_path: Path) -> None:
    one = progress(tmp_path)
    one.start_round(1, 2)
    request_cancel(tmp_path, "r1", reason="enough", by="anna")

    with pytest.raises(RunCancelled, match="cancelled by anna: enough"):
        one.step(1, 1, 4, {"train_loss": 0.5})
    one.end_round(1, {}, {})

    assert types(tmp_path) == ["round_start", "step", "training_cancelled"]
