"""The Lightning callback that keeps the best network as a plain ``state_dict`` with its description."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint
from torch import nn

from federated_pneumonia_detection.training.checkpoints import save_best
from federated_pneumonia_detection.training.metrics_collector import MetricsCollectorCallback
from federated_pneumonia_detection.training.module import PneumoniaModule

if TYPE_CHECKING:
    from federated_pneumonia_detection.config import TrainingConfig

__all__ = ["BestNetwork", "was_broken_off"]


def was_broken_off(trainer: pl.Trainer) -> bool:
    """Whether the epoch that ends is none: somebody stopped the run in the middle of it."""
    mine = (one for one in trainer.callbacks if isinstance(one, MetricsCollectorCallback))  # type: ignore[attr-defined]
    return any(one.outcome is not None for one in mine)


class BestNetwork(Checkpoint):
    """Writes ``best.pt`` and ``best.json`` after each epoch that is as good as the best.

    As good as: its validation loss lies within one standard error of the lowest so far (the rule of Breiman et al.,
    "Classification and Regression Trees", 1984). On a few hundred images smaller differences are chance, and of
    epochs that chance alone tells apart the latest is the most thoroughly trained: the cycle of the learning rate ends
    in its calmest part. Without a validation split the newest epoch is kept.

    Args:
        folder: Where the two files go.
        config: The configuration of the run.
        about: Goes into ``best.json``.
    """

    def __init__(self, folder: Path, config: TrainingConfig, *, about: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.folder = folder
        self.config = config
        self.about = dict(about or {})
        # The lowest validation loss so far and what may be added to it by chance.
        self._limit = math.inf
        self._lowest = math.inf
        # Of the network that is kept; None and empty before the first.
        self.path: Path | None = None
        self.epoch: int | None = None
        self.metrics: dict[str, float | None] = {}
        self._network: dict[str, Any] = {}

    @property
    def score(self) -> float | None:
        """The validation loss of the network that is kept; None without a validation split."""
        return self.metrics.get("val_loss")

    def state_dict(self) -> dict[str, Any]:
        """Which network is the best so far, and that network: by the time a run goes on the file may hold a later."""
        limits = {"limit": self._limit, "lowest": self._lowest}
        return {**limits, "epoch": self.epoch, "metrics": dict(self.metrics), "network": self._network}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes it back."""
        self._limit, self._lowest = state_dict["limit"], state_dict["lowest"]
        self.epoch, self.metrics, self._network = state_dict["epoch"], state_dict["metrics"], state_dict["network"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Writes the files of the best network anew, where the training goes on from an earlier epoch."""
        if not self._network or not trainer.is_global_zero or not isinstance(pl_module, PneumoniaModule):
            return
        network = copy.deepcopy(pl_module.result)
        network.load_state_dict(self._network)
        self._save(network)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keeps the network if this epoch was as good as the best."""
        if not trainer.is_global_zero or not isinstance(pl_module, PneumoniaModule) or was_broken_off(trainer):
            return
        measured = {k: float(v) for k, v in trainer.callback_metrics.items() if k.startswith("val_")}
        loss = measured.get("val_loss")
        if loss is not None:
            if loss < self._lowest:
                self._lowest, self._limit = loss, loss + pl_module.val_loss_error
            elif not loss <= self._limit:
                return
        self._network = {name: tensor.detach().cpu().clone() for name, tensor in pl_module.result.state_dict().items()}
        self.epoch = trainer.current_epoch + 1
        self.metrics = {k: v if math.isfinite(v) else None for k, v in measured.items()}
        self._save(pl_module.result)

    def _save(self, network: nn.Module) -> None:
        assert self.epoch is not None
        self.path = save_best(
            network, self.config, self.folder, epoch=self.epoch, metrics=self.metrics, about=self.about
        )
