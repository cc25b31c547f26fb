"""Where a run that has ended goes on: what it was asked to be, from which checkpoint, and whether it still can."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from federated_pneumonia_detection.config import ConfigError, make_config
from federated_pneumonia_detection.progress.asked import Asked, choose_point, find_asked, keep_asked, point_path, points
from federated_pneumonia_detection.progress.errors import CannotGoOn
from federated_pneumonia_detection.training.errors import TrainingError, one_line
from federated_pneumonia_detection.training.points import drop_points_after, load_point

if TYPE_CHECKING:
    from federated_pneumonia_detection.config import TrainingConfig

__all__ = ["GoingOn", "check_data", "find_going_on", "write_down"]


@dataclass(frozen=True)
class GoingOn:
    """Where a run goes on.

    Attributes:
        asked: What it was asked to be.
        config: The same as a configuration.
        folder: Its checkpoints.
        number: The last epoch or round that is kept; 0 for the very start.
        path: The checkpoint; None for the very start.
        state: What the checkpoint holds; empty for the very start.
    """

    asked: Asked
    config: TrainingConfig
    folder: Path
    number: int
    path: Path | None
    state: dict[str, Any]

    def newest(self) -> dict[str, Any]:
        """What the newest checkpoint of all holds, beyond the point too; empty where there is none."""
        there = points(self.folder, self.asked.unit)
        if not there or there[-1] == self.number:
            return self.state
        return load_point(point_path(self.folder, self.asked.unit, there[-1]))

    def leave_the_rest(self) -> None:
        """Lets go what was kept of later epochs or rounds: the run now takes another way."""
        drop_points_after(self.folder, self.asked.unit, self.number)


def find_going_on(
    run_id: str,
    *,
    log_dir: str | os.PathLike[str],
    checkpoint_dir: str | os.PathLike[str] | None,
    number: int | None = None,
) -> GoingOn:
    """Where a run goes on.

    Args:
        run_id: The run.
        log_dir: Where its journal lies.
        checkpoint_dir: The folder of all runs' checkpoints, or of this one's, where it is known.
        number: The epoch or round to go on from; the newest there is a checkpoint of if left out.

    Raises:
        CannotGoOn: Nothing was kept of it, there is no such checkpoint, or it had finished already.
        BadCheckpoint: The checkpoint is damaged.
    """
    asked, folder = find_asked(run_id, log_dir, checkpoint_dir)
    at = choose_point(asked, folder, number)
    try:
        config = make_config(asked.config, asked.kind)
    except ConfigError as error:
        raise CannotGoOn(run_id, f"its configuration is not one of this version ({error})") from error
    path = point_path(folder, asked.unit, at) if at else None
    return GoingOn(asked, config, folder, at, path, {} if path is None else load_point(path))


def write_down(asked: Asked, folder: Path, log_dir: str | os.PathLike[str]) -> None:
    """Keeps what a run is asked to be, for who wants it to go on later.

    Raises:
        TrainingError: The folder of its checkpoints cannot be written.
    """
    try:
        keep_asked(asked, folder, log_dir)
    except OSError as error:
        raise TrainingError(f"the checkpoint cannot be written to {folder}: {one_line(error)}") from error


def check_data(asked: Asked, digest: str) -> None:
    """See that the images are those that the run was begun with.

    Raises:
        CannotGoOn: They are others.
    """
    if asked.digest and digest != asked.digest:
        raise CannotGoOn(
            asked.run_id,
            f"the images at {asked.source} are not those it was begun with; bring those back, or start a new run",
        )
