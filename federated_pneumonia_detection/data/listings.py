"""What a folder, a zip or a CSV says is in it: for each image its name, label, split and patient. No pixels yet."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np

from federated_pneumonia_detection.data.dataset import Patients, Split
from federated_pneumonia_detection.data.errors import DataError
from federated_pneumonia_detection.data.images import IMAGE_SUFFIXES
from federated_pneumonia_detection.data.trees import Tree

__all__ = ["Entry", "Listing", "label_of", "list_folder", "patient_numbers", "patient_of", "split_of"]

_LABELS = {"normal": 0, "0": 0, "negative": 0, "pneumonia": 1, "1": 1, "positive": 1}
_SPLITS: dict[str, Split] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
# Kermany's names: person123_bacteria_456.jpeg, IM-0115-0001.jpeg, NORMAL2-IM-0394-0001.jpeg; the latter two carry the
# patient's number before the image's.
_PATIENTS = (re.compile(r"^(person\d+)_", re.I), re.compile(r"^((?:NORMAL2-)?IM-\d+)-\d+", re.I))
_LAYOUT = "put images into folders NORMAL and PNEUMONIA, these into train, val and test if there are such"


@dataclass(frozen=True)
class Entry:
    """One image that a source tells of. `split` and `patient` are `None` where the source does not say."""

    name: str
    label: int
    split: Split | None
    patient: str | None


@dataclass(frozen=True)
class Listing:
    """All images of a source, and what was passed over, by name."""

    entries: list[Entry]
    passed_over: list[str] = field(default_factory=list)


def label_of(word: str) -> int | None:
    """The label that `word` means (NORMAL, PNEUMONIA, 0, 1, negative, positive), or `None`."""
    return _LABELS.get(word.strip().lower())


def split_of(word: str) -> Split | None:
    """The split that `word` means (train, val, valid, validation, test, …), or `None`."""
    return _SPLITS.get(word.strip().lower())


def patient_of(name: str) -> str | None:
    """The patient that a file name of Kermany's data set tells, or `None`."""
    stem = PurePosixPath(name).name
    return next((match[1].lower() for pattern in _PATIENTS if (match := pattern.match(stem))), None)


def list_folder(tree: Tree) -> Listing:
    """List the images of a tree whose folders are classes, in folders of splits or not, however deep.

    A copy of the whole within itself is passed over: Kermany's images as Kaggle packs them lie in `chest_xray/train`
    and again in `chest_xray/chest_xray/train`.

    Raises:
        DataError: there is no folder of a class with an image in it, or some images lie in folders of splits and
            others do not.
    """
    entries: list[Entry] = []
    others: list[str] = []
    for name in tree.names():
        path = PurePosixPath(name)
        folders = path.parts[:-1]
        label = next((word for part in reversed(folders) if (word := label_of(part)) is not None), None)
        if label is None or path.suffix.lower() not in IMAGE_SUFFIXES:
            others.append(name)
            continue
        split = next((found for part in reversed(folders) if (found := split_of(part)) is not None), None)
        entries.append(Entry(name, label, split, patient_of(name)))
    names = {entry.name for entry in entries}
    copies = {entry.name for entry in entries if _original(entry.name) in names}
    others += sorted(copies)
    entries = [entry for entry in entries if entry.name not in copies]
    if not entries:
        what = f"none of its {len(others)} files is an image of a class" if others else "it is empty"
        raise DataError(what, tree.where, _LAYOUT)
    without = [entry.name for entry in entries if entry.split is None]
    if without and len(without) < len(entries):
        raise DataError(
            f"{len(without)} images lie in no folder of a split, the others do", tree.place(without[0]), _LAYOUT
        )
    return Listing(entries, others)


def _original(name: str) -> str | None:
    """What `a/a/train/NORMAL/x` is a copy of: `a/train/NORMAL/x`."""
    first, _, rest = name.partition("/")
    return rest if rest.startswith(f"{first}/") else None


def patient_numbers(entries: Sequence[Entry]) -> Patients | None:
    """A number for each image, equal for those of one patient; `None` where no patient is known.

    An image whose patient is unknown among others counts as a patient of its own.
    """
    if all(entry.patient is None for entry in entries):
        return None
    # What is known and what is not must not meet: a file called as a patient is.
    words = [f"p {entry.patient}" if entry.patient is not None else f"f {entry.name}" for entry in entries]
    numbers: Patients = np.unique(np.asarray(words), return_inverse=True)[1].astype(np.int64)
    return numbers
