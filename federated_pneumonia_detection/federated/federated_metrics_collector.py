"""A client's metrics, told as they come: called by hand in a loop of one's own, or as a Lightning callback."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from federated_pneumonia_detection.federated.errors import RunCancelled
from federated_pneumonia_detection.federated.round_progress import RoundProgress
from federated_pneumonia_detection.progress import FederatedProgressLogger
from federated_pneumonia_detection.progress.protocol import WebSocketManager
from federated_pneumonia_detection.progress.slug import slug
from federated_pneumonia_detection.training.lightning_metrics import changed, named, step_loss

__all__ = ["FederatedMetricsCollector"]


class FederatedMetricsCollector(pl.Callback):
    """Tells `round_start`, what happens within the round, and `round_end` of one client.

    As a callback of the Lightning trainer that trains a round it says `step` for each batch and `local_epoch` for each
    epoch; `epoch_start` and `epoch_end` belong to centralised runs and are not said. Between two rounds it is silent.

    Args:
        client_id: what people call the client, as `client_0`.
        save_dir: where `<run_id>_<client_id>_rounds.json`, one object for each round, is kept; `None` for nowhere.
        experiment_name: what the run is called.
        run_id: the run to join; `None` finds or makes the one this client belongs to.
        enable_progress_logging: `False` collects the metrics and says nothing.
        progress_log_dir: where the journal and the polled document lie.
        websocket_manager: if given, the messages go through it as well: a `ConnectionManager`.
    """

    def __init__(
        self,
        client_id: str,
        save_dir: str | Path | None = None,
        experiment_name: str = "federated",
        run_id: str | None = None,
        enable_progress_logging: bool = True,
        progress_log_dir: str | Path = "logs/progress",
        websocket_manager: WebSocketManager | None = None,
    ) -> None:
        super().__init__()
        self.client_id = client_id
        self.save_dir = None if save_dir is None else Path(save_dir)
        self.experiment_name = experiment_name
        # One dict for each round: round, then its fit and eval metrics.
        self.history: list[dict[str, Any]] = []
        self._given_run_id = run_id
        self._progress = (
            RoundProgress(
                client_id,
                log_dir=str(progress_log_dir),
                experiment_name=experiment_name,
                run_id=run_id,
                websocket_manager=websocket_manager,
            )
            if enable_progress_logging
            else None
        )
        # Epochs of the open round that are over.
        self._epochs_done = 0
        # callback_metrics when the present epoch began, to know what it has added.
        self._before: dict[str, Any] = {}
        # callback_metrics when the epoch's validation began, and what it has added.
        self._before_val: dict[str, Any] = {}
        self._val: dict[str, Any] = {}

    @property
    def progress_logger(self) -> FederatedProgressLogger | None:
        """The logger; `None` if logging is off."""
        return None if self._progress is None else self._progress.logger

    @property
    def run_id(self) -> str | None:
        """The run this client is in, `None` until it is known."""
        return self._given_run_id if self._progress is None else self._progress.logger.run_id

    def start_round(self, round_num: int, total_rounds: int | None) -> None:
        """Say that a round (from 1) begins."""
        self._epochs_done = 0
        if self._progress is not None:
            self._progress.start_round(round_num, total_rounds)

    def end_round(self, round_num: int, fit_metrics: Mapping[str, Any], eval_metrics: Mapping[str, Any]) -> None:
        """Say that a round is over, with what training and evaluation gave.

        Args:
            round_num: the round.
            fit_metrics: of training, as `train_loss`, `num_samples`.
            eval_metrics: of validation, as `val_loss`, `val_accuracy`, `num_samples`.
        """
        self.history.append({"round": round_num, **fit_metrics, **_without_clash(fit_metrics, eval_metrics)})
        if self._progress is not None:
            self._progress.end_round(round_num, fit_metrics, eval_metrics)
        self._save()

    def error(self, message: str) -> None:
        """Say that this client's part of the run has failed; the run goes on without it."""
        if self._progress is not None:
            self._progress.error(message)

    def close(self) -> None:
        """Close the logger; what was said stays."""
        if self._progress is not None:
            self._progress.close()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Remember what was known before the epoch."""
        self._before, self._val = dict(trainer.callback_metrics), {}

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Remember what was known before the validation."""
        self._before_val = dict(trainer.callback_metrics)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the validation's metrics; they are said with the epoch's."""
        if not trainer.sanity_checking:
            self._val = changed(self._before_val, trainer.callback_metrics)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Say `step`, and look whether somebody wants the run to stop (`RunCancelled`) or to wait."""
        if self._progress is None or not trainer.is_global_zero:
            return
        loss = step_loss(outputs, trainer.accumulate_grad_batches)
        total = trainer.num_training_batches
        self._progress.step(
            self._epochs_done + 1,
            batch_idx + 1,
            int(total) if math.isfinite(total) else None,
            {} if loss is None else {"train_loss": loss},
        )

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say `local_epoch`, with what training and validation of the epoch have added."""
        self._epochs_done += 1
        if self._progress is not None and trainer.is_global_zero:
            train = changed({**self._before, **self._val}, trainer.callback_metrics)
            self._progress.local_epoch(self._epochs_done, {**named(train, "train"), **named(self._val, "val")})

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Say what ended the training; Lightning raises it on."""
        if trainer.is_global_zero and not isinstance(exception, KeyboardInterrupt | RunCancelled):
            self.error(f"{type(exception).__name__}: {exception}")

    def _save(self) -> None:
        if self.save_dir is None:
            return
        name = f"{slug(str(self.run_id or self.experiment_name))}_{slug(self.client_id)}_rounds.json"
        rows = [{key: _plain(value) for key, value in row.items()} for row in self.history]
        try:
            self.save_dir.mkdir(parents=True, exist_ok=True)
            part = self.save_dir / f".{name}.part"
            part.write_text(json.dumps(rows, indent=2, allow_nan=False) + "\n", encoding="utf-8")
            part.replace(self.save_dir / name)
        except OSError as error:
            # A training must not fail for its notes; the journal has every number anyway.
            warnings.warn(f"the rounds could not be saved to {self.save_dir}: {error}", stacklevel=2)


def _without_clash(fit: Mapping[str, Any], evaluated: Mapping[str, Any]) -> dict[str, Any]:
    """Evaluation's metrics under names that training has not taken (`num_samples` stands in both)."""
    return {(f"eval_{key}" if key in fit else key): value for key, value in evaluated.items()}


def _plain(value: Any) -> Any:
    """What JSON can tell of `value`: a tensor's number, `None` for NaN and infinity, text for what it does not know."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, int | float | str | None) else str(value)
