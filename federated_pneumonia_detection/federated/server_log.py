"""The journal that a watched strategy opens for itself: where it lies, and which run it is of."""

from __future__ import annotations

import os
from dataclasses import dataclass

from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy

from federated_pneumonia_detection.progress import FederatedProgressLogger

__all__ = ["ServerLog"]

_DEFAULT_LOG_DIR = "logs/progress"


@dataclass(frozen=True)
class ServerLog:
    """What the user said of the journal; what was left out is taken from the environment and from Flower."""

    log_dir: str | None
    experiment_name: str | None
    run_id: str | None

    def open(self, strategy: Strategy, grid: Grid | None, total_rounds: int | None) -> FederatedProgressLogger:
        """Begin the run's journal."""
        run = None if grid is None else grid.run
        flowers = None if run is None or os.environ.get("FPD_RUN_ID") else f"flwr-{run.run_id}"
        return FederatedProgressLogger(
            None,
            self.log_dir or os.environ.get("FPD_LOG_DIR") or _DEFAULT_LOG_DIR,
            self.experiment(grid),
            run_id=self.run_id or flowers,
            run_start={"total_rounds": total_rounds, "config": {"strategy": type(strategy).__name__}},
            hears_cancel=True,
        )

    def experiment(self, grid: Grid | None) -> str:
        """What the run is called."""
        return self.experiment_name or (grid.run.fab_id if grid is not None else "") or "federated"
