"""How good a trained network is on a source of images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from federated_pneumonia_detection.data import SPLITS, DataError, Split, load_source
from federated_pneumonia_detection.training.checkpoints import describe_checkpoint, load_checkpoint
from federated_pneumonia_detection.training.curves import curves_of
from federated_pneumonia_detection.training.devices import choose_device
from federated_pneumonia_detection.training.epochs import evaluate_locally

__all__ = ["Evaluation", "evaluate_source"]

Part = Literal["train", "val", "test", "all"]


@dataclass(frozen=True)
class Evaluation:
    """What was measured. The positive class is pneumonia.

    Attributes:
        source: The data set's name.
        part: The split that was judged, or ``all``.
        phantom: Whether the images were generated, and are no X-rays.
        trained_on_phantoms: Whether the network has seen phantoms only.
        count: Images of each class: ``normal``, ``pneumonia``.
        threshold: From this probability on an image counts as pneumonia.
        metrics: ``loss``, ``accuracy``, ``recall``, ``precision``, ``specificity``, ``f1``, ``auroc``; NaN where a
            class it is about has no image.
        curves: ``fpr``, ``tpr``, ``threshold``, ``confusion`` and what else ``curves_of`` tells.
    """

    source: str
    part: Part
    phantom: bool
    trained_on_phantoms: bool
    count: dict[str, int]
    threshold: float
    metrics: dict[str, float]
    curves: dict[str, Any]


def evaluate_source(
    checkpoint: str | Path, source: str | Path | None, *, part: Part = "test", device: str = "auto"
) -> Evaluation:
    """Measures a trained network.

    Args:
        checkpoint: ``best.pt`` or its folder.
        source: As for a training.
        part: Which split to judge, or ``all`` of them.
        device: As in the configuration.

    Raises:
        BadCheckpoint: If the checkpoint cannot be used.
        DataError: If the source cannot be used, or has no image in ``part``.
    """
    where = choose_device(device)
    network, config = load_checkpoint(checkpoint, device=where)
    data = load_source(source, image_size=config.image_size, seed=config.seed)
    splits: tuple[Split, ...] = SPLITS if part == "all" else (part,)
    images = np.concatenate([data.images[split] for split in splits])
    labels = np.concatenate([data.labels[split] for split in splits])
    if len(labels) == 0:
        raise DataError(f"no image in the split {part!r}", data.name, "choose another split")
    views = config.test_time_augmentation
    metrics, logits = evaluate_locally(network, images, labels, config, prefix="", views=views, device=where)
    positive = int(labels.sum())
    return Evaluation(
        source=data.name,
        part=part,
        phantom=data.phantom,
        trained_on_phantoms=bool(describe_checkpoint(checkpoint).get("phantom")),
        count={"normal": len(labels) - positive, "pneumonia": positive},
        threshold=config.threshold,
        metrics=metrics,
        curves=curves_of(logits, torch.from_numpy(labels), threshold=config.threshold),
    )
