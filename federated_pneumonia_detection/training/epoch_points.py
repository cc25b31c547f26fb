"""The Lightning callback that keeps the last epochs to go on from, with everything that decides how it goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint

from federated_pneumonia_detection.training.best_network import BestNetwork, was_broken_off
from federated_pneumonia_detection.training.metrics_collector import MetricsCollectorCallback
from federated_pneumonia_detection.training.points import drop_points, drop_points_after, write_point

__all__ = ["EpochPoints"]


class EpochPoints(Checkpoint):
    """Writes ``epoch-<n>.pt`` after each epoch and keeps the newest three and the best.

    Beside what Lightning keeps (weights, optimiser, where its loops are, what other callbacks want) the states of
    torch's own chance are in it, so that a training that goes on draws what it would have drawn.

    Args:
        folder: Where they go.
        best: Knows which epoch is the best so far.
        metrics: Tells where one could not be written; the training goes on.
    """

    def __init__(self, folder: Path, *, best: BestNetwork, metrics: MetricsCollectorCallback) -> None:
        super().__init__()
        self.folder = folder
        self.best = best
        self.metrics = metrics
        self._chance: dict[str, Any] | None = None
        self._told = False

    def state_dict(self) -> dict[str, Any]:
        """Where torch's chance is."""
        cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
        return {"torch": torch.get_rng_state(), "cuda": cuda}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Remembers it until the first epoch begins: what comes before draws as well."""
        self._chance = state_dict

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """What an earlier attempt had reached beyond the point this one goes on from is of a way not taken."""
        if trainer.is_global_zero:
            drop_points_after(self.folder, "epoch", trainer.current_epoch)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Puts torch's chance where it was, once."""
        chance, self._chance = self._chance, None
        if chance is None:
            return
        torch.set_rng_state(chance["torch"])
        if chance["cuda"] and len(chance["cuda"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all(chance["cuda"])

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keeps the epoch, unless it was broken off."""
        if was_broken_off(trainer):
            return
        # Told now, so that the checkpoint holds it: the module has said its last word by now.
        self.metrics.close_epoch(trainer)
        epoch = trainer.current_epoch + 1
        try:
            write_point(self.folder, "epoch", epoch, trainer.save_checkpoint)
            drop_points(self.folder, "epoch", keep=[self.best.epoch])
        except OSError as error:
            if not self._told and self.metrics.progress_logger is not None:
                self._told = True
                text = f"{error.strerror or error}; the training goes on, but could not be resumed from here"
                self.metrics.progress_logger.log_alert("warning", f"No checkpoint of epoch {epoch}", text)
