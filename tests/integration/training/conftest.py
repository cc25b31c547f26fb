"""What the tests of whole trainings share: a small source of images and a configuration that takes a second."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from federated_pneumonia_detection.config import TrainingConfig


def make_npz(path: Path) -> Path:
    """A data set in MedMNIST's layout whose class shows in a bright square."""
    random = np.random.default_rng(0)
    arrays = {}
    for split, count in (("train", 64), ("val", 24), ("test", 24)):
        labels = (np.arange(count) % 2).astype(np.uint8)
        images = random.integers(60, 140, size=(count, 28, 28), dtype=np.uint8)
        images[labels == 1, 8:20, 8:20] += 80
        arrays |= {f"{split}_images": images, f"{split}_labels": labels.reshape(-1, 1)}
    np.savez(path, **arrays)
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_npz(tmp_path / "squares.npz")


@pytest.fixture
def config() -> TrainingConfig:
    return TrainingConfig(
        epochs=2,
        batch_size=16,
        image_size=16,
        model_args={"channels": [4, 4, 4]},
        learning_rate=0.02,
        device="cpu",
        threads=1,
    )


@pytest.fixture
def told() -> Callable[..., list[dict[str, Any]]]:
    """The messages of all journals of a directory, without stages, steps and the journals' own lines."""

    def read(directory: Path, *, steps: bool = False) -> list[dict[str, Any]]:
        lines = [json.loads(x) for path in sorted(directory.glob("*.jsonl")) for x in path.read_text().splitlines()]
        left_out = {"journal", "journal_end", "stage"} | (set() if steps else {"step"})
        return [line for line in lines if line["type"] not in left_out]

    return read
