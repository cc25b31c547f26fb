"""Read all that a source holds, broken files and all: what loading and inspecting have in common."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from federated_pneumonia_detection.data.dataset import SPLITS, Images, Labels, Patients, Split
from federated_pneumonia_detection.data.errors import DataError
from federated_pneumonia_detection.data.images import IMAGE_SUFFIXES, Decoded, decode_image, resize_images
from federated_pneumonia_detection.data.listings import Entry, Listing, label_of, list_folder, patient_numbers
from federated_pneumonia_detection.data.npz import read_npz
from federated_pneumonia_detection.data.splits import SHARES, cut_splits
from federated_pneumonia_detection.data.tables import list_table
from federated_pneumonia_detection.data.trees import FolderTree, Tree, ZipTree

__all__ = ["OnImages", "Reading", "list_path", "read_path", "split_listing"]

OnImages = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Reading:
    """What was read, in the order of the source: one row for each image that could be read.

    Attributes:
        images: uint8, (N, H, H).
        labels: 0 or 1, (N,).
        splits: the split of each image.
        patients: a number for each image, or `None` where nobody says.
        names: how a reader finds each image again.
        sizes: width and height of each before it was brought to size.
        broken: an error for each image that could not be read.
        passed_over: files that are no images of a class.
        burnt_in: names of images that say that text is drawn into them.
        notes: how splits came about that the source does not have.
    """

    images: Images
    labels: Labels
    splits: list[Split]
    patients: Patients | None
    names: list[str]
    sizes: list[tuple[int, int]]
    broken: list[DataError] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    burnt_in: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_path(path: Path, *, image_size: int, seed: int, on_images: OnImages | None = None) -> Reading:
    """Read the npz, CSV, zip or folder `path`.

    Raises:
        DataError: it is none of these, or holds no images that can be told apart by class.
    """
    where = str(path)
    with ExitStack() as stack:
        if path.is_dir():
            return _read_tree(FolderTree(path), image_size, seed, on_images)
        suffix = path.suffix.lower()
        if suffix == ".npz":
            return _from_arrays(path, where, image_size, seed)
        if suffix == ".zip":
            return _read_tree(stack.enter_context(ZipTree(path)), image_size, seed, on_images)
        if suffix in {".csv", ".tsv"}:
            tree = FolderTree(path.parent)
            listing = list_table(tree.read(path.name), tree, where=where)
            return _from_listing(listing, tree, image_size, seed, on_images)
    raise DataError("it is no source", where, "name an npz, a folder, a CSV or a zip")


def list_path(path: Path) -> Listing | None:
    """List the images of the CSV, zip or folder `path`, without their pixels; `None` where they lie in one npz.

    Raises:
        DataError: as `read_path` does, but for the images themselves.
    """
    if path.is_dir():
        return _in_tree(FolderTree(path))[0]
    if path.suffix.lower() == ".zip":
        with ZipTree(path) as tree:
            return _in_tree(tree)[0]
    folder = FolderTree(path.parent)
    return list_table(folder.read(path.name), folder, where=str(path))


def split_listing(entries: Sequence[Entry], *, seed: int, where: str) -> tuple[list[Split], list[str]]:
    """The split of each image, as `read_path` tells it, and how those came about that the source does not have."""
    return _splits_of(entries, patient_numbers(entries), seed, where)


def _read_tree(tree: Tree, image_size: int, seed: int, on_images: OnImages | None) -> Reading:
    listing, arrays = _in_tree(tree)
    if listing is None:
        return _from_arrays(tree.read(arrays), tree.place(arrays), image_size, seed)
    return _from_listing(listing, tree, image_size, seed, on_images)


def _in_tree(tree: Tree) -> tuple[Listing | None, str]:
    """The images of a tree; or none, and the name of the npz in it."""
    names = tree.names()
    if not names:
        raise DataError("it is empty", tree.where, "put images into folders NORMAL and PNEUMONIA")
    if not any(_in_class_folder(name) for name in names):
        tables = [name for name in names if PurePosixPath(name).suffix.lower() in {".csv", ".tsv"}]
        arrays = [name for name in names if name.lower().endswith(".npz")]
        if len(tables) == 1:
            base = str(PurePosixPath(tables[0]).parent)
            place = tree.place(tables[0])
            listing = list_table(tree.read(tables[0]), tree, where=place, base=base)
            return listing, ""
        if len(arrays) == 1:
            return None, arrays[0]
        if nested := [name for name in names if name.lower().endswith(".zip")]:
            raise DataError("it holds a zip and no images of a class", tree.place(nested[0]), "unpack the inner zip")
        if len(tables) > 1 or len(arrays) > 1:
            raise DataError(f"it holds {len(tables) + len(arrays)} sources", tree.where, "name the one to use")
    return list_folder(tree), ""


def _in_class_folder(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() in IMAGE_SUFFIXES and any(label_of(part) is not None for part in path.parts[:-1])


def _from_arrays(source: Path | bytes, where: str, image_size: int, seed: int) -> Reading:
    images, labels = read_npz(source, where=where)
    side = images["train"].shape[1]
    given = [split for split in SPLITS if split in images]
    splits: list[Split] = [split for split in given for _ in range(len(labels[split]))]
    names = [f"{split}[{index}]" for split in given for index in range(len(labels[split]))]
    all_labels = np.concatenate([labels[split] for split in given])
    splits, notes = _complete(splits, all_labels, None, seed, where)
    return Reading(
        np.concatenate([resize_images(images[split], image_size) for split in given]),
        all_labels,
        splits,
        None,
        names,
        [(side, side)] * len(all_labels),
        notes=notes,
    )


def _from_listing(listing: Listing, tree: Tree, image_size: int, seed: int, on_images: OnImages | None) -> Reading:
    decoded = _decode_all(listing.entries, tree, image_size, on_images)
    kept = [
        (entry, result) for entry, result in zip(listing.entries, decoded, strict=True) if isinstance(result, Decoded)
    ]
    broken = [result for result in decoded if isinstance(result, DataError)]
    if not kept:
        raise DataError(f"none of its {len(broken)} images can be read", broken[0].where, f"{broken[0].what}")
    entries = [entry for entry, _ in kept]
    labels = np.array([entry.label for entry in entries], np.int64)
    patients = patient_numbers(entries)
    splits, notes = _splits_of(entries, patients, seed, tree.where)
    return Reading(
        np.stack([result.pixels for _, result in kept]),
        labels,
        splits,
        patients,
        [tree.place(entry.name) for entry in entries],
        [(result.width, result.height) for _, result in kept],
        broken,
        listing.passed_over,
        [tree.place(entry.name) for entry, result in kept if result.burnt_in],
        notes,
    )


def _splits_of(
    entries: Sequence[Entry], patients: Patients | None, seed: int, where: str
) -> tuple[list[Split], list[str]]:
    labels = np.array([entry.label for entry in entries], np.int64)
    if entries[0].split is None:
        notes = [f"cut into splits by us, seed {seed}" + (", by patient" if patients is not None else "")]
        return cut_splits(labels, patients, seed=seed, shares=SHARES, where=where), notes
    given: list[Split] = [entry.split or "train" for entry in entries]
    return _complete(given, labels, patients, seed, where)


def _complete(
    splits: list[Split], labels: Labels, patients: Patients | None, seed: int, where: str
) -> tuple[list[Split], list[str]]:
    """Cut from training what validation or test has no image of."""
    missing = [split for split in ("val", "test") if split not in splits]
    if not missing:
        return splits, []
    train = np.array([index for index, split in enumerate(splits) if split == "train"], np.intp)
    if not len(train):
        raise DataError("it has no training images", where, "put some into a split called train")
    shares = {split: share for split, share in SHARES.items() if split == "train" or split in missing}
    part = None if patients is None else patients[train]
    out = list(splits)
    for index, split in zip(train, cut_splits(labels[train], part, seed=seed, shares=shares, where=where), strict=True):
        out[index] = split
    return out, [f"{' and '.join(missing)} cut from training by us, seed {seed}"]


def _decode_all(
    entries: Sequence[Entry], tree: Tree, image_size: int, on_images: OnImages | None
) -> list[Decoded | DataError]:
    def decode(entry: Entry) -> Decoded | DataError:
        try:
            return decode_image(tree.read(entry.name), image_size, where=tree.place(entry.name))
        except DataError as error:
            return error

    results: list[Decoded | DataError] = []
    # Pillow lets other threads run while it decodes.
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1), thread_name_prefix="decode") as pool:
        for result in pool.map(decode, entries):
            results.append(result)
            if on_images is not None:
                on_images(len(results), len(entries))
    return results
