"""Each message the guide prints is a message ours sends: same keys, same types, same meanings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from guide_blocks import Block, blocks

from federated_pneumonia_detection.progress import FederatedProgressLogger, ProgressLogger

PRINTED = blocks("json")


def said(logger: Any) -> dict[str, Any]:
    """The last message in a logger's journal."""
    logger.close()
    journal = Path(logger.get_log_file_path()).with_suffix(".jsonl")
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    return dict([line for line in lines if line["type"] != "journal_end"][-1])


def say(directory: Path, printed: dict[str, Any]) -> dict[str, Any]:
    """Call the log method that the printed message came from."""
    if printed["type"].startswith("round"):
        client = FederatedProgressLogger(printed["client_id"], log_dir=str(directory), run_id="guide")
        if printed["type"] == "round_start":
            client.log_round_start(printed["round"], printed["total_rounds"])
        else:
            client.log_round_end(printed["round"], printed["fit_metrics"], printed["eval_metrics"])
        return said(client)
    logger = ProgressLogger(log_dir=str(directory), experiment_name="guide")
    if printed["type"] == "epoch_start":
        logger.log_epoch_start(printed["epoch"], printed["total_epochs"])
    elif printed["type"] == "epoch_end":
        logger.log_epoch_end(printed["epoch"], printed["metrics"], phase=printed["phase"])
    else:
        logger.log_training_complete(printed["final_metrics"])
    return said(logger)


@pytest.mark.parametrize("printed", PRINTED, ids=[b.heading for b in PRINTED])
def test_the_printed_message_is_told_with_its_keys_and_types(printed: Block, tmp_path: Path) -> None:
    expected = json.loads(printed.text)

    message = say(tmp_path, expected)

    for key, value in expected.items():
        if key != "timestamp":
            assert message[key] == value
            assert type(message[key]) is type(value)
    assert message["timestamp"].endswith("+00:00")


def test_epoch_end_carries_the_total_the_react_example_divides_by(tmp_path: Path) -> None:
    logger = ProgressLogger(log_dir=str(tmp_path))
    logger.log_epoch_start(1, 10)
    logger.log_epoch_end(1, {"val_loss": 0.3}, phase="val")

    assert said(logger)["total_epochs"] == 10
