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
from federated_pneumonia_detection.progress.asked import point_path
from federated_pneumonia_detection.training.checkpoints import load_checkpoint, save_best
from federated_pneumonia_detection.training.curves import curves_of
from federated_pneumonia_detection.training.devices import choose_device
from federated_pneumonia_detection.training.epochs import evaluate_locally
from federated_pneumonia_detection.training.errors import BadCheckpoint
from federated_pneumonia_detection.training.networks import build_network
from federated_pneumonia_detection.training.points import drop_points, drop_points_after, save_point

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
        self._best: dict[str, torch.Tensor] = {}

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
            self._best = _weights(self.network)
            self._save_best()
        return metrics

    def keep(self, round_num: int, more: Mapping[str, Any]) -> None:
        """Keep the round to go on from, beside the newest two before it and the best one.

        Args:
            round_num: the round that was taken last.
            more: what else decides how the run goes on, as tensors and numbers.

        Raises:
            OSError: it cannot be written.
        """
        best = {"round": self.best_round, "metrics": self.best_metrics, "network": self._best, "waited": self.waited}
        save_point(self.folder, "round", round_num, {**more, "network": _weights(self.network), "best": best})
        drop_points(self.folder, "round", keep=[self.best_round])

    def go_on_from(self, round_num: int, kept: Mapping[str, Any]) -> None:
        """Be again what `keep` kept after that round; what an earlier attempt has kept of later ones goes.

        Raises:
            BadCheckpoint: the weights are of another network.
        """
        try:
            best = kept["best"]
            self.best_round, self.best_metrics, self.waited = best["round"], best["metrics"], best["waited"]
            self._best = best["network"]
            if self._best:
                self.network.load_state_dict(self._best)
                self._save_best()
            self.network.load_state_dict(kept["network"])
        except (RuntimeError, TypeError, AttributeError, KeyError) as error:
            path = point_path(self.folder, "round", round_num)
            raise BadCheckpoint(path, f"holds the weights of another network than {self.config.model}") from error
        drop_points_after(self.folder, "round", round_num)

    def _save_best(self) -> None:
        assert self.best_round is not None
        self.path = save_best(
            self.network, self.config, self.folder, epoch=self.best_round, metrics=self.best_metrics, about=self.about
        )

    def test(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Measure the best model on the test split.

        Returns:
            `test_…` metrics with `test_num_samples`, and what `log_test_curves` tells; both empty without test images.
            They are of the server's own test split: no hospital adds to them.
        """
        if self.path is not None:
            self.network, _ = load_checkpoint(self.path)
        metrics, logits = self._measure("test", views=self.config.test_time_augmentation)
        if not metrics:
            return {}, {}
        labels = torch.as_tensor(self.dataset.labels["test"])
        metrics["test_num_samples"] = metrics.pop("num_samples")
        return metrics, curves_of(logits, labels, threshold=self.config.threshold)

    def _measure(self, split: Any, *, views: bool) -> tuple[dict[str, Any], torch.Tensor]:
        images, labels = self.dataset.images[split], self.dataset.labels[split]
        metrics, logits = evaluate_locally(
            self.network, images, labels, self.config, prefix=f"{split}_", views=views, device=self.device
        )
        if not metrics:
            return {}, logits
        return {**_known(metrics), "num_samples": len(labels)}, logits


def _weights(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}


def _known(metrics: Mapping[str, float]) -> dict[str, Any]:
    """What can be measured on these images: of one class alone there is no AUROC, which is no alarm. A loss is."""
    return {key: value for key, value in metrics.items() if key.endswith("_loss") or not math.isnan(value)}
