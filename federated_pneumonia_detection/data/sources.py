"""From a word, a path or nothing to a data set: which source it is, and how it is loaded."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from federated_pneumonia_detection.data import publisher
from federated_pneumonia_detection.data.cache import cache_directory
from federated_pneumonia_detection.data.dataset import CLASSES, SPLITS, Dataset, Images, Labels, Patients, Split
from federated_pneumonia_detection.data.errors import DataError
from federated_pneumonia_detection.data.phantoms import make_phantoms
from federated_pneumonia_detection.data.reading import OnImages, Reading, read_path

__all__ = ["PHANTOMS", "Found", "SourceKind", "dataset_of", "find_source", "load_source", "source_name"]

SourceKind: TypeAlias = Literal["npz", "folder", "csv", "zip", "publisher", "phantoms"]

PHANTOMS = "phantoms"
_KINDS: dict[str, SourceKind] = {".npz": "npz", ".csv": "csv", ".tsv": "csv", ".zip": "zip"}
_RIGHT = "name an npz, a folder, a CSV, a zip or the word phantoms"


@dataclass(frozen=True)
class Found:
    """Where images will come from.

    Attributes:
        kind: what it is; `publisher` means that it will be downloaded, or, where that fails, be phantoms.
        path: the file or folder; `None` for `publisher` and `phantoms`.
        phantom: whether it will surely be phantoms.
        asked_by: what named it: `argument`, `FPD_DATA`, `cache` or `nobody`.
    """

    kind: SourceKind
    path: Path | None
    phantom: bool
    asked_by: Literal["argument", "FPD_DATA", "cache", "nobody"] = "argument"


def find_source(source: str | Path | None, *, allow_download: bool = True) -> Found:
    """Tell what `source` names, without reading it. `None`: `FPD_DATA`, the cache, the publisher, phantoms.

    Raises:
        DataError: it is named and not there, or is no npz, folder, CSV or zip.
    """
    asked_by: Literal["argument", "FPD_DATA"] = "argument"
    if source is None:
        source = os.environ.get("FPD_DATA") or None
        asked_by = "FPD_DATA"
    if source is None:
        cached = publisher.cached_file(cache_directory())
        if cached is not None:
            return Found("npz", cached, False, "cache")
        return Found("publisher", None, False, "nobody") if allow_download else Found("phantoms", None, True, "nobody")
    if str(source) == PHANTOMS:
        return Found("phantoms", None, True, asked_by)
    where = f"{source} (named by FPD_DATA)" if asked_by == "FPD_DATA" else str(source)
    try:
        path = Path(source).expanduser()
        there, folder, regular = path.exists(), path.is_dir(), path.is_file()
    except (OSError, ValueError, RuntimeError) as error:
        # A NUL in it, a name too long, a home that is not there.
        raise DataError(f"it cannot be a path ({error})", ascii(str(source))[1:-1][:200], _RIGHT) from None
    if not there:
        raise DataError("there is no such file or folder", where, _RIGHT)
    kind = "folder" if folder else _KINDS.get(path.suffix.lower())
    if kind is None:
        raise DataError(f"a file that ends in {path.suffix or 'nothing'!r} is no source", where, _RIGHT)
    if not (folder or regular):
        # A pipe or a device would be waited for without end.
        raise DataError("it is no regular file", where, _RIGHT)
    return Found(kind, path, False, asked_by)


def load_source(
    source: str | Path | None,
    *,
    image_size: int = 28,
    seed: int = 0,
    allow_download: bool = True,
    on_images: OnImages | None = None,
    on_download: publisher.OnProgress | None = None,
    say: Callable[[str], None] | None = None,
) -> Dataset:
    """Load the data set that `source` names. Blocks.

    Args:
        source: an npz, a folder, a CSV, a zip, the word `phantoms`, or `None` for the order of `find_source`.
        image_size: side in pixels to which each image is brought.
        seed: for splits that the source does not have, and for phantoms.
        allow_download: whether the publisher may be asked.
        on_images: called with the images read so far, and of how many.
        on_download: called with the bytes so far and, where known, of how many.
        say: told, in a sentence, what is tried and why it did not work.

    Raises:
        DataError: a named source cannot be used. One that nobody named cannot fail: it ends in phantoms.
    """
    say = say or (lambda _: None)
    found = find_source(source, allow_download=allow_download)
    note = None
    if found.asked_by == "cache" and found.path is not None:
        try:
            return _load(found.path, image_size, seed, on_images)
        except DataError as error:
            say(f"the cached file is not usable ({error.what}) and is fetched again")
            found = Found("publisher", None, False, "nobody")
    if found.kind == "publisher":
        if not allow_download:
            return make_phantoms(image_size=image_size, seed=seed)
        try:
            say("downloading PneumoniaMNIST from its publisher")
            return _load(publisher.download(cache_directory(), on_progress=on_download), image_size, seed, on_images)
        except DataError as error:
            note = f"PneumoniaMNIST could not be downloaded: {error.what}"
            say(f"{note}; going on with phantoms, not X-rays")
    if found.path is None:
        phantoms = make_phantoms(image_size=image_size, seed=seed)
        return phantoms if note is None else replace(phantoms, notes=[*phantoms.notes, note])
    return _load(found.path, image_size, seed, on_images)


def dataset_of(reading: Reading, *, name: str, where: str) -> Dataset:
    """Make the data set of all that was read.

    Raises:
        DataError: an image is broken, or training lacks a class.
    """
    if reading.broken:
        first, total = reading.broken[0], len(reading.broken) + len(reading.labels)
        what = first.what if total == 1 else f"{first.what} ({len(reading.broken)} of {total} images cannot be read)"
        raise DataError(what, first.where, f"{first.right}; `fpd data inspect` names all")
    splits = np.array(reading.splits)
    images: dict[Split, Images] = {}
    labels: dict[Split, Labels] = {}
    patients: dict[Split, Patients | None] = {}
    for split in SPLITS:
        chosen = splits == split
        images[split], labels[split] = reading.images[chosen], reading.labels[chosen]
        patients[split] = None if reading.patients is None else reading.patients[chosen]
    _check_classes(labels, where)
    return Dataset(name, images, labels, patients, notes=list(reading.notes))


def _load(path: Path, image_size: int, seed: int, on_images: OnImages | None) -> Dataset:
    reading = read_path(path, image_size=image_size, seed=seed, on_images=on_images)
    return dataset_of(reading, name=source_name(path), where=str(path))


def source_name(path: Path) -> str:
    """What a reader calls the source at `path`: the last part of it, without its ending."""
    stem = path.resolve().name if path.is_dir() else path.stem
    return "PneumoniaMNIST" if stem.lower() == "pneumoniamnist" else stem


def _check_classes(labels: dict[Split, Labels], where: str) -> None:
    for split in SPLITS:
        if not len(labels[split]):
            raise DataError(f"{split} has no images", where, f"put images of both classes into {split}")
    for label, name in enumerate(CLASSES):
        count = int((labels["train"] == label).sum())
        if count < 2:
            other = CLASSES[1 - label]
            what = f"training has only images of class {other}" if not count else f"class {name} has one training image"
            raise DataError(what, where, f"give at least 2 training images of class {name}")
