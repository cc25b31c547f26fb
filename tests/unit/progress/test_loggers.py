from __future__ import annotations

import json
import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from federated_pneumonia_detection.progress import (
    FederatedProgressLogger,
    ProgressLogger,
    WebSocketFederatedProgressLogger,
    WebSocketManager,
    WebSocketProgressLogger,
)
from federated_pneumonia_detection.progress.reading import read_header

Said = Callable[[Path | str], list[dict[str, Any]]]


class Manager:
    """Follows nothing, but remembers what it was asked to."""

    def __init__(self, private: Path) -> None:
        self.private = private
        self.followed: list[str | None] = []
        self.woken: list[str] = []

    def follow(self, directory: str | None) -> str:
        self.followed.append(directory)
        return directory or str(self.private)

    def wake(self, directory: str) -> None:
        self.woken.append(directory)


class Hostile:
    """Raises whatever is asked of it."""

    def __float__(self) -> float:
        raise RuntimeError("no")

    def __str__(self) -> str:
        raise RuntimeError("no")

    def __getattr__(self, name: str) -> Any:
        # Only what a logger asks for: pytest itself looks at the parameters of its tests.
        raise RuntimeError("no") if name in ("item", "tolist", "ndim", "follow", "wake") else AttributeError(name)


def bare(message: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in message.items() if key != "timestamp"}


def test_a_centralised_run_says_what_the_guide_says(tmp_path: Path, said: Said) -> None:
    logger = ProgressLogger(log_dir=tmp_path, experiment_name="exp", mode="centralized")
    logger.log_epoch_start(1, 10)
    logger.log_step(1, 1, 2, {"loss": 0.5})
    logger.log_epoch_end(1, {"train_loss": 0.4523, "learning_rate": 0.001}, phase="train")
    logger.log_epoch_end(1, {"val_loss": 0.3821}, phase="val")
    logger.log_custom_event("lr_drop", {"to": 1e-4})
    logger.log_training_complete({"total_epochs": 10, "best_epoch": 7})

    messages = said(tmp_path)
    assert [bare(message) for message in messages[1:]] == [
        {"type": "epoch_start", "epoch": 1, "total_epochs": 10},
        {"type": "step", "epoch": 1, "step": 1, "total_steps": 2, "phase": "train", "metrics": {"loss": 0.5}},
        {
            "type": "epoch_end",
            "epoch": 1,
            "total_epochs": 10,
            "phase": "train",
            "metrics": {"train_loss": 0.4523, "learning_rate": 0.001},
        },
        {"type": "epoch_end", "epoch": 1, "total_epochs": 10, "phase": "val", "metrics": {"val_loss": 0.3821}},
        {"type": "lr_drop", "data": {"to": 0.0001}},
        {"type": "training_complete", "final_metrics": {"total_epochs": 10, "best_epoch": 7}},
    ]
    first = messages[0]
    assert first["type"] == "run_start"
    assert (first["experiment_name"], first["mode"], first["attempt"]) == ("exp", "centralized", 1)
    assert (first["config"], first["data"], first["total_epochs"]) == ({}, {}, None)
    assert first["software"]["torch"] == torch.__version__
    assert all(message["timestamp"].endswith("+00:00") for message in messages)
    assert logger.lost == 0


def test_bytes_moved_are_told_where_they_are_counts(tmp_path: Path, said: Said) -> None:
    logger = FederatedProgressLogger("client_0", log_dir=tmp_path, experiment_name="exp", run_id="run")
    logger.log_round_end(1, {}, {}, bytes_down=1000, bytes_up=0)
    logger.log_round_end(2, {}, {}, bytes_down=-1, bytes_up="much")  # type: ignore[arg-type]
    first, second = said(tmp_path)
    assert (first["bytes_down"], first["bytes_up"]) == (1000, 0)
    assert "bytes_down" not in second
    assert "bytes_up" not in second


def test_a_client_names_itself_and_its_round(tmp_path: Path, said: Said) -> None:
    logger = FederatedProgressLogger("client_0", log_dir=tmp_path, experiment_name="exp", run_id="run")
    logger.log_round_start(1, 5)
    logger.log_local_epoch(1, 1, {"train_loss": 0.5})
    logger.log_step(1, 1, 2, {"loss": 0.5})
    logger.log_round_end(1, fit_metrics={"num_samples": 1000}, eval_metrics={"val_loss": 0.4})
    logger.log_custom_event("resting")

    client = {"client_id": "client_0"}
    step = {"type": "step", "epoch": 1, "step": 1, "total_steps": 2, "phase": "train", "metrics": {"loss": 0.5}}
    assert [bare(message) for message in said(tmp_path)] == [
        {"type": "round_start", "round": 1, "total_rounds": 5, **client},
        {"type": "local_epoch", "round": 1, "local_epoch": 1, "metrics": {"train_loss": 0.5}, **client},
        {**step, "round": 1, **client},
        {
            "type": "round_end",
            "round": 1,
            "fit_metrics": {"num_samples": 1000},
            "eval_metrics": {"val_loss": 0.4},
            **client,
        },
        {"type": "resting", "data": None, **client},
    ]


def test_a_server_of_a_federated_run_begins_it_and_names_no_client(tmp_path: Path, said: Said) -> None:
    start = {"config": {"num_rounds": 3}, "data": {"name": "x"}, "software": {"flwr": "1"}, "total_rounds": 3}
    logger = FederatedProgressLogger(None, tmp_path, "exp", run_id="run", run_start=start)
    logger.log_round_start(1, 3)
    logger.log_client_failed(1, "client_1", "out of memory")
    logger.log_round_aggregated(1, {"val_auroc": 0.9}, 2, ["client_1"])
    logger.log_round_end(1, {}, {})
    logger.log_test_curves([0, 1], [0, 1], [1, 0], [[1, 2], [3, 4]])
    logger.log_alert("warning", "slow", "client_1 is slow")
    logger.log_training_cancelled("enough", "anna")

    first, *rest = said(tmp_path)
    assert first["config"] == {"num_rounds": 3}
    assert first["total_rounds"] == 3
    assert first["software"]["flwr"] == "1"
    assert first["software"]["python"]
    assert [bare(message) for message in rest] == [
        {"type": "round_start", "round": 1, "total_rounds": 3},
        {"type": "client_failed", "round": 1, "error": "out of memory", "client_id": "client_1"},
        {
            "type": "round_aggregated",
            "round": 1,
            "metrics": {"val_auroc": 0.9},
            "num_clients": 2,
            "failed_clients": ["client_1"],
        },
        {"type": "round_end", "round": 1, "fit_metrics": {}, "eval_metrics": {}},
        {
            "type": "test_curves",
            "fpr": [0.0, 1.0],
            "tpr": [0.0, 1.0],
            "threshold": [1.0, 0.0],
            "confusion": [[1, 2], [3, 4]],
        },
        {"type": "alert", "level": "warning", "title": "slow", "text": "client_1 is slow"},
        {"type": "training_cancelled", "reason": "enough", "by": "anna"},
    ]


def test_eight_loggers_of_the_guides_federated_code_are_one_run(tmp_path: Path, said: Said) -> None:
    """A client object is made anew for each call, and nobody passes a run."""
    for round_num in (1, 2):
        for client in ("client_0", "client_1"):
            fit = FederatedProgressLogger(client_id=client, log_dir=tmp_path, experiment_name="exp")
            fit.log_round_start(round_num, 2)
            evaluate = FederatedProgressLogger(client_id=client, log_dir=tmp_path, experiment_name="exp")
            evaluate.log_round_end(round_num, {"num_samples": 1}, {})
    runs = {read_header(path).run_id for path in tmp_path.glob("*.jsonl")}
    assert len(runs) == 1
    assert [message["type"] for message in said(tmp_path)].count("run_start") == 1

    again = FederatedProgressLogger("client_0", tmp_path, "exp")
    assert again.run_id is None
    again.log_round_start(1, 2)
    assert again.run_id not in runs


def test_who_joins_a_run_says_no_beginning_and_a_run_that_ended_begins_again(tmp_path: Path, said: Said) -> None:
    one = ProgressLogger(tmp_path, run_id="run")
    ProgressLogger(tmp_path, run_id="run").log_epoch_start(1, 2)
    FederatedProgressLogger("client_0", tmp_path, run_id="run").log_round_start(1, 2)
    one.log_training_error("boom")
    ProgressLogger(tmp_path, run_id="run").log_epoch_start(1, 2)

    starts = [message for message in said(tmp_path) if message["type"] == "run_start"]
    assert [start["attempt"] for start in starts] == [1, 2]


def test_the_environment_names_the_run_and_the_argument_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FPD_RUN_ID", "from-outside")
    assert ProgressLogger(tmp_path).run_id == "from-outside"
    assert FederatedProgressLogger("c", tmp_path).run_id == "from-outside"
    assert ProgressLogger(tmp_path, run_id="mine").run_id == "mine"


def test_the_document_lies_where_the_logger_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    logger = ProgressLogger(experiment_name="../../x")
    path = Path(logger.get_log_file_path() or "")
    assert path.is_absolute()
    assert path.parent == tmp_path / "logs" / "progress"
    assert json.loads(path.read_bytes())["metadata"]["experiment_name"] == "../../x"
    client = FederatedProgressLogger("client_0", experiment_name="x")
    assert client.get_log_file_path() is None, "its run is decided at the first log call"
    client.log_round_start(1, 1)
    assert Path(client.get_log_file_path() or "").is_file()


def test_a_manager_follows_the_directory_and_is_woken(tmp_path: Path) -> None:
    manager = Manager(tmp_path / "private")
    assert isinstance(manager, WebSocketManager)
    with WebSocketProgressLogger(websocket_manager=manager, log_dir=tmp_path / "logs", experiment_name="e") as logger:
        logger.log_epoch_start(1, 2)
        logger.shutdown()
    assert manager.followed == [str(tmp_path / "logs")]
    assert manager.woken == [str(tmp_path / "logs")] * 2
    header = read_header(next((tmp_path / "logs").glob("*.jsonl")))
    assert header.broadcast_interval == 0.5


def test_without_files_nothing_appears_in_the_log_directory(tmp_path: Path, said: Said) -> None:
    manager = Manager(tmp_path / "private")
    central = WebSocketProgressLogger(manager, tmp_path / "logs", enable_file_logging=False)
    client = WebSocketFederatedProgressLogger("client_0", manager, tmp_path / "logs", enable_file_logging=False)
    central.log_epoch_start(1, 2)
    client.log_round_start(1, 2)
    assert not (tmp_path / "logs").exists()
    assert manager.followed == [None, None]
    assert [message["type"] for message in said(tmp_path / "private")].count("epoch_start") == 1
    assert not list((tmp_path / "private").glob("*.json")), "and there is no document"
    assert central.get_log_file_path() is None
    assert (central.lost, client.lost) == (0, 0)


def test_with_neither_files_nor_manager_everything_is_lost_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logger = WebSocketProgressLogger(log_dir=tmp_path / "logs", enable_file_logging=False)
    for epoch in range(3):
        logger.log_epoch_start(epoch, 3)
    assert logger.lost == 3
    assert not (tmp_path / "logs").exists()
    assert len(caplog.records) == 1
    assert "neither files nor a websocket_manager" in caplog.text


@pytest.mark.parametrize("manager", [object(), Hostile()])
def test_a_manager_that_cannot_follow_costs_the_viewers_and_nothing_else(
    tmp_path: Path, manager: Any, said: Said, caplog: pytest.LogCaptureFixture
) -> None:
    logger = WebSocketProgressLogger(manager, tmp_path)
    logger.log_epoch_start(1, 1)
    assert said(tmp_path)[-1]["type"] == "epoch_start"
    assert "does not follow" in caplog.text


def test_a_pickled_logger_goes_on_where_it_was(tmp_path: Path, said: Said) -> None:
    manager = Manager(tmp_path)
    logger = WebSocketFederatedProgressLogger("client_0", manager, tmp_path, "exp", run_id="run")
    logger.log_round_start(1, 3)
    logger.log_epoch_start(1, 4)
    again = pickle.loads(pickle.dumps(logger))
    again.log_epoch_end(1, {})
    last = said(tmp_path)[-1]
    assert (last["round"], last["client_id"], last["total_epochs"]) == (1, "client_0", 4)
    assert (again.run_id, again.lost) == ("run", 0)


def test_after_close_a_message_is_lost_and_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    logger = ProgressLogger(tmp_path)
    logger.close()
    logger.close()
    logger.log_epoch_start(1, 1)
    logger.log_training_complete({})
    assert logger.lost == 2
    assert len([record for record in caplog.records if "after close()" in record.message]) == 1


METRICS: list[Any] = [
    {"t": torch.tensor(1.0), "n": np.float32(1), "nan": float("nan"), "inf": float("inf"), "none": None, "s": "text"},
    {"nested": {"deep": {"er": 1}}, 1: 2, None: 3, (1, 2): 4},
    {"hostile": Hostile()},
    {Hostile(): 1},
    {f"metric_{number}": float(number) for number in range(10_000)},
    None,
    "text",
    Hostile(),
    [1, 2, 3],
]
EPOCHS: list[Any] = [0, -1, 1.5, None, "one", torch.tensor(3), float("nan"), Hostile()]


@pytest.mark.parametrize("metrics", METRICS, ids=range(len(METRICS)))
@pytest.mark.parametrize("epoch", EPOCHS, ids=range(len(EPOCHS)))
def test_no_log_call_raises_and_the_journal_stays_whole(
    tmp_path: Path, metrics: Any, epoch: Any, said: Said, caplog: pytest.LogCaptureFixture
) -> None:
    logger = FederatedProgressLogger("client_0", tmp_path, run_id="run")
    logger.log_epoch_end(epoch, metrics)
    logger.log_epoch_start(epoch, epoch)
    logger.log_step(epoch, epoch, epoch, metrics, phase=epoch)
    logger.log_local_epoch(epoch, epoch, metrics)
    logger.log_round_end(epoch, metrics, metrics)
    logger.log_round_start(epoch, epoch)
    logger.log_custom_event(epoch, metrics)
    logger.log_custom_event("epoch_end", metrics)
    logger.log_round_aggregated(epoch, metrics, epoch, metrics)
    logger.log_client_failed(epoch, epoch, epoch)
    logger.log_alert(epoch, epoch, epoch)
    logger.log_test_curves(metrics, epoch, metrics, metrics, chosen=metrics, bin_n=metrics, brier=epoch, hardest=epoch)
    logger.log_run_start(config=metrics, total_epochs=epoch)
    logger.log_training_cancelled(epoch, epoch)
    logger.log_training_error(epoch, epoch)
    logger.log_training_complete(metrics)

    recorded = [message for message in said(tmp_path) if message["type"] != "alert"]
    assert len(recorded) + logger.lost >= 15
    causes = [record.message for record in caplog.records]
    assert len(causes) == len(set(causes)), "one warning for each cause"
    for path in tmp_path.glob("*.jsonl"):
        for line in path.read_bytes().splitlines():
            json.loads(line, parse_constant=pytest.fail)


def test_the_name_of_a_type_of_ours_is_not_given_to_an_event(tmp_path: Path, said: Said) -> None:
    logger = ProgressLogger(tmp_path)
    for name in ("training_complete", "journal_end", "subscribed", ""):
        logger.log_custom_event(name, 1)
    names = [message["type"] for message in said(tmp_path)[1:]]
    assert names == ["custom:training_complete", "custom:journal_end", "custom:subscribed", "custom"]


def test_a_warning_is_not_an_exception_where_warnings_are_errors(tmp_path: Path) -> None:
    logger = ProgressLogger(tmp_path)
    logger.log_epoch_start(1.5, 1)  # type: ignore[arg-type]


def test_a_log_handler_that_logs_progress_does_not_run_for_ever(tmp_path: Path, said: Said) -> None:
    logger = ProgressLogger(tmp_path)

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logger.log_custom_event("log", {"epoch": object(), "text": record.getMessage()})

    handler = Handler()
    logging.getLogger("federated_pneumonia_detection.progress").addHandler(handler)
    try:
        logger.log_epoch_start("x", 1)  # type: ignore[arg-type]
    finally:
        logging.getLogger("federated_pneumonia_detection.progress").removeHandler(handler)
    assert "log" in [message["type"] for message in said(tmp_path)]


def test_loggers_of_one_run_share_a_journal(tmp_path: Path) -> None:
    first = ProgressLogger(tmp_path, run_id="run")
    second = ProgressLogger(tmp_path, run_id="run")
    first.close()
    second.log_epoch_start(1, 1)
    assert [path.name for path in tmp_path.glob("*.jsonl")] == ["run.jsonl"]


@pytest.mark.parametrize("directory", ["a\0b", "/proc/nowhere/logs", "/dev/null/logs"])
def test_a_directory_that_cannot_be_costs_the_messages_and_nothing_else(directory: str) -> None:
    logger = ProgressLogger(directory)
    logger.log_epoch_start(1, 1)
    logger.log_step(1, 1, 1, {})
    assert logger.lost == 3
