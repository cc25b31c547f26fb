"""Stop, pause and go on, asked beside a journal: of a training that listens, in a thread of the test."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from federated_pneumonia_detection.cli import control
from federated_pneumonia_detection.cli.commands import app
from federated_pneumonia_detection.progress import ProgressLogger
from federated_pneumonia_detection.progress.asked import Asked, keep_asked
from federated_pneumonia_detection.progress.cancel import cancel_path
from federated_pneumonia_detection.progress.errors import CannotGoOn
from federated_pneumonia_detection.progress.orders import OrderWatch


def fpd(*arguments: str) -> str:
    """What a command prints; what it raises is raised here, as `main` would turn it into one line."""
    done = CliRunner().invoke(app, arguments, standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.output


@pytest.fixture
def training(tmp_path: Path) -> Iterator[Path]:
    """The log directory of a run `r` that trains until it is stopped."""

    def train() -> None:
        orders = OrderWatch(tmp_path, "r")
        for step in range(1, 100_000):
            if step % 10 == 1:
                logger.log_step(1, step, None, {"train_loss": 0.5})
            if (cancel := orders.heed(logger)) is not None:
                logger.log_training_cancelled(cancel.reason, cancel.by)
                return
            time.sleep(0.005)

    logger = ProgressLogger(tmp_path, "x", run_id="r", hears_cancel=True)
    thread = threading.Thread(target=train)
    thread.start()
    yield tmp_path
    cancel_path(tmp_path, "r").touch()
    thread.join(20)


def test_a_run_is_paused_let_go_on_and_stopped_and_says_so(training: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "user", lambda: "ada")
    where = ("--log-dir", str(training))
    assert fpd("pause", "r", *where) == "r: Paused by ada.\n"
    with pytest.raises(CannotGoOn, match="it waits where it is"):
        fpd("resume", "r", "--from", "3", *where)
    assert fpd("resume", "r", *where) == "r goes on.\n"
    assert fpd("stop", "r", "--reason", "enough", *where).startswith("r: Stopped by ada")
    with pytest.raises(control.HasEnded, match="only one that goes on can be asked to pause"):
        fpd("pause", "r", *where)


def test_a_run_that_trains_cannot_be_gone_on_with(training: Path) -> None:
    with pytest.raises(CannotGoOn, match="only one that waits or has ended goes on"):
        fpd("resume", "r", "--log-dir", str(training))


def test_a_run_that_does_not_answer_is_said_to_have_been_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "HEARD_WITHIN_S", 0.0)
    with ProgressLogger(tmp_path, "x", run_id="deaf") as logger:
        logger.log_epoch_start(1, 2)
        said = fpd("stop", "deaf", "--log-dir", str(tmp_path))
    assert said == "deaf was asked to stop and has not answered yet; fpd watch deaf shows when it has.\n"


def test_a_finished_run_and_one_that_kept_nothing_do_not_go_on(tmp_path: Path) -> None:
    where = ("--log-dir", str(tmp_path / "logs"))
    with ProgressLogger(tmp_path / "logs", "x", run_id="done") as logger:
        logger.log_training_complete({})
    with ProgressLogger(tmp_path / "logs", "x", run_id="bare") as logger:
        logger.log_training_error("out of memory")
    with pytest.raises(CannotGoOn, match="it has finished"):
        fpd("resume", "done", *where)
    with pytest.raises(CannotGoOn, match="no checkpoint of it was found"):
        fpd("resume", "bare", *where)
    keep_asked(Asked("bare", "centralized", "x", "phantoms"), tmp_path / "c" / "bare", tmp_path / "logs")
    with pytest.raises(CannotGoOn, match="no checkpoint of epoch 9, nor of any other; 0 starts over"):
        fpd("resume", "bare", "--from", "9", *where)
