"""What a trained network says of single images. For research, not a medical device."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from federated_pneumonia_detection.data import DataError, read_image
from federated_pneumonia_detection.data.images import IMAGE_SUFFIXES
from federated_pneumonia_detection.training.checkpoints import load_checkpoint
from federated_pneumonia_detection.training.devices import choose_device
from federated_pneumonia_detection.training.errors import TrainingError
from federated_pneumonia_detection.training.inference import predict_logits

__all__ = ["Prediction", "find_images", "predict_images"]

# Images read before they are judged: bounds memory for a folder of any size.
_CHUNK = 256


@dataclass(frozen=True)
class Prediction:
    """The verdict on one image.

    Attributes:
        path: The image.
        probability: Of pneumonia, 0…1; None if the image cannot be read.
        threshold: From this probability on the verdict is pneumonia.
        error: Why the image cannot be read, in one line; else None.
    """

    path: Path
    probability: float | None
    threshold: float
    error: str | None = None

    @property
    def label(self) -> str | None:
        """``pneumonia`` or ``normal``; None without a probability."""
        if self.probability is None:
            return None
        return "pneumonia" if self.probability >= self.threshold else "normal"


def find_images(paths: Iterable[str | Path]) -> list[Path]:
    """The image files that ``paths`` name; a folder stands for all images below it, in the order of their names.

    Raises:
        TrainingError: If a path does not exist, or a folder holds no image.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file())
            if not inside:
                raise TrainingError(f"{path}: no image below it; known are {', '.join(sorted(IMAGE_SUFFIXES))}")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise TrainingError(f"{path}: no such image or folder")
    return found


def predict_images(
    checkpoint: str | Path, paths: Sequence[str | Path], *, threshold: float | None = None, device: str = "auto"
) -> list[Prediction]:
    """Judges images with a trained network, in the way the test split was judged.

    Args:
        checkpoint: ``best.pt`` or its folder.
        paths: Images, or folders of them.
        threshold: Instead of the one the network was trained with.
        device: As in the configuration.

    Returns:
        One prediction for each image; an image that cannot be read has an ``error`` and stops nothing.

    Raises:
        BadCheckpoint: If the checkpoint cannot be used.
        TrainingError: If a path does not exist.
    """
    images = find_images(paths)
    where = choose_device(device)
    network, config = load_checkpoint(checkpoint, device=where)
    cut = config.threshold if threshold is None else threshold
    predictions: list[Prediction] = []
    for start in range(0, len(images), _CHUNK):
        chunk = images[start : start + _CHUNK]
        pixels, errors = _read(chunk, config.image_size)
        views = config.test_time_augmentation
        logits = predict_logits(network, pixels, views=views, device=where)
        probabilities = iter(torch.sigmoid(logits.double()).tolist())
        for path in chunk:
            error = errors.get(path)
            predictions.append(Prediction(path, None if error else next(probabilities), cut, error))
    return predictions


def _read(paths: Sequence[Path], size: int) -> tuple[np.ndarray, dict[Path, str]]:
    pixels, errors = [], {}
    for path in paths:
        try:
            pixels.append(read_image(path, size))
        except (DataError, OSError) as error:
            errors[path] = str(error)
    return (np.stack(pixels) if pixels else np.empty((0, size, size), np.uint8)), errors
