import warnings

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from federated_pneumonia_detection.data import Dataset
from federated_pneumonia_detection.training.data_module import EpochOrder, XrayDataModule
from federated_pneumonia_detection.training.quiet import quiet_lightning


@pytest.fixture
def data():
    images = {split: np.zeros((n, 12, 12), np.uint8) for split, n in (("train", 21), ("val", 5), ("test", 0))}
    labels = {split: (np.arange(len(pixels)) % 2).astype(np.int64) for split, pixels in images.items()}
    return Dataset("squares", images, labels, dict.fromkeys(images))


def test_an_order_holds_each_image_once_and_depends_on_seed_and_epoch_alone():
    order = EpochOrder(50, seed=1)
    first, again = list(order), list(order)
    order.set_epoch(1)
    assert first == again
    assert sorted(first) == list(range(50))
    assert list(order) not in (first, list(EpochOrder(50, seed=2)))


def test_lightning_gives_each_epoch_an_order_of_its_own(data, tiny_config):
    seen = []

    class Looking(pl.LightningModule):
        def training_step(self, batch, batch_idx):
            seen.append(batch[0][:, 0, 0].tolist())

        def configure_optimizers(self):
            return None

    for index in range(21):
        data.images["train"][index] = index
    with quiet_lightning():
        trainer = pl.Trainer(
            max_epochs=3,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        warnings.filterwarnings("ignore", message=".*returned `None`.*")
        trainer.fit(Looking(), XrayDataModule(data, tiny_config).train_dataloader())
    expected = []
    for epoch in range(3):
        order = EpochOrder(21, tiny_config.seed)
        order.set_epoch(epoch)
        expected += [list(order)[:8], list(order)[8:16]]
    assert seen == expected


def test_batches_come_whole_as_bytes_and_the_smaller_last_one_is_left_out(data, tiny_config):
    batches = list(XrayDataModule(data, tiny_config).train_dataloader())
    assert [len(images) for images, _ in batches] == [8, 8]
    assert batches[0][0].dtype == torch.uint8
    assert batches[0][0].shape == (8, 12, 12)


def test_fewer_images_than_a_batch_are_one_batch(data, tiny_config):
    config = tiny_config.model_copy(update={"batch_size": 64})
    assert [len(labels) for _, labels in XrayDataModule(data, config).train_dataloader()] == [21]


def test_validation_is_in_order_and_whole(data, tiny_config):
    labels = torch.cat([labels for _, labels in XrayDataModule(data, tiny_config).val_dataloader()])
    assert labels.tolist() == [0, 1, 0, 1, 0]


def test_an_empty_split_has_no_loader(data, tiny_config):
    assert XrayDataModule(data, tiny_config).test_dataloader() == []
