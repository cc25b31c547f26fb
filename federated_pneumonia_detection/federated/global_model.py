"""The global model on the server: measured after each round, the best one kept, tested at the end."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from flwr.app import ArrayRecord

from federated_pneumonia_detection.config import FederatedConfig
from federated_pneumonia_detection.data import Dataset
from federated_pneumonia_detection.federated.weights import load_weights, statistics_of, weights_of
from federated_pneumonia_detection.training.checkpoints import load_checkpoint, save_best
from federated_pneumonia_detection.training.devices import choose_device
from federated_pneumonia_detection.training.epochs import evaluate_locally
from federated_pneumonia_detection.training.metrics import roc_and_confusion
from federated_pneumonia_detection.training.networks import build_network

__all__ = ["GlobalModel"]


class GlobalModel:
    """What the rounds make, and how good it is.

    Best is the round with the least validation loss; without validation images, or while no loss can be had, the
    newest round.

    Args:
        config: of the run.
        dataset: its validation and test splits are the server's.
        folder: where the best model goes.
        about: what stands beside it in its description.
    """

    def __init__(self, config: FederatedConfig, dataset: Dataset, folder: Path, about: Mapping[str, Any]) -> None:
        self.config = config
        self.dataset = dataset
        self.folder = folder
        self.about = dict(about)
        self.network = build_network(config)
        self.device = choose_device(config.device)
        self.best_round: int | None = None
        self.best_metrics: dict[str, Any] = {}
        self.path: Path | None = None
        # Rounds since the best one.
        self.waited = 0

    def arrays(self) -> ArrayRecord:
        """The weights, and the batch norms' statistics with them, as Flower sends them."""
        return weights_of(self.network)

    def statistics(self) -> list[str]:
        """Names of the arrays that are measured in training, not trained."""
        return statistics_of(self.network)

    def take(self, round_num: int, arrays: ArrayRecord) -> dict[str, Any]:
        """Take the weights of a round, measure them on the validation split, keep them if they are the best so far.

        Returns:
            `val_…` metrics with `num_samples`; empty without validation images.
        """
        load_weights(self.network, arrays)
        metrics = self._measure("val", views=False)[0]
        loss, best = metrics.get("val_loss", math.nan), self.best_metrics.get("val_loss", math.nan)
        self.waited += 1
        if math.isnan(best) or loss < best:
            self.best_round, self.best_metrics, self.waited = round_num, metrics, 0
            self.path = save_best(
                self.network, self.config, self.folder, epoch=round_num, metrics=metrics, about=self.about
            )
        return metrics

    def test(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Measure the best model on the test split.

        Returns:
            `test_…` metrics with `test_num_samples`, and the curves (`fpr`, `tpr`, `threshold`, `confusion`); both
            empty without test images.
        """
        if self.path is not None:
            self.network, _ = load_checkpoint(self.path)
        metrics, logits = self._measure("test", views=self.config.test_time_augmentation)
        if not metrics:
            return {}, {}
        labels = torch.as_tensor(self.dataset.labels["test"])
        metrics["test_num_samples"] = metrics.pop("num_samples")
        return metrics, roc_and_confusion(logits, labels, threshold=self.config.threshold)

    def _measure(self, split: Any, *, views: bool) -> tuple[dict[str, Any], torch.Tensor]:
        images, labels = self.dataset.images[split], self.dataset.labels[split]
        metrics, logits = evaluate_locally(
            self.network, images, labels, self.config, prefix=f"{split}_", views=views, device=self.device
        )
        if not metrics:
            return {}, logits
        return {**_known(metrics), "num_samples": len(labels)}, logits


def _known(metrics: Mapping[str, float]) -> dict[str, Any]:
    """What can be measured on these images: of one class alone there is no AUROC, which is no alarm. A loss is."""
    return {key: value for key, value in metrics.items() if key.endswith("_loss") or not math.isnan(value)}
