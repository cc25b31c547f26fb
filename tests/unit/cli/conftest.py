"""Runs as the commands show them: told by real loggers, read back from their journals."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from federated_pneumonia_detection.progress import FederatedProgressLogger, ProgressLogger

with warnings.catch_warnings():
    # Importing typer touches names that click is about to drop; that is between the two of them.
    warnings.simplefilter("ignore", DeprecationWarning)
    import typer  # noqa: F401

Runs = Callable[..., Path]


@pytest.fixture
def centralized_run(tmp_path: Path) -> Runs:
    """Writes the journal of a centralised run; returns its directory."""

    def write(run_id: str = "run-a", epochs: int = 2, *, end: bool = True) -> Path:
        with ProgressLogger(str(tmp_path), "pneumonia", run_id=run_id) as logger:
            for epoch in range(1, epochs + 1):
                logger.log_epoch_start(epoch, epochs)
                logger.log_step(epoch, 1, 2, {"train_loss": 0.7})
                logger.log_epoch_end(epoch, {"train_loss": 0.5}, "train")
                logger.log_epoch_end(epoch, {"val_loss": 0.4, "val_auroc": 0.9}, "val")
            if end:
                logger.log_training_complete({"total_epochs": epochs, "test_auroc": 0.95})
        return tmp_path

    return write


@pytest.fixture
def federated_run(tmp_path: Path) -> Runs:
    """Writes the journals of a federated run of two hospitals; returns their directory."""

    def write(run_id: str = "run-f") -> Path:
        with FederatedProgressLogger(None, str(tmp_path), "federated", run_id=run_id) as server:
            server.log_round_start(1, 1)
            for client in ("client_0", "client_1"):
                with FederatedProgressLogger(client, str(tmp_path), "federated", run_id=run_id) as logger:
                    logger.log_round_start(1, 1)
                    logger.log_local_epoch(1, 1, {"train_loss": 0.6})
                    logger.log_round_end(1, {"train_loss": 0.6}, {"val_auroc": 0.8, "num_samples": 10})
            server.log_round_aggregated(1, {"val_auroc": 0.85}, 2, [])
            server.log_training_complete({"total_rounds": 1})
        return tmp_path

    return write
