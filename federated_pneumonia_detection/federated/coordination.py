"""The coordinator's part of a run, whoever carries it: data to judge by, the run's own log, the end and the results."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from federated_pneumonia_detection.config import FederatedConfig
from federated_pneumonia_detection.data import Dataset
from federated_pneumonia_detection.federated.global_model import GlobalModel
from federated_pneumonia_detection.federated.hospitals import Hospitals, open_hospitals, release
from federated_pneumonia_detection.federated.records import Order
from federated_pneumonia_detection.federated.round_progress import make_logger
from federated_pneumonia_detection.federated.server_app import ServerRun, tell_end
from federated_pneumonia_detection.progress import FederatedProgressLogger, WebSocketManager
from federated_pneumonia_detection.progress.asked import Asked
from federated_pneumonia_detection.progress.slug import slug
from federated_pneumonia_detection.training.checkpoints import checkpoint_folder
from federated_pneumonia_detection.training.devices import choose_device
from federated_pneumonia_detection.training.going_on import GoingOn, check_data, write_down
from federated_pneumonia_detection.training.software import software_versions

__all__ = ["Coordination"]


@dataclass(frozen=True)
class Coordination:
    """One run from its source to its results.

    Attributes:
        config: what is trained, and how.
        experiment_name: what people call the run.
        run_id: what programs call it; made if left out.
        log_dir: where journals and polled documents go.
        checkpoint_dir: the run gets a folder of its own here.
        websocket_manager: a `ConnectionManager` that shows the run as it goes.
        allow_download: whether PneumoniaMNIST may be fetched from its publisher when no source is named.
        reply_timeout_s: after so many seconds a hospital that has not answered counts as failed in its round.
        deals_out: whether hospitals on this machine share the source; else it is the coordinator's own, to judge by.
        federation: the coordinator's directory of a run between machines; empty for any other.
        going_on: where an earlier attempt of the run is gone on from; `None` for a new run.
    """

    config: FederatedConfig
    experiment_name: str
    run_id: str | None
    log_dir: Path
    checkpoint_dir: Path
    websocket_manager: WebSocketManager | None = None
    allow_download: bool = True
    reply_timeout_s: float = 12 * 3600.0
    deals_out: bool = True
    federation: str = ""
    going_on: GoingOn | None = None

    def run(self, source: str | Path | None, carry: Callable[[ServerRun, str], None]) -> dict[str, Any]:
        """Open the source, tell that the run begins, let `carry` do the rounds, and tell how it ended.

        Args:
            source: as for `FederatedTrainer.train`.
            carry: gets the run, and what every process can load the source by.

        Returns:
            What `FederatedTrainer.train` returns.

        Raises:
            DataError: the source cannot be used.
            TrainingError: the network cannot be built, or the device is not there.
            Exception: whatever `carry` raises.
        """
        said: dict[str, Any] = {
            "config": self.config.model_dump(mode="json"),
            "data": {},
            "software": software_versions("flwr", "ray"),
            "total_rounds": self.config.num_rounds,
        }
        if self.going_on is not None:
            said["from_round"] = self.going_on.number
        try:
            hospitals = self._hospitals(source)
        except BaseException as error:
            # What keeps a run from beginning is told in the run, too: whoever watches sees why nothing comes. One that
            # is to go on stands as it stood.
            if self.going_on is None:
                with self._logger(said) as logger:
                    tell_end(logger, error)
            raise
        said["data"] = hospitals.description
        with self._logger(said) as logger:
            try:
                run = self._server_run(logger, hospitals)
            except BaseException as error:
                tell_end(logger, error)
                raise
            try:
                carry(run, hospitals.source)
            finally:
                release()
            return self._results(run, hospitals.dataset)

    def _hospitals(self, source: str | Path | None) -> Hospitals:
        choose_device(self.config.device)
        hospitals = open_hospitals(source, self.config, allow_download=self.allow_download, deals_out=self.deals_out)
        if self.going_on is not None:
            check_data(self.going_on.asked, hospitals.description["digest"])
        return hospitals

    def _logger(self, said: dict[str, Any]) -> FederatedProgressLogger:
        return make_logger(
            None,
            log_dir=str(self.log_dir),
            experiment_name=self.experiment_name,
            run_id=self.run_id,
            websocket_manager=self.websocket_manager,
            run_start=said,
            hears_cancel=True,
        )

    def _server_run(self, logger: FederatedProgressLogger, hospitals: Hospitals) -> ServerRun:
        run_id, dataset = str(logger.run_id), hospitals.dataset
        folder = checkpoint_folder(self.checkpoint_dir, slug(run_id))
        about = {
            "run_id": run_id,
            "experiment_name": self.experiment_name,
            "phantom": dataset.phantom,
            "data": dataset.name,
        }
        if self.going_on is None:
            asked = Asked(
                run_id=run_id,
                kind="federated",
                experiment_name=self.experiment_name,
                source=hospitals.source,
                digest=hospitals.description["digest"],
                config=self.config.model_dump(mode="json"),
                federation=self.federation,
            )
            write_down(asked, folder, self.log_dir)
        model = GlobalModel(self.config, dataset, folder, about)
        order = Order(run_id=run_id, experiment_name=self.experiment_name, config=self.config)
        run = ServerRun(order=order, model=model, logger=logger, reply_timeout_s=self.reply_timeout_s)
        if self.going_on is not None:
            newest = self.going_on.newest()
            self.going_on.leave_the_rest()
            run.go_on_from(self.going_on.number, self.going_on.state, newest=newest)
        return run

    def _results(self, run: ServerRun, dataset: Dataset) -> dict[str, Any]:
        model = run.model
        results: dict[str, Any] = _plain(
            {
                "run_id": run.order.run_id,
                "experiment_name": run.order.experiment_name,
                "phantom": dataset.phantom,
                "status": run.status,
                "best_model_path": None if model.path is None else str(model.path),
                "best_model_score": model.best_metrics.get("val_loss"),
                "best_round": model.best_round,
                "final_metrics": run.final_metrics,
                "history": run.history,
                "log_file": run.logger.get_log_file_path(),
            }
        )
        return results


def _plain(value: Any) -> Any:
    """NaN and infinity, which JSON cannot tell, as `None`."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
