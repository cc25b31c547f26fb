"""A data set in memory: grey images, labels and patients of each split, as plain arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["CLASSES", "SPLITS", "Dataset", "Images", "Labels", "Patients", "Split", "image_keys"]

Split: TypeAlias = Literal["train", "val", "test"]
Images: TypeAlias = NDArray[np.uint8]
Labels: TypeAlias = NDArray[np.int64]
Patients: TypeAlias = NDArray[np.int64]

SPLITS: tuple[Split, ...] = ("train", "val", "test")
CLASSES = ("normal", "pneumonia")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images to train with. The positive class is pneumonia, label 1.

    Attributes:
        name: what a reader calls it; never a path.
        images: grey images of each split, uint8, shape (N, H, W); all of one size.
        labels: 0 (normal) or 1 (pneumonia) for each image, int64, shape (N,).
        patients: a number for each image, equal for images of one patient, over all splits; `None` where it is unknown.
        phantom: whether the images were generated, and are no X-rays.
        notes: what a reader should know of it, one sentence each.
        digest: SHA-256 of images and labels, as they are here.
    """

    name: str
    images: Mapping[Split, Images]
    labels: Mapping[Split, Labels]
    patients: Mapping[Split, Patients | None]
    phantom: bool = False
    notes: list[str] = field(default_factory=list)
    digest: str = ""

    def __post_init__(self) -> None:
        if not self.digest:
            object.__setattr__(self, "digest", _digest(self.images, self.labels))

    def describe(self) -> dict[str, Any]:
        """What a run says of its data: name, digest, counts for each split and class. No paths, no patients."""
        return {
            "name": self.name,
            "digest": self.digest,
            "phantom": self.phantom,
            "image_size": int(self.images["train"].shape[1]),
            "splits": {split: _counts(self.labels[split]) for split in SPLITS},
            "notes": list(self.notes),
        }

    def without_duplicates(self) -> Dataset:
        """The same without the training images that occur again in training, validation or test.

        Of images that are equal within training the first stays; validation and test stay whole, so their figures
        can be compared with published ones.
        """
        seen = {key for split in ("val", "test") for key in image_keys(self.images[split])}
        keep = []
        for index, key in enumerate(image_keys(self.images["train"])):
            if key not in seen:
                seen.add(key)
                keep.append(index)
        dropped = len(self.labels["train"]) - len(keep)
        if not dropped:
            return self
        chosen = np.asarray(keep, dtype=np.intp)
        patients = self.patients["train"]
        return replace(
            self,
            images={**self.images, "train": self.images["train"][chosen]},
            labels={**self.labels, "train": self.labels["train"][chosen]},
            patients={**self.patients, "train": None if patients is None else patients[chosen]},
            notes=[*self.notes, f"{dropped} training images that occur elsewhere again were left out"],
            digest="",
        )


def image_keys(images: Images) -> list[bytes]:
    """A key for each image; two images have the same key when each of their pixels is the same."""
    return [hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest() for image in images]


def _counts(labels: Labels) -> dict[str, int]:
    normal, pneumonia = np.bincount(labels, minlength=2)[:2].tolist()
    return {"n": len(labels), "normal": normal, "pneumonia": pneumonia}


def _digest(images: Mapping[Split, Images], labels: Mapping[Split, Labels]) -> str:
    digest = hashlib.sha256()
    for split in SPLITS:
        digest.update(f"{split} {images[split].shape}\n".encode())
        digest.update(np.ascontiguousarray(images[split]).data)
        digest.update(labels[split].astype("<i8").tobytes())
    return digest.hexdigest()
