"""A Lightning trainer with everything a run of ours has: the messages, the best checkpoint, early stopping."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint, EarlyStopping, ModelCheckpoint

from federated_pneumonia_detection.progress.slug import new_run_id, slug
from federated_pneumonia_detection.training.checkpoints import checkpoint_folder
from federated_pneumonia_detection.training.devices import lightning_device
from federated_pneumonia_detection.training.metrics_collector import MetricsCollectorCallback
from federated_pneumonia_detection.training.quiet import quiet_lightning

if TYPE_CHECKING:
    from federated_pneumonia_detection.config import TrainingConfig
    from federated_pneumonia_detection.progress import WebSocketManager

__all__ = ["TrainerAndCallbacks", "prepare_trainer_and_callbacks_pl"]


class TrainerAndCallbacks(NamedTuple):
    """What ``prepare_trainer_and_callbacks_pl`` returns.

    Attributes:
        trainer: The Lightning trainer; call ``trainer.fit(module, data)``. The callbacks are in it already.
        metrics: Tells how the training goes; ``metrics.run_id`` names the run once ``fit`` has begun.
        checkpoint: Keeps the best weights: Lightning's ``ModelCheckpoint``, or the one that was given.
        early_stopping: None unless a patience was set.
    """

    trainer: pl.Trainer
    metrics: MetricsCollectorCallback
    checkpoint: Checkpoint
    early_stopping: EarlyStopping | None


def prepare_trainer_and_callbacks_pl(
    config: TrainingConfig | None = None,
    checkpoint_dir: str | Path = "checkpoints",
    logs_dir: str | Path = "logs",
    experiment_name: str = "experiment",
    run_id: str | None = None,
    *,
    epochs: int | None = None,
    monitor: str = "val_loss",
    monitor_mode: str = "min",
    early_stopping_patience: int | None = None,
    progress_log_dir: str | Path | None = None,
    websocket_manager: WebSocketManager | None = None,
    metrics: MetricsCollectorCallback | None = None,
    checkpoint: Checkpoint | None = None,
    progress_bar: bool | None = None,
    **trainer_options: Any,
) -> TrainerAndCallbacks:
    """Makes a Lightning trainer whose training can be watched. Works with any LightningModule.

    No ``lightning_logs`` folder appears: the journal in ``progress_log_dir`` is the log.

    Args:
        config: ``epochs``, ``device`` and ``early_stopping_patience`` are read; the defaults if left out.
        checkpoint_dir: Lightning's best checkpoint goes to a folder of this run's in here.
        logs_dir: The folder of all logs; also where the metrics of the run are saved as JSON.
        experiment_name: What people call the run.
        run_id: What programs call it; made if left out.
        epochs: Wins over ``config.epochs``.
        monitor: The metric that tells which epoch was best.
        monitor_mode: ``min`` or ``max``.
        early_stopping_patience: Wins over the configuration's; None there and here switches early stopping off.
        progress_log_dir: Where journal and document go; ``logs_dir/progress`` if left out.
        websocket_manager: A ``ConnectionManager`` that shows the run as it goes.
        metrics: A callback of one's own making, instead of one made from the arguments above.
        checkpoint: Instead of Lightning's.
        progress_bar: Whether Lightning draws one; only on a terminal if left out.
        **trainer_options: Anything else that ``pytorch_lightning.Trainer`` takes; wins over what is set here.

    Returns:
        The Lightning trainer, and beside it the callbacks it already has: ``(trainer, metrics, checkpoint,
        early_stopping)``.

    Raises:
        DeviceUnavailable: If the configured device is not there.
    """
    logs = Path(logs_dir)
    if metrics is None:
        # Decided here and not by the logger, so that the checkpoint can lie in a folder of the run's name.
        run_id = run_id or os.environ.get("FPD_RUN_ID") or new_run_id(experiment_name)
        metrics = MetricsCollectorCallback(
            save_dir=logs / "metrics",
            experiment_name=experiment_name,
            run_id=run_id,
            progress_log_dir=logs / "progress" if progress_log_dir is None else progress_log_dir,
            websocket_manager=websocket_manager,
        )
    if checkpoint is None:
        folder = checkpoint_folder(checkpoint_dir, slug(metrics.run_id or experiment_name))
        checkpoint = ModelCheckpoint(dirpath=folder, filename="best", monitor=monitor, mode=monitor_mode)
    if early_stopping_patience is None and config is not None:
        early_stopping_patience = config.early_stopping_patience
    early_stopping = None
    if early_stopping_patience is not None:
        early_stopping = EarlyStopping(monitor, patience=early_stopping_patience, mode=monitor_mode, strict=False)
    accelerator, devices = lightning_device("auto" if config is None else config.device)
    default_epochs = 24 if config is None else config.epochs
    mine = [metrics, checkpoint, *([early_stopping] if early_stopping else [])]
    options: dict[str, Any] = {
        "max_epochs": default_epochs if epochs is None else epochs,
        "accelerator": accelerator,
        "devices": devices,
        "default_root_dir": str(logs),
        "logger": False,
        "enable_progress_bar": sys.stderr.isatty() if progress_bar is None else progress_bar,
        "enable_model_summary": False,
        **trainer_options,
        "callbacks": [*mine, *trainer_options.get("callbacks", [])],
    }
    with quiet_lightning():
        trainer = pl.Trainer(**options)
    return TrainerAndCallbacks(trainer, metrics, checkpoint, early_stopping)
