"""`metrics.csv` of Lightning's `CSVLogger`, and the `hparams.yaml` beside it."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import yaml

from federated_pneumonia_detection.neighbours.curves import Measured, as_messages
from federated_pneumonia_detection.neighbours.errors import NotReadable
from federated_pneumonia_detection.neighbours.importing import Foreign, stamp

__all__ = ["read"]

_RIGHT = "what Lightning's CSVLogger writes has a column `step`, mostly also `epoch`, and one for each metric"


def read(path: Path, content: bytes, experiment_name: str) -> Foreign:
    """The run. The file tells no times: all that was measured is of when the file was written last.

    Raises:
        NotReadable: it is no such file.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise NotReadable(path, f"that is no CSV ({error})", _RIGHT) from None
    if not rows or "step" not in rows[0]:
        raise NotReadable(path, "there is no column `step` with something below it", _RIGHT)
    written = stamp(path.stat().st_mtime)
    measured = []
    for line, row in enumerate(rows, 2):
        if None in row or None in row.values():
            raise NotReadable(path, f"line {line} has not as many cells as the first one has names", _RIGHT)
        step, epoch = _whole(path, line, "step", row["step"]), _whole(path, line, "epoch", row.get("epoch", ""))
        metrics = {
            name: _number(path, line, name, cell)
            for name, cell in row.items()
            if name not in ("step", "epoch") and cell
        }
        if step is None:
            raise NotReadable(path, f"line {line} names no step", _RIGHT)
        if metrics:
            measured.append(Measured(step, epoch, written, metrics))
    if not measured:
        raise NotReadable(path, "there is no metric in it", _RIGHT)
    return Foreign("centralized", as_messages(experiment_name, measured, _config(path)))


def _whole(path: Path, line: int, name: str, cell: str) -> int | None:
    value = _number(path, line, name, cell) if cell else None
    if value is not None and (value != int(value) or value < 0):
        raise NotReadable(path, f"line {line}: {cell!r} is no {name}", "it is counted in whole numbers from 0")
    return None if value is None else int(value)


def _number(path: Path, line: int, name: str, cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        raise NotReadable(path, f"line {line}, column {name}: {cell[:40]!r} is no number", _RIGHT) from None
    return value if math.isfinite(value) else None


def _config(path: Path) -> dict[str, object]:
    """The hyperparameters that Lightning left beside it, if they are plain ones."""
    try:
        found = yaml.safe_load((path.parent / "hparams.yaml").read_bytes())
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        return {}
    plain = (str, int, float, bool, type(None))
    return (
        {str(name): value for name, value in found.items() if isinstance(value, plain)}
        if isinstance(found, dict)
        else {}
    )
