"""`kill -9` of the trainer and of the server: what returned is there, once, and the page is told why."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import talkers
from server_process import ServerProcess, messages, until

from federated_pneumonia_detection.progress import ProgressLogger


@pytest.fixture
def trainer(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A training that logs for ever."""
    command = [sys.executable, str(Path(talkers.__file__)), str(tmp_path / "progress"), "endless-run"]
    process = subprocess.Popen([*command, str(tmp_path / "returned")])
    yield process
    process.kill()
    process.wait()


def returned(tmp_path: Path) -> int:
    """How many epochs' log calls have returned."""
    path = tmp_path / "returned"
    return len(path.read_bytes().splitlines()) if path.exists() else 0


def test_a_killed_trainer_is_told_within_five_seconds_and_nothing_that_returned_is_missing(
    trainer: subprocess.Popen[bytes], tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    with ServerProcess(tmp_path / "progress") as server, server.viewer("/ws/training-progress?after=0") as viewer:
        wait_until(lambda: returned(tmp_path) >= 20, "some epochs were logged")
        trainer.send_signal(signal.SIGKILL)
        killed = time.monotonic()
        seen = until(viewer, "training_error", timeout_s=10)
        seconds = time.monotonic() - killed

        document = json.loads((tmp_path / "progress" / "endless-run.json").read_text())
        state = httpx.get(f"{server.url}/api/runs/endless-run").json()

    print(f"told after {seconds:.2f} s")
    epochs = [m["epoch"] for m in seen if m["type"] == "epoch_end"]
    assert epochs == list(range(1, len(epochs) + 1))
    assert len(epochs) >= returned(tmp_path)
    assert seconds < 5
    assert "\n" not in seen[-1]["error"]
    assert document["metadata"]["status"] == state["status"] == "failed"
    assert [m["epoch"] for m in document["epochs"] if m["type"] == "epoch_end"] == epochs


def test_a_killed_server_changes_nothing_for_the_trainer_and_its_viewer_comes_back_with_its_cursor(
    trainer: subprocess.Popen[bytes], tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    with ServerProcess(tmp_path / "progress") as server:
        with server.viewer("/ws/training-progress?after=0") as viewer:
            first = next(messages(viewer))
            before = []
            for message in messages(viewer):
                before.append(message)
                if message.get("epoch") == 10:
                    break
        server.kill()
        logged = returned(tmp_path)
        wait_until(lambda: returned(tmp_path) >= logged + 10, "the training went on without a server")
        server.start()
        cursor = f"after={before[-1]['offset']}&log_id={first['log_id']}"
        with server.viewer(f"/ws/training-progress?{cursor}") as viewer:
            again = next(messages(viewer))
            after = []
            for message in messages(viewer):
                after.append(message)
                if message.get("epoch") == logged + 10:
                    break

    assert again["recovered"] is True
    assert again["log_id"] == first["log_id"]
    offsets = [m["offset"] for m in before + after]
    assert offsets == list(range(1, len(offsets) + 1))


@pytest.mark.parametrize("started", ["before", "during", "after"])
def test_a_viewer_sees_a_run_whole_whenever_the_server_was_started(started: str, tmp_path: Path) -> None:
    directory = tmp_path / "progress"
    server = ServerProcess(directory)
    if started == "before":
        server.start()
    with ProgressLogger(log_dir=str(directory), experiment_name="own", run_id="own-run") as logger:
        for epoch in (1, 2, 3):
            logger.log_epoch_start(epoch, 3)
            if started == "during" and epoch == 2:
                server.start()
            logger.log_epoch_end(epoch, {"train_loss": 1 / epoch})
            logger.log_epoch_end(epoch, {"val_loss": 1 / epoch}, phase="val")
        logger.log_training_complete({"total_epochs": 3})
    if started == "after":
        server.start()

    try:
        with server.viewer("/ws/training-progress?run_id=own-run&after=0") as viewer:
            subscribed = time.monotonic()
            seen = until(viewer, "training_complete")
            assert time.monotonic() - subscribed < 20
    finally:
        server.stop()

    told = [(m["type"], m.get("epoch"), m.get("phase")) for m in seen[1:]]
    epoch = [("epoch_start", None), ("epoch_end", "train"), ("epoch_end", "val")]
    assert told == [
        ("run_start", None, None),
        *((kind, n, phase) for n in (1, 2, 3) for kind, phase in epoch),
        ("training_complete", None, None),
    ]
