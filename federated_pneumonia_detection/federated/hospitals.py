"""The images of each hospital: its own source, or its part of a source that several simulated hospitals share.

No Flower and no torch in here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from federated_pneumonia_detection.config import FederatedConfig
from federated_pneumonia_detection.data import DataError, Dataset, find_source, load_source, partition
from federated_pneumonia_detection.federated.roster import client_name

__all__ = ["Hospitals", "LocalImages", "Share", "class_counts", "deal_out", "local_images", "open_hospitals", "release"]

Indices: TypeAlias = NDArray[np.int64]


class Share(NamedTuple):
    """Which training and which validation images one hospital holds."""

    train: Indices
    val: Indices


@dataclass(frozen=True, eq=False)
class LocalImages:
    """A hospital's training and validation images, uint8 `(N, H, W)`, with labels 0 (normal) and 1 (pneumonia)."""

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    val_images: NDArray[np.uint8]
    val_labels: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Hospitals:
    """A source, dealt out to hospitals.

    Attributes:
        source: what every process can load it by.
        dataset: what was loaded, duplicates left out where that was asked for.
        description: what `run_start` says of it, with the counts of each hospital.
    """

    source: str
    dataset: Dataset
    description: dict[str, Any]


class _Held(NamedTuple):
    key: tuple[str | None, int, int, bool]
    dataset: Dataset


# The data set of this process: several hospitals in it read the same arrays, which nobody changes.
_held: _Held | None = None


def open_hospitals(
    source: str | Path | None, config: FederatedConfig, *, allow_download: bool = True, deals_out: bool = True
) -> Hospitals:
    """Load `source` and deal it out as `config` says; hospitals of this process find it loaded.

    Args:
        source: as `data.load_source` takes it.
        config: of the run.
        allow_download: whether the publisher may be asked where nobody named a source.
        deals_out: `False` where the hospitals have images of their own, and this source only judges their model.

    Raises:
        DataError: the source cannot be used, or is too small for so many hospitals.
    """
    global _held
    loaded = load_source(source, image_size=config.image_size, seed=config.seed, allow_download=allow_download)
    dataset = loaded.without_duplicates() if config.drop_duplicates else loaded
    # Found again now: what was downloaded lies in the cache, and other processes shall not download it once more.
    found = find_source(source, allow_download=False)
    name = "phantoms" if loaded.phantom or found.path is None else str(found.path.absolute())
    _held = _Held((name, config.image_size, config.seed, config.drop_duplicates), dataset)
    if not deals_out:
        return Hospitals(name, dataset, loaded.describe())
    shares = deal_out(dataset, config.num_clients, scheme=config.partition, alpha=config.alpha, seed=config.seed)
    clients = {client_name(number): _counts(dataset, share) for number, share in enumerate(shares)}
    return Hospitals(name, dataset, {**loaded.describe(), "clients": clients})


def release() -> None:
    """Forget the data set that this process holds."""
    global _held
    _held = None


def deal_out(dataset: Dataset, num_clients: int, *, scheme: str, alpha: float, seed: int) -> list[Share]:
    """Which images each hospital holds.

    Training and validation images are dealt out together, so that a hospital is validated on the same mixture of
    classes, and on the same patients' side of the division, as it trains on.

    Raises:
        DataError: a hospital would get nothing to train on.
    """
    train, val = dataset.labels["train"], dataset.labels["val"]
    patients = None
    if (of_train := dataset.patients["train"]) is not None and (of_val := dataset.patients["val"]) is not None:
        patients = np.concatenate([of_train, of_val])
    parts = partition(
        np.concatenate([train, val]),
        num_clients,
        scheme=cast(Any, scheme),
        alpha=alpha,
        seed=seed,
        patients=patients,
    )
    shares = [Share(part[part < len(train)], part[part >= len(train)] - len(train)) for part in parts]
    for number, share in enumerate(shares):
        if len(share.train) == 0:
            raise DataError(
                f"{client_name(number)} would get no training image",
                f"partition {scheme} over {num_clients} clients",
                "take fewer clients" + (", or a larger alpha" if scheme == "dirichlet" else ""),
            )
    return shares


def local_images(
    source: str | None,
    *,
    image_size: int,
    seed: int,
    drop_duplicates: bool,
    number: int = 0,
    of: int = 1,
    scheme: str | None = None,
    alpha: float = 0.5,
) -> LocalImages:
    """The images of hospital `number` out of `of`: all of `source` where there is no `scheme`, else its share.

    Raises:
        DataError: the source cannot be used.
    """
    dataset = _load_once(source, image_size, seed, drop_duplicates)
    images, labels = dataset.images, dataset.labels
    if scheme is None:
        return LocalImages(images["train"], labels["train"], images["val"], labels["val"])
    share = deal_out(dataset, of, scheme=scheme, alpha=alpha, seed=seed)[number]
    return LocalImages(
        images["train"][share.train], labels["train"][share.train], images["val"][share.val], labels["val"][share.val]
    )


def _load_once(source: str | None, image_size: int, seed: int, drop_duplicates: bool) -> Dataset:
    global _held
    key = (source, image_size, seed, drop_duplicates)
    held = _held
    if held is None or held.key != key:
        dataset = load_source(source, image_size=image_size, seed=seed)
        held = _held = _Held(key, dataset.without_duplicates() if drop_duplicates else dataset)
    return held.dataset


def class_counts(labels: NDArray[np.int64]) -> dict[str, int]:
    """How many images there are, and how many of each class."""
    positive = int(labels.sum())
    return {"n": len(labels), "normal": len(labels) - positive, "pneumonia": positive}


def _counts(dataset: Dataset, share: Share) -> dict[str, dict[str, int]]:
    return {
        "train": class_counts(dataset.labels["train"][share.train]),
        "val": class_counts(dataset.labels["val"][share.val]),
    }
