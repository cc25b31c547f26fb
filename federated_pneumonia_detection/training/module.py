"""The recipe as a LightningModule."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional

from federated_pneumonia_detection.training.augmentation import augment
from federated_pneumonia_detection.training.errors import LossBecameNaN
from federated_pneumonia_detection.training.inference import as_batch
from federated_pneumonia_detection.training.metrics import measure, metric_collection
from federated_pneumonia_detection.training.optimisation import (
    RunningAverage,
    make_optimizer,
    one_cycle,
    set_rate,
    smoothed_loss,
)

if TYPE_CHECKING:
    from federated_pneumonia_detection.config import TrainingConfig

__all__ = ["PneumoniaModule"]


class PneumoniaModule(pl.LightningModule):
    """Trains a network by the recipe and measures it after each epoch.

    Logs ``train_loss``, ``train_accuracy``, …, ``val_loss``, ``val_auroc``, … once an epoch. The training loss is
    smoothed and weighted; the validation loss is the plain cross-entropy, comparable between runs.

    Args:
        network: From ``build_network``.
        config: The recipe's numbers.
        weights: Of the two classes in the training loss.
    """

    def __init__(
        self, network: nn.Module, config: TrainingConfig, *, weights: tuple[float, float] = (1.0, 1.0)
    ) -> None:
        super().__init__()
        self.network = network
        self.config = config
        self.weights = weights
        self.average = RunningAverage(network) if config.ema else None
        if self.average is not None:
            # Registered, so that it moves to the device with the rest.
            self.averaged = self.average.network
        # How far the newest validation loss may be off by the choice of images: one standard error.
        self.val_loss_error = 0.0
        self._chance: torch.Generator | None = None
        # Where it was when the checkpoint was written that this training goes on from.
        self._chance_before: Tensor | None = None
        # Of the running epoch, phase by phase; measured all at once at its end.
        self._seen: dict[str, list[tuple[Tensor, Tensor]]] = {"train": [], "val": []}
        self._metrics = {phase: metric_collection(config.threshold, prefix=f"{phase}_") for phase in self._seen}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds what decides how the training goes on beside weights and optimiser."""
        chance = None if self._chance is None else self._chance.get_state()
        checkpoint["recipe"] = {"chance": chance, "updates": 0 if self.average is None else self.average.updates}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes it back."""
        recipe = checkpoint["recipe"]
        self._chance_before = recipe["chance"]
        if self.average is not None:
            self.average.updates = recipe["updates"]

    @property
    def result(self) -> nn.Module:
        """The network to keep: the running average where there is one."""
        return self.network if self.average is None else self.average.network

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW; its learning rate is set anew before each step."""
        return make_optimizer(self.network, self.config)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Sets learning rate and beta to where the one cycle is."""
        step, total = self.global_step, max(1, int(self.trainer.estimated_stepping_batches))
        optimizer = self.trainer.optimizers[0]
        set_rate(optimizer, *one_cycle(min(step, total - 1), total, self.config.learning_rate))

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """The loss of one augmented batch.

        Raises:
            LossBecameNaN: When it is no number any more.
        """
        images, labels = as_batch(batch[0], self.device), batch[1]
        if self.config.augment:
            images = augment(images, self._generator())
        logits = self.network(images)
        loss = smoothed_loss(logits, labels, smoothing=self.config.label_smoothing, weights=self.weights)
        if not math.isfinite(float(loss.detach())):
            raise LossBecameNaN(self.current_epoch + 1, batch_idx + 1)
        self._seen["train"].append((logits.detach(), labels))
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(labels), sync_dist=True)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Lets the running average follow."""
        if self.average is not None:
            self.average.update(self.network)

    def on_train_epoch_end(self) -> None:
        """Logs the training metrics of the whole epoch, as the augmented images were judged while it went on."""
        self._log_metrics("train")

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Judges one batch with the network that would be kept."""
        labels = batch[1]
        logits = self.result.eval()(as_batch(batch[0], self.device))
        loss = smoothed_loss(logits, labels, smoothing=0.0, weights=(1.0, 1.0))
        self._seen["val"].append((logits, labels))
        self.log("val_loss", loss, batch_size=len(labels), sync_dist=True)

    def on_validation_epoch_start(self) -> None:
        """Forgets what a broken-off validation left behind."""
        self._seen["val"].clear()

    def on_validation_epoch_end(self) -> None:
        """Logs the validation metrics, and notes how sure the loss is."""
        if self._seen["val"]:
            logits, labels = (torch.cat(column) for column in zip(*self._seen["val"], strict=True))
            each = functional.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype), reduction="none")
            self.val_loss_error = float(each.std(correction=0)) / math.sqrt(len(each))
        self._log_metrics("val")

    def on_train_epoch_start(self) -> None:
        """The running average never trains; Lightning puts all modules into training mode."""
        self._seen["train"].clear()
        if self.average is not None:
            self.average.network.eval()

    def _log_metrics(self, phase: str) -> None:
        seen = self._seen[phase]
        if seen:
            logits, labels = (torch.cat(column).cpu() for column in zip(*seen, strict=True))
            self.log_dict(measure(self._metrics[phase], logits, labels))
            seen.clear()

    def _generator(self) -> torch.Generator:
        if self._chance is None or self._chance.device != self.device:
            self._chance = torch.Generator(self.device).manual_seed(self.config.seed)
            if self._chance_before is not None:
                self._chance.set_state(self._chance_before)
        return self._chance
