"""From a word, a path or nothing to a data set: which source it is, and how it is loaded."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from federated_pneumonia_detection.data.dataset import Dataset
from federated_pneumonia_detection.data.errors import DataError
from federated_pneumonia_detection.data.npz import read_npz
from federated_pneumonia_detection.data.phantoms import make_phantoms

__all__ = ["Found", "SourceKind", "find_source", "load_source"]

SourceKind: TypeAlias = Literal["npz", "folder", "csv", "zip", "publisher", "phantoms"]


@dataclass(frozen=True)
class Found:
    """Where images will come from. `path` is `None` for phantoms and for the publisher."""

    kind: SourceKind
    path: Path | None
    phantom: bool


def find_source(source: str | Path | None) -> Found:
    """Tell what `source` names, without reading it."""
    source = os.environ.get("FPD_DATA") or None if source is None else source
    if source is None or str(source) == "phantoms":
        return Found("phantoms", None, True)
    path = Path(source)
    if not path.exists():
        raise DataError("there is no such file or folder", str(source), "name an npz, a folder, a CSV, a zip")
    return Found("npz", path, False)


def load_source(
    source: str | Path | None, *, image_size: int = 28, seed: int = 0, allow_download: bool = True
) -> Dataset:
    """Load the data set that `source` names."""
    found = find_source(source)
    if found.path is None:
        return make_phantoms(image_size=image_size, seed=seed)
    images, labels = read_npz(found.path, where=str(found.path))
    return Dataset(found.path.stem, images, labels, dict.fromkeys(images))
