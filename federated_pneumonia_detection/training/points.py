"""Checkpoints to go on from: everything a training needs at the end of an epoch or a round, as tensors and numbers.

Read with ``weights_only``: nothing in such a file can run. Each is written whole or not at all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch

from federated_pneumonia_detection.progress.asked import point_path, points
from federated_pneumonia_detection.training.errors import BadCheckpoint, one_line
from federated_pneumonia_detection.training.tensor_files import read_tensors

__all__ = ["KEPT", "drop_points", "drop_points_after", "load_point", "save_point", "write_point"]

KEPT = 3
"""How many of the newest are kept, beside the best one."""


def save_point(folder: Path, unit: str, number: int, state: dict[str, Any]) -> Path:
    """Write the checkpoint of an epoch or a round.

    Args:
        folder: The run's folder of checkpoints; made where it is missing.
        unit: ``epoch`` or ``round``.
        number: Which one.
        state: Tensors, numbers and texts, in dicts and lists.

    Raises:
        OSError: It cannot be written.
    """
    return write_point(folder, unit, number, lambda path: torch.save(state, path))


def write_point(folder: Path, unit: str, number: int, write: Callable[[Path], None]) -> Path:
    """The same, by somebody else's way of writing a file.

    Raises:
        OSError: It cannot be written.
    """
    path = point_path(folder, unit, number)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        write(part)
        if part.exists():  # of several processes that train together one writes
            part.replace(path)
    except RuntimeError as error:
        # torch.save turns a full disk into one.
        raise OSError(one_line(error)) from error
    finally:
        part.unlink(missing_ok=True)
    return path


def load_point(path: Path) -> dict[str, Any]:
    """What a checkpoint holds, on the CPU; nothing in it is executed.

    Raises:
        BadCheckpoint: It is missing, damaged, or holds more than tensors and numbers.
    """
    state = read_tensors(path)
    if not isinstance(state, dict):
        raise BadCheckpoint(path, "is no checkpoint to go on from")
    return state


def drop_points(folder: Path, unit: str, *, keep: Iterable[int | None] = ()) -> None:
    """Delete all but the newest ``KEPT`` and those to ``keep``."""
    there = points(folder, unit)
    _drop(folder, unit, set(there[:-KEPT]) - set(keep))


def drop_points_after(folder: Path, unit: str, number: int) -> None:
    """Delete those after that epoch or round: the run goes on from there, and they are of a way not taken."""
    _drop(folder, unit, {one for one in points(folder, unit) if one > number})


def _drop(folder: Path, unit: str, numbers: Iterable[int]) -> None:
    for number in numbers:
        point_path(folder, unit, number).unlink(missing_ok=True)
