"""A training on one machine, from a source of images to a tested network."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from federated_pneumonia_detection.config import load_config, make_config
from federated_pneumonia_detection.data import find_source, load_source
from federated_pneumonia_detection.progress.asked import Asked
from federated_pneumonia_detection.progress.slug import new_run_id, slug
from federated_pneumonia_detection.training.best_network import BestNetwork
from federated_pneumonia_detection.training.checkpoints import checkpoint_folder, load_checkpoint
from federated_pneumonia_detection.training.curves import curves_of
from federated_pneumonia_detection.training.data_module import XrayDataModule
from federated_pneumonia_detection.training.devices import choose_device, torch_threads
from federated_pneumonia_detection.training.epoch_points import EpochPoints
from federated_pneumonia_detection.training.epochs import evaluate_locally
from federated_pneumonia_detection.training.errors import TrainingError
from federated_pneumonia_detection.training.going_on import GoingOn, check_data, find_going_on, write_down
from federated_pneumonia_detection.training.launch import on_event_loop, start_training_process
from federated_pneumonia_detection.training.machine import MachineWatch, pace_s
from federated_pneumonia_detection.training.metrics_collector import MetricsCollectorCallback
from federated_pneumonia_detection.training.module import PneumoniaModule
from federated_pneumonia_detection.training.networks import build_network
from federated_pneumonia_detection.training.optimisation import class_weights
from federated_pneumonia_detection.training.quiet import quiet_lightning
from federated_pneumonia_detection.training.software import software_versions
from federated_pneumonia_detection.training.surroundings import seeded, sigint_as_it_was
from federated_pneumonia_detection.training.training_callbacks import prepare_trainer_and_callbacks_pl

if TYPE_CHECKING:
    from federated_pneumonia_detection.config import TrainingConfig
    from federated_pneumonia_detection.data import Dataset
    from federated_pneumonia_detection.progress import WebSocketManager

__all__ = ["CentralizedTrainer"]


class CentralizedTrainer:
    """Trains one network on one machine, tells how it goes, and tests the result once.

    Args:
        config_path: YAML with the keys of the configuration; the defaults if left out.
        checkpoint_dir: Each run gets a folder of its own here, with ``best.pt`` and ``best.json``.
        logs_dir: The folder of all logs.
        websocket_manager: A ``ConnectionManager`` that shows the run as it goes.
        progress_log_dir: Where journal and polled document go; ``logs_dir/progress`` if left out.
        config: A configuration instead of ``config_path``.
        progress_bar: Whether Lightning draws one; only on a terminal if left out.
        allow_download: Whether PneumoniaMNIST may be fetched from its publisher when no source is named.

    Raises:
        ConfigError: If the configuration is wrong.
    """

    def __init__(
        self,
        config_path: str | Path | None = None,
        checkpoint_dir: str | Path = "checkpoints",
        logs_dir: str | Path = "logs",
        websocket_manager: WebSocketManager | None = None,
        *,
        progress_log_dir: str | Path | None = None,
        config: TrainingConfig | None = None,
        progress_bar: bool | None = None,
        allow_download: bool = True,
    ) -> None:
        self.config = load_config(config_path, "centralized") if config is None else config
        self.checkpoint_dir = Path(checkpoint_dir)
        self.logs_dir = Path(logs_dir)
        self.progress_log_dir = self.logs_dir / "progress" if progress_log_dir is None else Path(progress_log_dir)
        self.websocket_manager = websocket_manager
        self.progress_bar = progress_bar
        self.allow_download = allow_download

    def train(
        self,
        source_path: str | Path | None = None,
        experiment_name: str = "pneumonia",
        *,
        epochs: int | None = None,
        run_id: str | None = None,
    ) -> dict[str, Any]:
        """Trains, and blocks until the end; on a thread that runs an event loop it does not.

        There, with a ``websocket_manager``, the training becomes a process of its own and ``train`` returns at once
        with ``{"status": "started", "run_id": …}``: the loop stays free to send what the training says.

        Args:
            source_path: An npz, folder, CSV or zip, or ``phantoms``. Left out: ``FPD_DATA``, the cache, the
                publisher, phantoms.
            experiment_name: What people call the run.
            epochs: Wins over the configuration's.
            run_id: What programs call it; made if left out.

        Returns:
            Plain JSON values: ``run_id``, ``status`` (``completed``, ``cancelled``, ``started``),
            ``best_model_path``, ``best_model_score`` (its validation loss), ``best_epoch``, ``final_metrics``,
            ``phantom``. A number that is none is ``None``.

        Raises:
            DataError: If the source cannot be used.
            TrainingError: If the network cannot be built, the device is not there, or the loss became NaN.
            KeyboardInterrupt: On Ctrl-C, after ``training_cancelled`` was logged.
        """
        config = self.config if epochs is None else _with_epochs(self.config, epochs)
        if self.websocket_manager is not None and on_event_loop():
            return self._start(source_path, experiment_name, config, run_id)
        if run_id is None:
            # Nobody waits for this run yet: a slip of the pen is told to the caller and leaves no failed run behind.
            _check(source_path, config)
        return self._told(config, experiment_name, run_id, lambda: self._load(source_path, config))

    def resume(self, run_id: str, *, from_epoch: int | None = None) -> dict[str, Any]:
        """Goes on with a run that was stopped or died, as another attempt of the same run; blocks until the end.

        What the run was asked to be (source, configuration, experiment) was kept beside its checkpoints. On a CPU the
        result is, bit for bit, that of the run without the interruption.

        Args:
            run_id: The run.
            from_epoch: The last epoch that is kept; the newest there is a checkpoint of if left out, 0 starts over.

        Returns:
            As ``train``.

        Raises:
            CannotGoOn: Nothing was kept of it, there is no such checkpoint, or the images are others by now.
            BadCheckpoint: The checkpoint is damaged.
            DataError: Its source is not there any more.
            TrainingError: As ``train``.
        """
        going_on = find_going_on(
            run_id, log_dir=self.progress_log_dir, checkpoint_dir=self.checkpoint_dir, number=from_epoch
        )
        # The run stands as it stood until all that could keep it from going on has been looked at.
        choose_device(going_on.config.device)
        source, data = self._load(going_on.asked.source, going_on.config)
        check_data(going_on.asked, data.digest)
        return self._told(
            going_on.config, going_on.asked.experiment_name, run_id, lambda: (source, data), going_on=going_on
        )

    def _load(self, source: str | Path | None, config: TrainingConfig) -> tuple[str, Dataset]:
        """What the data set can be loaded by again, and the data set."""
        data = load_source(source, image_size=config.image_size, seed=config.seed, allow_download=self.allow_download)
        path = None if data.phantom else find_source(source, allow_download=False).path
        return "phantoms" if path is None else str(path.absolute()), data

    def _told(
        self,
        config: TrainingConfig,
        experiment_name: str,
        run_id: str | None,
        load: Callable[[], tuple[str, Dataset]],
        going_on: GoingOn | None = None,
    ) -> dict[str, Any]:
        """Trains, and tells how it ends, however it does."""
        metrics = MetricsCollectorCallback(
            save_dir=None,
            experiment_name=experiment_name,
            run_id=run_id,
            progress_log_dir=self.progress_log_dir,
            websocket_manager=self.websocket_manager,
            run_start={
                "config": config.model_dump(mode="json"),
                "data": {},
                "software": software_versions(),
                "total_epochs": config.epochs,
                **({} if going_on is None else {"from_epoch": going_on.number}),
            },
            ends_run=False,
        )
        try:
            with quiet_lightning(), torch_threads(config.threads), seeded(config.seed), sigint_as_it_was():
                return self._train(load, experiment_name, config, metrics, going_on)
        except BaseException as error:
            if isinstance(error, SystemExit) and metrics.outcome == "cancelled":
                # Lightning turns Ctrl-C into an exit with 1; what it was is what the caller should get.
                raise KeyboardInterrupt from None
            metrics.fail(error)
            raise
        finally:
            metrics.close()

    def _train(
        self,
        load: Callable[[], tuple[str, Dataset]],
        experiment_name: str,
        config: TrainingConfig,
        metrics: MetricsCollectorCallback,
        going_on: GoingOn | None,
    ) -> dict[str, Any]:
        choose_device(config.device)
        source, data = load()
        metrics.run_start["data"] = data.describe()
        logger = metrics.progress_logger
        assert logger is not None and metrics.run_id is not None
        used = data.without_duplicates() if config.drop_duplicates else data
        about = {"run_id": metrics.run_id, "experiment_name": experiment_name, "phantom": data.phantom}
        if going_on is None:
            folder = checkpoint_folder(self.checkpoint_dir, slug(metrics.run_id))
            write_down(_asked(metrics.run_id, experiment_name, config, source, data), folder, self.progress_log_dir)
        else:
            folder = going_on.folder
            going_on.leave_the_rest()
        best = BestNetwork(folder, config, about={**about, "data": data.name})
        with MachineWatch(logger, every_s=pace_s()):
            module = self._fit(used, config, metrics, best, going_on)
        results = {
            **about,
            "status": "cancelled" if metrics.outcome == "cancelled" else "completed",
            "best_model_path": None if best.path is None else str(best.path),
            "best_model_score": best.score,
            "best_epoch": best.epoch,
            "log_file": logger.get_log_file_path(),
        }
        if metrics.outcome == "cancelled":
            return {**results, "final_metrics": metrics.final_metrics()}
        tested = self._test(used, config, metrics, best, module)
        return {**results, "final_metrics": _plain(metrics.complete({**_best(best), **tested}))}

    def _fit(
        self,
        data: Dataset,
        config: TrainingConfig,
        metrics: MetricsCollectorCallback,
        best: BestNetwork,
        going_on: GoingOn | None,
    ) -> PneumoniaModule:
        loaders = XrayDataModule(data, config, epochs_done=0 if going_on is None else going_on.number)
        if len(data.labels["train"]) == 0:
            raise TrainingError("there is no training image; name a source whose train split has some")
        weights = class_weights(loaders.labels("train")) if config.class_weights else (1.0, 1.0)
        module = PneumoniaModule(build_network(config), config, weights=weights)
        prepared = prepare_trainer_and_callbacks_pl(
            config,
            logs_dir=self.logs_dir,
            metrics=metrics,
            checkpoint=best,
            progress_bar=self.progress_bar,
            num_sanity_val_steps=0,
            callbacks=[EpochPoints(best.folder, best=best, metrics=metrics)],
        )
        prepared.trainer.fit(
            module, datamodule=loaders, ckpt_path=None if going_on is None else going_on.path, weights_only=True
        )
        return module

    def _test(
        self,
        data: Dataset,
        config: TrainingConfig,
        metrics: MetricsCollectorCallback,
        best: BestNetwork,
        module: PneumoniaModule,
    ) -> dict[str, float]:
        """Reads the test split, once, with the network that was kept."""
        images, labels = data.images["test"], data.labels["test"]
        if len(labels) == 0:
            return {}
        network = module.result if best.path is None else load_checkpoint(best.path)[0]
        device = choose_device(config.device)
        logger = metrics.progress_logger
        if logger is not None:
            logger.log_stage("testing", epoch=best.epoch or len(metrics.history))
        views = config.test_time_augmentation
        tested, logits = evaluate_locally(network, images, labels, config, prefix="test_", views=views, device=device)
        if logger is not None:
            logger.log_epoch_end(best.epoch or len(metrics.history), tested, "test")
            logger.log_test_curves(**curves_of(logits, torch.from_numpy(labels), threshold=config.threshold))
        return tested

    def _start(
        self, source: str | Path | None, experiment_name: str, config: TrainingConfig, run_id: str | None
    ) -> dict[str, Any]:
        # What can be known to be wrong now is told to the caller, not to a log nobody reads.
        _check(source, config)
        run = run_id or new_run_id(experiment_name)
        assert self.websocket_manager is not None
        self.progress_log_dir.mkdir(parents=True, exist_ok=True)
        self.websocket_manager.follow(str(self.progress_log_dir.absolute()))
        start_training_process(
            "centralized",
            config,
            source=source,
            experiment_name=experiment_name,
            run_id=run,
            log_dir=self.progress_log_dir,
            checkpoint_dir=self.checkpoint_dir,
        )
        return {"run_id": run, "status": "started", "experiment_name": experiment_name}


def _check(source: str | Path | None, config: TrainingConfig) -> None:
    """Raises what would end the run before its first batch, as far as that can be known in a moment."""
    choose_device(config.device)
    find_source(source)


def _asked(run_id: str, experiment_name: str, config: TrainingConfig, source: str, data: Dataset) -> Asked:
    """What the run is asked to be, for who wants it to go on later."""
    return Asked(
        run_id=run_id,
        kind="centralized",
        experiment_name=experiment_name,
        source=source,
        digest=data.digest,
        config=config.model_dump(mode="json"),
    )


def _with_epochs(config: TrainingConfig, epochs: int) -> TrainingConfig:
    """The configuration with other epochs, checked like any other value."""
    return make_config({**config.model_dump(), "epochs": epochs}, "centralized")


def _best(best: BestNetwork) -> dict[str, Any]:
    """Epoch, recall and loss of the network that was kept, for ``final_metrics``."""
    if best.epoch is None:
        return {}
    return {
        "best_epoch": best.epoch,
        "best_val_recall": best.metrics.get("val_recall"),
        "best_val_loss": best.metrics.get("val_loss"),
    }


def _plain(metrics: dict[str, Any]) -> dict[str, Any]:
    """NaN and infinity, which JSON cannot tell, as None."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in metrics.items()}
