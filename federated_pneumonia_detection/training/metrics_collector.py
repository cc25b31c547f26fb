"""The Lightning callback that tells how a training goes; it works on anybody's LightningModule.

It reads the trainer and calls a logger; what a message means is decided in ``progress``.
"""

from __future__ import annotations

import json
import math
import time
import traceback
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
from pytorch_lightning.utilities.exceptions import SIGTERMException
from pytorch_lightning.utilities.model_helpers import is_overridden

from federated_pneumonia_detection.config import ConfigError
from federated_pneumonia_detection.data import DataError
from federated_pneumonia_detection.progress import ProgressLogger, WebSocketProgressLogger
from federated_pneumonia_detection.progress.cancel import Cancel, clear
from federated_pneumonia_detection.progress.orders import LOOK_S, OrderWatch
from federated_pneumonia_detection.progress.slug import slug
from federated_pneumonia_detection.training.errors import LossBecameNaN, TrainingCancelled, TrainingError, one_line
from federated_pneumonia_detection.training.lightning_metrics import changed, named, step_loss

if TYPE_CHECKING:
    from federated_pneumonia_detection.progress import WebSocketManager

__all__ = ["MetricsCollectorCallback"]

# Seconds between two sends to viewers: quick enough for the eye, a tenth of the messages of a fast loop.
_BROADCAST_INTERVAL_S = 0.1
# Of a traceback, its end: the innermost call says most.
_DETAIL_CHARACTERS = 8_000


class MetricsCollectorCallback(pl.Callback):
    """Logs ``epoch_start``, ``step``, ``epoch_end`` (train, then val) and the end of a training.

    Lightning validates before it closes the training epoch; the messages come in the order people expect all the
    same. Nothing is said from the sanity check, and under DDP by rank zero alone. An exception is told as
    ``training_error`` and goes on its way; Ctrl-C and a cancel request are told as ``training_cancelled``. A cancel
    request is seen at the next batch and stops the trainer as early stopping would: ``fit`` returns. A request to
    pause is seen there, too: the training waits, holding what it holds, until it is taken back.

    The callback can be pickled, as DDP with spawned processes does.

    Args:
        save_dir: Where ``<run_id>_metrics.json``, one object for each epoch, is written at the end; None for nowhere.
        experiment_name: What people call it.
        run_id: What programs call it; decided by the logger if left out.
        enable_progress_logging: False collects the metrics and says nothing.
        progress_log_dir: Where the journal and the polled document lie.
        websocket_manager: If given, the messages go through it as well: a ``ConnectionManager``.
        training_mode: Stands in the document as ``training_mode``.
        run_start: What the first message says about configuration, data and software.
        ends_run: False leaves the last word, ``training_complete``, to the caller, who still has a test to run.
    """

    def __init__(
        self,
        save_dir: str | Path | None,
        experiment_name: str,
        run_id: str | None = None,
        enable_progress_logging: bool = True,
        progress_log_dir: str | Path = "logs/progress",
        websocket_manager: WebSocketManager | None = None,
        training_mode: str = "centralized",
        *,
        run_start: Mapping[str, Any] | None = None,
        ends_run: bool = True,
    ) -> None:
        super().__init__()
        self.save_dir = None if save_dir is None else Path(save_dir)
        self.experiment_name = experiment_name
        self.run_id = run_id
        self.enable_progress_logging = enable_progress_logging
        self.progress_log_dir = str(progress_log_dir)
        self.websocket_manager = websocket_manager
        self.training_mode = training_mode
        self.run_start = dict(run_start or {})
        self.ends_run = ends_run
        # One dict for each epoch: epoch, then its train and val metrics.
        self.history: list[dict[str, Any]] = []
        # None while it runs; then completed, failed or cancelled.
        self.outcome: str | None = None
        # The history that a checkpoint held, until the training that goes on from it begins.
        self._history_before: list[dict[str, Any]] = []
        self._logger: ProgressLogger | None = None
        self._watch: OrderWatch | None = None
        self._started_s = time.monotonic()
        # callback_metrics when the present phase began, to know what it has added.
        self._before: dict[str, Any] = {}
        # The epoch that was announced and not yet closed; None between two epochs.
        self._open_epoch: int | None = None
        # Whether the open epoch has seen its last batch.
        self._trained = False
        # callback_metrics when the present validation began, and what it has added: held back until the training
        # metrics of the epoch have been said.
        self._before_val: dict[str, Any] = {}
        self._val: dict[str, Any] | None = None
        # What the trainer's own was before a cancel set it to 0; None without a cancel.
        self._limit_val_batches: int | float | None = None

    @property
    def progress_logger(self) -> ProgressLogger | None:
        """The logger, made when first asked for; None if logging is off.

        Not made in the constructor: there every process of a DDP run would begin a run of its own.
        """
        if self._logger is None and self.enable_progress_logging:
            self._logger = self._make_logger()
            self.run_id = self._logger.run_id
            # Decided by now: a run-level logger has its run from the beginning.
            assert self.run_id is not None
            self._watch = OrderWatch(self._logger.log_dir, self.run_id)
        return self._logger

    def _make_logger(self) -> ProgressLogger:
        if self.websocket_manager is None:
            return ProgressLogger(
                self.progress_log_dir,
                self.experiment_name,
                self.training_mode,
                run_id=self.run_id,
                run_start=self.run_start,
                hears_cancel=True,
                broadcast_interval=_BROADCAST_INTERVAL_S,
            )
        return WebSocketProgressLogger(
            websocket_manager=self.websocket_manager,
            log_dir=self.progress_log_dir,
            experiment_name=self.experiment_name,
            mode=self.training_mode,
            run_id=self.run_id,
            run_start=self.run_start,
            hears_cancel=True,
            broadcast_interval=_BROADCAST_INTERVAL_S,
        )

    # Checkpoints

    def state_dict(self) -> dict[str, Any]:
        """The epochs so far, as Lightning's checkpoints keep them."""
        return {"history": [_jsonable(row) for row in self.history]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes the epochs back that were before the point where a training goes on."""
        self._history_before = list(state_dict["history"])

    # Beginning

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begins the run, or another attempt of one that has ended."""
        if self.outcome is not None:
            self.close()
        self.outcome = None
        self.history, self._history_before = self._history_before, []
        self._started_s = time.monotonic()
        self._open_epoch = self._val = None
        self._trained = False
        if trainer.is_global_zero:
            self.run_start.setdefault("total_epochs", _total_epochs(trainer))
            self.run_start.setdefault("config", _hyperparameters(pl_module))
            _ = self.progress_logger
        # Rank zero decides which run this is and tells the others.
        self.run_id = trainer.strategy.broadcast(self.run_id)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Closes the epoch before, if that is still to do, and says ``epoch_start``."""
        self.close_epoch(trainer)
        if not trainer.is_global_zero:
            return
        self._open_epoch = trainer.current_epoch + 1
        self._before = dict(trainer.callback_metrics)
        if self.progress_logger is not None:
            self.progress_logger.log_epoch_start(self._open_epoch, _total_epochs(trainer))

    # Batches

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Says ``step`` and looks whether somebody wants the run to stop."""
        if trainer.is_global_zero and self.progress_logger is not None:
            loss = step_loss(outputs, trainer.accumulate_grad_batches)
            rate = _learning_rate(trainer)
            metrics = {} if loss is None else {"train_loss": loss}
            if rate is not None:
                metrics["learning_rate"] = rate
            self.progress_logger.log_step(trainer.current_epoch + 1, batch_idx + 1, _steps(trainer), metrics)
        self._stop_if_asked(trainer, batch_idx)

    def on_validation_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Breaks a validation off when the run is to stop; a long one would keep it going for minutes."""
        self._stop_if_asked(trainer, batch_idx)
        if self.outcome == "cancelled" and trainer.world_size == 1:
            # The evaluation loop takes this as the end of its data.
            raise StopIteration

    def _stop_if_asked(self, trainer: pl.Trainer, batch_idx: int) -> None:
        if self.outcome is not None or trainer.sanity_checking:
            return
        if trainer.world_size > 1:
            # All ranks must stop at the same batch or the others wait for ever; asking them costs a message each.
            if batch_idx % 10 or trainer.validating:
                return
            stop, asked = self._agree(trainer)
        else:
            asked = self._watch.heed(self._logger) if self._watch is not None else None
            stop = asked is not None
        if not stop:
            return
        self.outcome = "cancelled"
        if asked is not None and self._logger is not None:
            self._logger.log_training_cancelled(asked.reason, asked.by)
            clear(self._logger.log_dir, str(self._logger.run_id))
        trainer.should_stop = True
        # Or the trainer would go on to its least number of epochs, and validate once more before it stops.
        trainer.fit_loop.min_epochs = None
        trainer.fit_loop.epoch_loop.min_steps = None
        self._limit_val_batches = trainer.limit_val_batches
        trainer.limit_val_batches = 0

    def _agree(self, trainer: pl.Trainer) -> tuple[bool, Cancel | None]:
        """What rank zero has been asked, so that all ranks wait or stop together: whether to stop, and by whom."""
        watch, logger = self._watch, self._logger
        pause = None
        while True:
            asked = watch.cancelled() if watch is not None else None
            now = watch.paused() if watch is not None and asked is None else None
            if watch is not None and logger is not None and now is not None and pause is None:
                logger.log_training_paused(now.reason, now.by)
                pause = now
            if trainer.strategy.reduce_boolean_decision(asked is not None, all=False):
                return True, asked
            if not trainer.strategy.reduce_boolean_decision(now is not None, all=False):
                break
            time.sleep(LOOK_S)
        if watch is not None and logger is not None and pause is not None:
            logger.log_training_resumed(watch.resumed_by(pause))
        return False, None

    # Ends of phases

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Remembers what was known before."""
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._before_val = dict(trainer.callback_metrics)
            self._stage(trainer, "evaluating")

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Takes the validation's metrics; they are said after the training's."""
        if trainer.state.fn != "fit" or trainer.sanity_checking or not trainer.is_global_zero:
            return
        if self.outcome is not None:
            return
        self._val = changed(self._before_val, trainer.callback_metrics)
        if not trainer.is_last_batch and self._open_epoch is not None and self.progress_logger is not None:
            # One of several validations within an epoch: a point on the curve. The last one closes the epoch.
            done, total = trainer.fit_loop.epoch_loop.batch_progress.current.ready, _steps(trainer)
            self.progress_logger.log_step(self._open_epoch, done, total, named(self._val, "val"), phase="val")
            self._stage(trainer, "training")

    def _stage(self, trainer: pl.Trainer, name: str) -> None:
        """Says what is done now, in the open epoch."""
        if trainer.is_global_zero and self._open_epoch is not None and self.outcome is None and self.progress_logger:
            self.progress_logger.log_stage(name, epoch=self._open_epoch)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Says the two ``epoch_end``: now or, where the module has a last word of its own, right after that."""
        self._trained = True
        if not is_overridden("on_train_epoch_end", pl_module):
            self.close_epoch(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Closes the last epoch."""
        self.close_epoch(trainer)

    def close_epoch(self, trainer: pl.Trainer) -> None:
        """Says train and val of the open epoch, once it has been trained to its end."""
        epoch, raw = self._open_epoch, self._val or {}
        if epoch is None or not self._trained or self.outcome is not None:
            return
        self._open_epoch, self._val, self._trained = None, None, False
        train = named(changed({**self._before, **raw}, trainer.callback_metrics), "train")
        rate = _learning_rate(trainer)
        if rate is not None:
            train["learning_rate"] = rate
        val = named(raw, "val")
        self.history.append({"epoch": epoch, **_numbers(train), **_numbers(val)})
        if self.progress_logger is not None:
            self.progress_logger.log_epoch_end(epoch, train, "train")
            if val:
                self.progress_logger.log_epoch_end(epoch, val, "val")

    # Ends

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Says that the test has begun, of a run that this callback has seen trained."""
        if trainer.is_global_zero and self.history and self._logger is not None:
            self._logger.log_stage("testing", epoch=self.history[-1]["epoch"])

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Says the test's metrics, of a run that this callback has seen trained."""
        if trainer.is_global_zero and self.history and self._logger is not None:
            metrics = named(trainer.callback_metrics, "test")
            self._logger.log_epoch_end(self.history[-1]["epoch"], metrics, "test")

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Says ``training_complete``, unless the run was cancelled or its owner does that."""
        if self._limit_val_batches is not None:
            trainer.limit_val_batches, self._limit_val_batches = self._limit_val_batches, None
        if not trainer.is_global_zero:
            return
        self._save_history()
        if self.outcome is None and self.ends_run:
            self.complete()

    def complete(self, more: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Says ``training_complete``.

        Args:
            more: Goes into its ``final_metrics``, after ours.

        Returns:
            The ``final_metrics``.
        """
        final = {**self.final_metrics(), **(more or {})}
        self.outcome = "completed"
        if self.progress_logger is not None:
            self.progress_logger.log_training_complete(final)
        return final

    def final_metrics(self) -> dict[str, Any]:
        """``total_epochs`` trained, ``duration_seconds``, and epoch, recall and loss of the best validation so far."""
        best = min(
            (row for row in self.history if _is_number(row.get("val_loss"))), key=lambda r: r["val_loss"], default={}
        )
        return {
            "total_epochs": len(self.history),
            "best_epoch": best.get("epoch"),
            "best_val_recall": best.get("val_recall"),
            "best_val_loss": best.get("val_loss"),
            "duration_seconds": round(time.monotonic() - self._started_s, 3),
        }

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Tells how the run ended; Lightning raises the exception on."""
        if trainer.is_global_zero:
            self.fail(exception)
            self._save_history()

    def fail(self, exception: BaseException) -> None:
        """Ends the run with ``training_cancelled`` (Ctrl-C, SIGTERM) or ``training_error``; once.

        Args:
            exception: What ended it.
        """
        if self.outcome is not None:
            return
        stopped = isinstance(exception, KeyboardInterrupt | SIGTERMException | TrainingCancelled)
        self.outcome = "cancelled" if stopped else "failed"
        logger = self.progress_logger
        if logger is None:
            return
        if isinstance(exception, TrainingCancelled):
            logger.log_training_cancelled(exception.reason, exception.by)
        elif isinstance(exception, KeyboardInterrupt):
            logger.log_training_cancelled("interrupted from the keyboard", "keyboard")
        elif isinstance(exception, SIGTERMException):
            logger.log_training_cancelled("the process was asked to end (SIGTERM)", "signal")
        else:
            if isinstance(exception, LossBecameNaN):
                logger.log_alert("error", "The training loss became NaN", f"{exception}; try a lower learning rate")
            logger.log_training_error(_told(exception), _detail(exception))

    def close(self) -> None:
        """Closes the logger; the callback can be used again, for another attempt."""
        if self._logger is not None:
            self._logger.close()
        self._logger = self._watch = None

    def _save_history(self) -> None:
        if self.save_dir is None or not self.history:
            return
        name = f"{slug(str(self.run_id or self.experiment_name))}_metrics.json"
        text = json.dumps([_jsonable(row) for row in self.history], indent=2, allow_nan=False)
        try:
            self.save_dir.mkdir(parents=True, exist_ok=True)
            part = self.save_dir / f".{name}.part"
            part.write_text(text + "\n", encoding="utf-8")
            part.replace(self.save_dir / name)
        except OSError as error:
            # A training must not fail for its notes; the journal has every number anyway.
            warnings.warn(f"the metrics could not be saved to {self.save_dir}: {error}", stacklevel=2)


def _total_epochs(trainer: pl.Trainer) -> int | None:
    """How many epochs there will be, as far as that is known."""
    if trainer.max_epochs is not None and trainer.max_epochs > 0:
        return trainer.max_epochs
    steps = _steps(trainer)
    if trainer.max_steps > 0 and steps:
        return math.ceil(trainer.max_steps * trainer.accumulate_grad_batches / steps)
    return None


def _steps(trainer: pl.Trainer) -> int | None:
    """Batches of an epoch; None where the data does not tell."""
    total = trainer.num_training_batches
    return int(total) if math.isfinite(total) else None


def _learning_rate(trainer: pl.Trainer) -> float | None:
    groups = trainer.optimizers[0].param_groups if trainer.optimizers else []
    return float(groups[0]["lr"]) if groups else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _numbers(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Tensors of one element as plain numbers; the rest as it is."""
    return {k: v.item() if hasattr(v, "item") and v.numel() == 1 else v for k, v in metrics.items()}


def _jsonable(row: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v if isinstance(v, int | str) or _is_number(v) else None for k, v in row.items()}


def _hyperparameters(pl_module: pl.LightningModule) -> dict[str, Any]:
    """What the module saved as its hyperparameters, as far as JSON can tell it."""
    return {str(k): v for k, v in dict(pl_module.hparams).items() if isinstance(v, str | int | float | bool)}


def _detail(exception: BaseException) -> str | None:
    """The end of the traceback; nothing for an error of ours, whose one line says all that helps."""
    if isinstance(exception, DataError | TrainingError | ConfigError):
        return None
    return "".join(traceback.format_exception(exception))[-_DETAIL_CHARACTERS:]


def _told(exception: BaseException) -> str:
    """An exception in one line; ours speak for themselves, and without the paths of the user's files."""
    if isinstance(exception, DataError):
        return exception.public
    if isinstance(exception, TrainingError | ConfigError):
        return one_line(exception)
    name = type(exception).__name__
    return f"{name}: {one_line(exception)}" if str(exception).strip() else name
