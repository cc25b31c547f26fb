"""Cut images that come without splits into training, validation and test. Pure functions of their arguments."""

from __future__ import annotations

import numpy as np

from federated_pneumonia_detection.data.dataset import CLASSES, Labels, Patients, Split
from federated_pneumonia_detection.data.errors import DataError

__all__ = ["SHARES", "cut_splits"]

# As in MedMNIST v2, for what its publisher did not cut either.
SHARES: dict[Split, float] = {"train": 0.7, "val": 0.1, "test": 0.2}


def cut_splits(
    labels: Labels, patients: Patients | None, *, seed: int, shares: dict[Split, float], where: str
) -> list[Split]:
    """Return a split for each image, by patient where patients are known, with the classes evenly in each.

    Args:
        labels: 0 or 1 for each image, shape (N,).
        patients: a number for each image; no patient is put into two splits. `None`: each image stands for itself.
        seed: the same arguments give the same splits.
        shares: how much of the whole each split gets.
        where: how errors call the source.

    Raises:
        DataError: a class has too few patients for every split to get one.
    """
    group = np.arange(len(labels)) if patients is None else patients
    names, place = np.unique(group, return_inverse=True)
    # A patient counts for the class of most of their images; a tie counts as pneumonia, the positive class.
    ill = np.bincount(place, weights=labels) >= np.bincount(place) / 2
    rng = np.random.default_rng(seed)
    wanted = [split for split, share in shares.items() if share > 0]
    chosen: list[Split] = [wanted[0]] * len(names)
    for label, name in enumerate(CLASSES):
        members = rng.permutation(np.flatnonzero(ill == bool(label)))
        if len(members) < len(wanted):
            noun = "image" if patients is None else "patient"
            raise DataError(
                f"class {name} has {len(members)} {noun}{'s' * (len(members) != 1)}, "
                f"too few to be cut into {len(wanted)} splits",
                where,
                f"give at least {len(wanted)}, or folders train, val and test",
            )
        for split, part in zip(wanted, _parts(len(members), [shares[split] for split in wanted]), strict=True):
            for index in members[part]:
                chosen[index] = split
    return [chosen[index] for index in place]


def _parts(count: int, shares: list[float]) -> list[slice]:
    """Slices of `count` things in the proportion of `shares`, each at least one long."""
    total = sum(shares)
    sizes = [max(1, round(count * share / total)) for share in shares]
    sizes[int(np.argmax(sizes))] += count - sum(sizes)
    ends = np.cumsum(sizes).tolist()
    return [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
