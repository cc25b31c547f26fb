"""A stranger's script that trains on two processes: run by test_ddp.py, and by Lightning for the second process."""

import sys
import threading
import time
import warnings
from pathlib import Path

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from federated_pneumonia_detection.progress.cancel import request_cancel
from federated_pneumonia_detection.progress.pause import go_on, request_pause
from federated_pneumonia_detection.training import prepare_trainer_and_callbacks_pl

warnings.simplefilter("ignore")


class Module(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 1)

    def training_step(self, batch, batch_idx):
        loss = self.layer(batch[0]).square().mean()
        self.log("train_loss", loss, on_step=False, on_epoch=True, sync_dist=True)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self.layer(batch[0]).square().mean(), sync_dist=True)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Asking(pl.Callback):
    """Asks to wait in the second epoch, on rank zero alone, then to go on, then for an end."""

    def __init__(self, directory):
        self.directory = directory

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 1 and trainer.is_global_zero:
            request_pause(self.directory, "two", by="Ada")
            threading.Thread(target=self.go_on, daemon=True).start()

    def go_on(self):
        journal = Path(self.directory, "two.jsonl")
        while '"training_paused"' not in journal.read_text():
            time.sleep(0.05)
        go_on(self.directory, "two", by="Bob")
        while '"training_resumed"' not in journal.read_text():
            time.sleep(0.05)
        request_cancel(self.directory, "two", reason="enough", by="a test")


def main():
    strategy, directory, epochs = sys.argv[1:]
    torch.set_num_threads(1)
    loader = DataLoader(TensorDataset(torch.randn(32, 4)), batch_size=4)
    prepared = prepare_trainer_and_callbacks_pl(
        checkpoint_dir=f"{directory}/checkpoints",
        logs_dir=directory,
        experiment_name="two processes",
        run_id="two",
        epochs=int(epochs),
        callbacks=[Asking(f"{directory}/progress")] if int(epochs) > 2 else [],
        strategy=strategy,
        accelerator="cpu",
        devices=2,
    )
    prepared.trainer.fit(Module(), loader, loader)


if __name__ == "__main__":
    main()
