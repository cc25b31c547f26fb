"""The Lightning callback that keeps the best network as a plain ``state_dict`` with its description."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint

from federated_pneumonia_detection.training.checkpoints import save_best
from federated_pneumonia_detection.training.module import PneumoniaModule

if TYPE_CHECKING:
    from federated_pneumonia_detection.config import TrainingConfig

__all__ = ["BestNetwork"]


class BestNetwork(Checkpoint):
    """Writes ``best.pt`` and ``best.json`` whenever the validation loss is the lowest so far.

    Without a validation split the newest epoch is kept.

    Args:
        folder: Where the two files go.
        config: The configuration of the run.
        about: Goes into ``best.json``.
        monitor: The metric to go by; the lower, the better.
    """

    def __init__(
        self,
        folder: Path,
        config: TrainingConfig,
        *,
        about: Mapping[str, Any] | None = None,
        monitor: str = "val_loss",
    ) -> None:
        super().__init__()
        self.folder = folder
        self.config = config
        self.about = about
        self.monitor = monitor
        # Of the best so far; None before the first.
        self.path: Path | None = None
        self.epoch: int | None = None
        self.score: float | None = None

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keeps the network if this epoch's validation was the best."""
        if not trainer.is_global_zero or not isinstance(pl_module, PneumoniaModule):
            return
        value = trainer.callback_metrics.get(self.monitor)
        score = None if value is None else float(value)
        if score is not None:
            if not math.isfinite(score) or (self.score is not None and score >= self.score):
                return
            self.score = score
        self.epoch = trainer.current_epoch + 1
        metrics = {k: float(v) for k, v in trainer.callback_metrics.items() if k.startswith("val_")}
        told = {k: v if math.isfinite(v) else None for k, v in metrics.items()}
        self.path = save_best(
            pl_module.result, self.config, self.folder, epoch=self.epoch, metrics=told, about=self.about
        )
