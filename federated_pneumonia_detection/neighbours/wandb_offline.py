"""Weights & Biases, offline: nothing leaves this machine until somebody calls `wandb sync`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from federated_pneumonia_detection.neighbours.errors import NotThere
from federated_pneumonia_detection.neighbours.points import Exported, Point

__all__ = ["write"]


def write(run: Exported, points: Sequence[Point], out: Path) -> str:
    """The run in `OUT/wandb/offline-run-…`; each curve has its epochs, rounds or steps as its x axis.

    W&B stamps what it is given with the time of now; when it was measured is the metric `measured_at`.
    """
    try:
        import wandb
    except ModuleNotFoundError:
        raise NotThere("wandb", "wandb") from None
    settings = wandb.Settings(silent=True, console="off", x_disable_stats=True, disable_git=True)
    made = wandb.init(
        mode="offline", dir=str(out), project=run.experiment_name, name=run.run_id, config=run.config, settings=settings
    )
    made.define_metric("at")
    made.define_metric("*", step_metric="at")
    for (step, seconds), group in groupby(points, key=lambda point: (point.step, point.seconds)):
        made.log({"at": step, "measured_at": seconds, **{point.name: point.value for point in group}})
    made.finish()
    return f"wandb sync {Path(made.settings.sync_dir)}"
