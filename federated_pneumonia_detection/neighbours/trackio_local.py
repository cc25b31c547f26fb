"""Trackio, on this machine: its database below the directory that is named."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from federated_pneumonia_detection.neighbours.errors import NotThere
from federated_pneumonia_detection.neighbours.points import Exported, Point

__all__ = ["write"]


def write(run: Exported, points: Sequence[Point], out: Path) -> str:
    """The run in a project of the experiment's name.

    Trackio stamps what it is given with the time of now; when it was measured is the metric `measured_at`.
    """
    # Trackio looks where it keeps its files when it is imported.
    os.environ["TRACKIO_DIR"] = str(out)
    try:
        import trackio
    except ModuleNotFoundError:
        raise NotThere("trackio", "trackio") from None
    made = trackio.init(project=run.experiment_name, name=run.run_id, config=run.config, embed=False)
    for (step, seconds), group in groupby(points, key=lambda point: (point.step, point.seconds)):
        made.log({"measured_at": seconds, **{point.name: point.value for point in group}}, step=step)
    trackio.finish()
    return f"TRACKIO_DIR={out} trackio show --project {run.experiment_name!r}"
