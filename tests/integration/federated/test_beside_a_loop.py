"""On a thread that runs an event loop the training is a process of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from federated_pneumonia_detection.data import DataError
from federated_pneumonia_detection.federated import FederatedTrainer


class _Manager:
    def __init__(self) -> None:
        self.followed: list[str | None] = []

    def follow(self, directory: str | None) -> str:
        self.followed.append(directory)
        return str(directory)


async def test_it_answers_at_once_and_the_run_goes_on_by_itself(
    make_trainer: Callable[..., FederatedTrainer],
    small_source: Path,
    told: Callable[..., list[dict[str, Any]]],
    tmp_path: Path,
) -> None:
    trainer = make_trainer(num_rounds=1)
    trainer.websocket_manager = manager = _Manager()
    began = time.monotonic()

    results = trainer.train(small_source, "demo", epochs=2)

    assert results["status"] == "started" and results["run_id"].startswith("demo-")
    assert time.monotonic() - began < 5
    assert manager.followed == [str(tmp_path / "logs" / "progress")]
    while not (told(kind="training_complete") or told(kind="training_error")):
        await asyncio.sleep(0.05)
    assert told(kind="training_error") == []
    assert len(told("client_0", kind="local_epoch")) == 2


async def test_a_source_that_is_not_there_is_told_to_the_caller(
    make_trainer: Callable[..., FederatedTrainer], tmp_path: Path
) -> None:
    trainer = make_trainer()
    trainer.websocket_manager = _Manager()

    with pytest.raises(DataError):
        trainer.train(tmp_path / "nowhere.npz", "demo")


def test_without_a_loop_it_blocks_and_the_manager_follows(
    make_trainer: Callable[..., FederatedTrainer], small_source: Path, tmp_path: Path
) -> None:
    trainer = make_trainer(num_rounds=1)
    trainer.websocket_manager = manager = _Manager()

    results = trainer.train(small_source, "demo")

    assert results["status"] == "completed"
    assert set(manager.followed) == {str(tmp_path / "logs" / "progress")}
