"""A training that `kill -9` ended goes on from an epoch before: one run, one curve, and the superseded tail is kept."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from federated_pneumonia_detection.cli.journals import Journals
from federated_pneumonia_detection.config import TrainingConfig, dump_config
from federated_pneumonia_detection.progress.asked import points

FPD = [sys.executable, "-m", "federated_pneumonia_detection"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Few images whose class shows in a bright square."""
    random = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for split, count in (("train", 32), ("val", 16), ("test", 16)):
        labels = (np.arange(count) % 2).astype(np.uint8)
        images = random.integers(60, 140, size=(count, 28, 28), dtype=np.uint8)
        images[labels == 1, 8:20, 8:20] += 80
        arrays |= {f"{split}_images": images, f"{split}_labels": labels.reshape(-1, 1)}
    np.savez(tmp_path / "squares.npz", **arrays)
    return tmp_path / "squares.npz"


def test_killed_at_epoch_seven_resumed_at_five(tmp_path: Path, source: Path, wait_until: Callable[..., None]) -> None:
    logs, checkpoints = tmp_path / "progress", tmp_path / "checkpoints"
    config = TrainingConfig(
        epochs=10, batch_size=8, image_size=16, model_args={"channels": [4, 4, 4]}, device="cpu", threads=1
    )
    (tmp_path / "config.yaml").write_text(dump_config(config))
    where = ["--log-dir", str(logs), "--checkpoint-dir", str(checkpoints)]
    train = [*FPD, "train", "centralized", str(source), "--config", str(tmp_path / "config.yaml"), "--run-id", "r"]
    with subprocess.Popen([*train, *where], stdout=subprocess.DEVNULL) as training:
        wait_until(lambda: points(checkpoints / "r", "epoch")[-1:] >= [7], "seven epochs are done", timeout_s=60)
        training.send_signal(signal.SIGKILL)
    reached = _last_epoch(logs)

    done = subprocess.run([*FPD, "resume", "r", "--from", "5", *where], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "epoch 6 of 10" in done.stdout
    assert "epoch 5 of 10" not in done.stdout, "what the first attempt said is not told again"
    run = Journals(logs).run("r")
    assert (run["status"], run["attempt"]) == ("completed", 2)
    assert [at for at, _ in run["key_series"]] == list(range(1, 11)), "each epoch once"
    first, second = run["attempts"]
    assert (first["kept"], first["reached"], second["from"]) == (5, reached, 5)
    assert [at for at, _ in first["key_series"]][5:7] == [6, 7], "the superseded tail is kept"


def _last_epoch(logs: Path) -> int:
    try:
        return int(Journals(logs).run("r")["epoch"])
    except LookupError:
        return 0
