"""A run as points of curves, which is what every other tracker takes."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from federated_pneumonia_detection.hub.rows import Row

__all__ = ["NEIGHBOURS", "STEPS", "Exported", "Point", "export_run", "points_of"]

NEIGHBOURS: Final = {
    "tensorboard": "tensorboard_files",
    "mlflow": "mlflow_store",
    "wandb": "wandb_offline",
    "trackio": "trackio_local",
}
"""Where a run can go, and the module that takes it there."""


STEPS: Final = "step/"
"""What stands before the name of a step's curve, so that it is none with the epochs'."""


class Point(NamedTuple):
    """One value of one curve."""

    name: str
    """The metric's, in a federated run behind its hospital's (`hospital_1/val_auroc`), of a step behind `step/`."""
    step: int
    """The round, else the epoch; of a step its number in the run, from 1."""
    value: float
    seconds: float
    """When it was measured, since 1970 in UTC."""


class Exported(NamedTuple):
    """The run that the points are of."""

    run_id: str
    experiment_name: str
    config: dict[str, Any]


def points_of(rows: Sequence[Row]) -> list[Point]:
    """The points of a run's curves, in order; what a later attempt supersedes is left out."""
    found = []
    for row in rows:
        if not row.current:
            continue
        place = f"{row.client_id}/" if row.client_id else ""
        if row.type in ("step", "local_epoch", "round_end"):
            place += {"step": STEPS, "local_epoch": "local_epoch/"}.get(row.type, f"{row.phase}/")
        if row.type == "step":
            at = row.row
        elif row.type == "local_epoch" and row.round is not None and row.local_epoch is not None:
            at = row.local_epoch
        else:
            at = row.round if row.round is not None else row.epoch
        seconds = _seconds(row.time)
        found += [Point(place + name, at or 0, value, seconds) for name, value in row.metrics.items()]
    return found


def export_run(run: Exported, rows: Sequence[Row], to: str, out: Path) -> str:
    """Take a run to another tracker's files.

    Args:
        run: which one.
        rows: all that was measured.
        to: one of `NEIGHBOURS`.
        out: the directory that they go to; made where it is missing.

    Returns:
        How to look at it there.

    Raises:
        NotThere: the neighbour's package is not installed.
    """
    module = importlib.import_module(f"federated_pneumonia_detection.neighbours.{NEIGHBOURS[to]}")
    out.mkdir(parents=True, exist_ok=True)
    return str(module.write(run, points_of(rows), out.absolute()))


def _seconds(time: str) -> float:
    try:
        return datetime.fromisoformat(time).timestamp()
    except ValueError:
        return 0.0
