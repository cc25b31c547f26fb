"""A run that goes on: every message of its second attempt says so, whoever writes it, and wherever."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from federated_pneumonia_detection.progress import FederatedProgressLogger, ProgressLogger

Said = Callable[[Path | str], list[dict[str, Any]]]


def attempts(folder: Path, name: str) -> list[tuple[str, int | None]]:
    lines = [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines()[1:]]
    return [(line["type"], line.get("attempt")) for line in lines if line["type"] != "journal_end"]


def trained(folder: Path, *, goes_on_from: int | None = None, epochs: range) -> ProgressLogger:
    more = {} if goes_on_from is None else {"from_epoch": goes_on_from}
    logger = ProgressLogger(folder, "exp", run_id="run", run_start={"total_epochs": 10, **more})
    for epoch in epochs:
        logger.log_epoch_start(epoch, 10)
        logger.log_step(epoch, 1, 9, {"train_loss": 0.5})
        logger.log_epoch_end(epoch, {"val_loss": float("nan")}, "val")
    return logger


def test_every_message_of_a_later_attempt_says_which_it_is_of(tmp_path: Path) -> None:
    trained(tmp_path, epochs=range(1, 3)).log_training_error("killed")
    logger = trained(tmp_path, goes_on_from=1, epochs=range(2, 3))
    logger.log_custom_event("note", {"attempt": "mine"})
    logger.log_run_start(config={"seed": 1})

    assert {attempt for type_, attempt in attempts(tmp_path, "run.jsonl") if type_ != "run_start"} == {None}
    second = attempts(tmp_path, "run~2.jsonl")
    types = ["run_start", "epoch_start", "step", "epoch_end", "alert", "note", "run_start"]
    assert second == [(each, 2) for each in types]
    start = json.loads((tmp_path / "run~2.jsonl").read_text(encoding="utf-8").splitlines()[1])
    assert (start["from_epoch"], start["total_epochs"]) == (1, 10)
    assert logger.attempt == 2


def test_an_attempt_that_goes_on_from_nothing_begins_at_the_start(tmp_path: Path) -> None:
    trained(tmp_path, epochs=range(1, 2)).log_training_error("killed")
    trained(tmp_path, epochs=range(1, 2)).close()
    start = json.loads((tmp_path / "run~2.jsonl").read_text(encoding="utf-8").splitlines()[1])
    assert (start["attempt"], start["from_epoch"]) == (2, 0)


def test_the_document_goes_on_from_where_the_run_does_and_keeps_all_in_order(tmp_path: Path) -> None:
    trained(tmp_path, epochs=range(1, 8)).log_training_error("killed")
    logger = trained(tmp_path, goes_on_from=5, epochs=range(6, 6))
    path = logger.get_log_file_path()
    assert path is not None
    before = json.loads(Path(path).read_text(encoding="utf-8"))
    assert (before["current_epoch"], before["metadata"]["attempt"], before["metadata"]["status"]) == (5, 2, "started")
    trained(tmp_path, goes_on_from=5, epochs=range(6, 7)).log_training_complete({})
    after = json.loads(Path(path).read_text(encoding="utf-8"))
    assert (after["current_epoch"], after["metadata"]["status"]) == (6, "completed")
    assert [m["epoch"] for m in after["epochs"] if m["type"] == "epoch_start"] == [1, 2, 3, 4, 5, 6, 7, 6]


def test_clients_find_out_which_attempt_it_is_or_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FederatedProgressLogger(None, tmp_path, "exp", run_id="run") as server:
        server.log_round_start(1, 4)
        server.log_training_error("killed")
    again = FederatedProgressLogger(None, tmp_path, "exp", run_id="run", run_start={"from_round": 0})
    assert again.attempt == 2

    FederatedProgressLogger("found", tmp_path, "exp", run_id="run").log_round_start(1, 4)
    FederatedProgressLogger("named", tmp_path, "exp").log_round_start(1, 4)
    FederatedProgressLogger("told", tmp_path / "elsewhere", "exp", run_id="run", attempt=2).log_round_start(1, 4)
    monkeypatch.setenv("FPD_RUN_ID", "run")
    monkeypatch.setenv("FPD_ATTEMPT", "2")
    FederatedProgressLogger("child", tmp_path / "elsewhere", "exp").log_round_start(1, 4)
    FederatedProgressLogger("other", tmp_path / "elsewhere", "exp", run_id="run-9").log_round_start(1, 4)

    assert attempts(tmp_path, "run.found.jsonl") == [("round_start", 2)]
    assert attempts(tmp_path, "run.named.jsonl") == [("round_start", 2)]
    assert attempts(tmp_path / "elsewhere", "run.told.jsonl") == [("round_start", 2)]
    assert attempts(tmp_path / "elsewhere", "run.child.jsonl") == [("round_start", 2)]
    assert attempts(tmp_path / "elsewhere", "run-9.other.jsonl") == [("round_start", None)]


def test_a_client_that_was_in_the_first_attempt_joins_the_second_at_any_round(tmp_path: Path) -> None:
    with FederatedProgressLogger(None, tmp_path, "exp", run_id="run") as server:
        server.log_round_start(3, 4)
        client = FederatedProgressLogger("a", tmp_path, "exp", run_id="run")
        client.log_round_start(3, 4)
        server.log_training_error("killed")
    FederatedProgressLogger(None, tmp_path, "exp", run_id="run", run_start={"from_round": 1})
    back = FederatedProgressLogger("a", tmp_path, "exp")
    back.log_round_start(2, 4)
    assert (back.run_id, back.attempt) == ("run", 2)


def test_a_logger_that_is_sent_to_another_process_stays_in_its_attempt(tmp_path: Path) -> None:
    trained(tmp_path, epochs=range(1, 2)).log_training_error("killed")
    logger = trained(tmp_path, goes_on_from=1, epochs=range(2, 3))
    sent = pickle.loads(pickle.dumps(logger))
    assert sent.attempt == 2


@pytest.mark.parametrize("wrong", ["two", -1, 0, 1.5, True, [], "9" * 400])
def test_an_attempt_that_is_none_is_found_out(tmp_path: Path, wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    logger = ProgressLogger(tmp_path, "exp", run_id="run", attempt=wrong)
    assert logger.attempt == 1
    monkeypatch.setenv("FPD_RUN_ID", "run")
    monkeypatch.setenv("FPD_ATTEMPT", str(wrong))
    assert ProgressLogger(tmp_path, "exp").attempt == 1
