"""A source to look at: what is in each split, and one image at a time, without reading all pixels first.

Splits and places in them are those of `load_source` with the same seed, so that the place of an image that a training
tells of is its place here. That holds where no image is broken; a training refuses a source that has a broken one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from federated_pneumonia_detection.data.dataset import CLASSES, SPLITS, Dataset, Images, Labels, Split
from federated_pneumonia_detection.data.errors import DataError
from federated_pneumonia_detection.data.images import decode_image, resize_images
from federated_pneumonia_detection.data.phantoms import make_phantoms
from federated_pneumonia_detection.data.reading import list_path, split_listing
from federated_pneumonia_detection.data.sources import PHANTOMS, find_source, load_source, source_name
from federated_pneumonia_detection.data.trees import FolderTree, ZipTree

__all__ = ["Catalogue", "open_catalogue"]

# Images that are held in memory are held no larger than they are ever shown.
_MOST_SIDE = 128

Read = Callable[[Split, int, int], Images]


@dataclass(frozen=True, eq=False)
class Catalogue:
    """What a source holds.

    Attributes:
        name: what a reader calls it; never a path.
        phantom: whether its images are generated, and are no X-rays.
        labels: 0 or 1 for each image of each split.
        notes: how splits came about that the source does not have.
        digest: of images and labels at the size asked for, as a run tells it; empty where that would need all pixels.
        files: for each split the file of each image; empty where they do not lie in files of their own.
        read: the image at a place of a split as a grey square of so many pixels; blocks, raises `DataError`.
    """

    name: str
    phantom: bool
    labels: dict[Split, Labels]
    notes: list[str]
    digest: str
    read: Read
    files: dict[Split, list[Path]] = field(default_factory=dict)

    def counts(self) -> dict[str, dict[str, int]]:
        """How many images of each class each split has."""
        return {
            split: {name: int((self.labels[split] == label).sum()) for label, name in enumerate(CLASSES)}
            for split in SPLITS
        }


def open_catalogue(source: str | Path, *, image_size: int = 28, seed: int = 0) -> Catalogue:
    """Look at an npz, a folder, a CSV, a zip or the word `phantoms`. Blocks.

    Args:
        source: what to look at.
        image_size: what a training would bring images to; phantoms are made in it, and the digest is of it.
        seed: for splits that the source does not have, and for phantoms.

    Raises:
        DataError: it is no source, or none that could be trained on.
    """
    found = find_source(source)
    if found.path is None:
        return _of_arrays(make_phantoms(image_size=image_size, seed=seed), PHANTOMS)
    if found.kind == "npz":
        return _of_arrays(load_source(found.path, image_size=image_size, seed=seed), source_name(found.path))
    return _of_listing(found.path, image_size=image_size, seed=seed)


def _of_arrays(data: Dataset, name: str) -> Catalogue:
    shown = {split: _no_larger(data.images[split]) for split in SPLITS}

    def read(split: Split, place: int, side: int) -> Images:
        image: Images = resize_images(shown[split][place : place + 1], side)[0]
        return image

    return Catalogue(
        data.name if data.phantom else name,
        data.phantom,
        {split: data.labels[split] for split in SPLITS},
        list(data.notes),
        data.digest,
        read,
    )


def _no_larger(images: Images) -> Images:
    return resize_images(images, min(images.shape[1], _MOST_SIDE))


def _of_listing(path: Path, *, image_size: int, seed: int) -> Catalogue:
    listed = list_path(path)
    if listed is None:  # a folder or a zip around one npz
        return _of_arrays(load_source(path, image_size=image_size, seed=seed), source_name(path))
    entries, tree_root = listed.entries, path if path.is_dir() else path.parent
    in_zip = path.suffix.lower() == ".zip" and path.is_file()
    splits, notes = split_listing(entries, seed=seed, where=str(path))
    order: dict[Split, list[int]] = {
        split: [place for place, its in enumerate(splits) if its == split] for split in SPLITS
    }
    for split in SPLITS:
        if not order[split]:
            raise DataError(f"{split} has no images", str(path), f"put images of both classes into {split}")

    def read(split: Split, place: int, side: int) -> Images:
        name = entries[order[split][place]].name
        if in_zip:
            with ZipTree(path) as zipped:
                return decode_image(zipped.read(name), side, where=zipped.place(name)).pixels
        folder = FolderTree(tree_root)
        return decode_image(folder.read(name), side, where=folder.place(name)).pixels

    return Catalogue(
        source_name(path),
        False,
        {split: np.array([entries[place].label for place in order[split]], np.int64) for split in SPLITS},
        notes,
        "",
        read,
        {} if in_zip else {split: [tree_root / entries[place].name for place in order[split]] for split in SPLITS},
    )
