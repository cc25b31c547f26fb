"""Images in memory, handed out as whole batches of bytes; augmentation happens later, on the device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

if TYPE_CHECKING:
    from federated_pneumonia_detection.config import TrainingConfig
    from federated_pneumonia_detection.data import Dataset as Xrays

__all__ = ["EpochOrder", "ImageBatches", "XrayDataModule"]

Batch = tuple[Tensor, Tensor]


class ImageBatches(Dataset[Batch]):
    """Grey images and their labels.

    Args:
        images: uint8 ``(N, H, W)``.
        labels: 0 and 1, ``(N,)``.
    """

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images = images
        self.labels = labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Batch:
        return self.images[index], self.labels[index]

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """A whole batch at once: one indexing instead of one Python call an image."""
        chosen = torch.as_tensor(indices)
        return self.images[chosen], self.labels[chosen]


class EpochOrder(Sampler[int]):
    """The order of the images: a new one each epoch, decided by seed and epoch alone.

    torch's own RandomSampler draws whenever somebody asks for an iterator; loaders with workers ask earlier and once
    more than loaders without, and so the number of workers would change the result.

    Args:
        count: How many images there are.
        seed: Of all orders.
        epoch: The first one, from 0.
    """

    def __init__(self, count: int, seed: int, epoch: int = 0) -> None:
        self.count = count
        self.seed = seed
        self.epoch = epoch

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[int]:
        return iter(np.random.default_rng((self.seed, self.epoch)).permutation(self.count).tolist())


class XrayDataModule(pl.LightningDataModule):
    """The splits of a data set as Lightning wants them.

    Args:
        data: From ``data.load_source``.
        config: Batch size, seed and number of workers are read.
        epochs_done: How many epochs of the training are done: loaders with workers fetch before anybody tells them.
    """

    def __init__(self, data: Xrays, config: TrainingConfig, *, epochs_done: int = 0) -> None:
        super().__init__()
        self.config = config
        self.epochs_done = epochs_done
        self._splits = {
            split: ImageBatches(torch.from_numpy(data.images[split]), torch.from_numpy(data.labels[split]))
            for split in ("train", "val", "test")
        }

    def labels(self, split: str) -> Tensor:
        """The labels of ``train``, ``val`` or ``test``."""
        return self._splits[split].labels

    def images(self, split: str) -> Tensor:
        """The images of ``train``, ``val`` or ``test``, uint8 ``(N, H, W)``."""
        return self._splits[split].images

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled; the last, smaller batch is left out, since a handful of images disturbs the batch norm."""
        return self._loader("train", shuffle=True)

    def val_dataloader(self) -> DataLoader[Batch] | list[DataLoader[Batch]]:
        """In order; none if the split is empty."""
        return self._loader("val") if len(self._splits["val"]) else []

    def test_dataloader(self) -> DataLoader[Batch] | list[DataLoader[Batch]]:
        """In order; none if the split is empty."""
        return self._loader("test") if len(self._splits["test"]) else []

    def _loader(self, split: str, *, shuffle: bool = False) -> DataLoader[Batch]:
        dataset, size = self._splits[split], self.config.batch_size
        return DataLoader(
            dataset,
            batch_size=size if shuffle else max(size, 256),
            sampler=EpochOrder(len(dataset), self.config.seed, self.epochs_done) if shuffle else None,
            drop_last=shuffle and len(dataset) >= size,
            num_workers=self.config.num_workers,
            persistent_workers=self.config.num_workers > 0,
            collate_fn=_as_it_is,
            # Or a loader would draw from torch's one chance, and a training that goes on would draw once less.
            generator=torch.Generator().manual_seed(self.config.seed),
        )


def _as_it_is(batch: Any) -> Any:
    """Instead of torch's collation: ``__getitems__`` gives a whole batch already."""
    return batch
