"""Each Python block of the guide runs as it stands, its `...` filled in."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from guide_blocks import block, blocks

from federated_pneumonia_detection.hub import ConnectionManager

OPTIONS = [b for b in blocks("python") if b.text.lstrip().startswith(("WebSocketProgressLogger(", "progress_logger ="))]


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the guide's blocks take for granted."""
    monkeypatch.chdir(tmp_path)
    manager = ConnectionManager()
    return {
        "self": SimpleNamespace(),
        "manager": manager,
        "websocket_manager": manager,
        "progress_log_dir": str(tmp_path / "progress"),
        "experiment_name": "guide",
        "training_mode": "centralized",
        "client_id": "client_0",
        "metrics_dir": str(tmp_path / "metrics"),
        "run_id": "guide-run",
    }


def step_1(names: dict[str, Any]) -> None:
    for imports in (b for b in blocks("python") if b.heading.startswith("Step 1")):
        exec(imports.text, names)


def document(path: str | None, *, ending: str) -> dict[str, Any]:
    """The polled document once its last message is of this type: it follows a log call shortly after, by itself."""
    assert path is not None
    deadline = time.monotonic() + 10
    while True:
        told = dict(json.loads(Path(path).read_text()))
        if told["epochs"] and told["epochs"][-1]["type"] == ending:
            return told
        assert time.monotonic() < deadline, told
        time.sleep(0.01)


@pytest.mark.parametrize("kind", ["= ProgressLogger(", "# websocket_manager is passed"], ids=["before", "after"])
def test_the_callbacks_logger_writes_the_polled_document(names: dict[str, Any], kind: str) -> None:
    step_1(names)
    exec(block("python", "Step 2", containing=kind).text, names)

    logger = names["self"].progress_logger
    logger.log_epoch_start(1, 2)
    logger.log_epoch_end(1, {"train_loss": 0.5}, phase="train")
    logger.log_training_complete({"total_epochs": 1})

    told = document(logger.get_log_file_path(), ending="training_complete")
    assert told["metadata"]["status"] == "completed"
    assert [m["type"] for m in told["epochs"]][-3:] == ["epoch_start", "epoch_end", "training_complete"]
    logger.close()


@pytest.mark.parametrize(
    "kind", ["import FederatedProgressLogger", "import WebSocketFederated"], ids=["before", "after"]
)
def test_the_federated_collectors_logger_writes_the_clients_document(names: dict[str, Any], kind: str) -> None:
    exec(block("python", "Step 3", containing=kind).text, names)

    logger = names["self"].progress_logger
    logger.log_round_start(1, 5)
    logger.log_round_end(1, {"train_loss": 0.4, "num_samples": 1000}, {"val_loss": 0.39, "num_samples": 200})

    told = document(logger.get_log_file_path(), ending="round_end")
    assert told["current_round"] == 1
    assert [m["client_id"] for m in told["epochs"] if m["type"].startswith("round_")] == ["client_0", "client_0"]
    logger.close()


def test_the_callback_is_made_with_the_manager_as_printed(names: dict[str, Any]) -> None:
    exec("from typing import Optional\nfrom federated_pneumonia_detection.hub import ConnectionManager", names)
    exec("from federated_pneumonia_detection.training import MetricsCollectorCallback", names)
    printed = block("python", "Step 4").text
    exec(printed + "\n    return metrics_callback\n", names)

    callback = names["prepare_trainer_and_callbacks_pl"](websocket_manager=names["manager"])

    assert type(callback).__name__ == "MetricsCollectorCallback"


@pytest.mark.parametrize("option", OPTIONS, ids=[f"{i}-{b.heading[:24]}" for i, b in enumerate(OPTIONS)])
def test_each_configuration_makes_a_logger_that_works(names: dict[str, Any], option: Any) -> None:
    step_1(names)
    made = option.text if option.text.startswith("progress_logger") else f"progress_logger = {option.text}"
    exec(made, names)

    logger = names["progress_logger"]
    logger.log_epoch_end(1, {"val_loss": 0.3}, phase="val")

    assert logger.lost == 0
    assert (logger.get_log_file_path() is None) == ("enable_file_logging=False" in option.text)
    assert Path("logs/progress").exists() == ("enable_file_logging=False" not in option.text)
    logger.close()


def test_the_troubleshooting_block_imports_by_the_misspelt_name(names: dict[str, Any]) -> None:
    step_1(names)
    exec(block("python", "Issue: WebSocket Not Broadcasting").text, names)

    names["logger"].log_epoch_start(1, 1)

    assert isinstance(names["manager"], ConnectionManager)
    assert names["logger"].lost == 0
    names["logger"].close()


def test_no_python_block_of_the_guide_is_left_out() -> None:
    others = [b for b in blocks("python") if b not in OPTIONS]
    # Step 5 is an app of its own: test_endpoint.py.
    assert [b.heading.split(":")[0] for b in others] == [
        *("Step 1", "Step 1", "Step 2", "Step 2", "Step 3", "Step 3", "Step 4", "Step 5"),
        "Issue",
    ]
