"""What the tests of training share: one thread, a tiny configuration, tiny X-rays."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from federated_pneumonia_detection.config import TrainingConfig


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def tiny_config() -> TrainingConfig:
    """A network and batches so small that an epoch takes milliseconds."""
    return TrainingConfig(
        epochs=2, batch_size=8, image_size=12, model_args={"channels": [2, 2, 2]}, device="cpu", threads=1
    )


@pytest.fixture
def tiny_xrays() -> tuple[np.ndarray, np.ndarray]:
    """48 images of 12 x 12 whose class shows in a bright square: uint8 (N, H, W), labels (N,)."""
    random = np.random.default_rng(0)
    images = random.integers(60, 140, size=(48, 12, 12), dtype=np.uint8)
    labels = np.arange(48) % 3 % 2
    images[labels == 1, 3:8, 3:8] += 80
    return images, labels.astype(np.int64)
