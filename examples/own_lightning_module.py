"""A LightningModule of one's own, watched: one callback, nothing else changes.

python examples/own_lightning_module.py
fpd serve --log-dir logs/progress      # before, during or after it; then open http://localhost:8000
"""

from __future__ import annotations

import sys

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from federated_pneumonia_detection.training import MetricsCollectorCallback


class MyModule(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Linear(8, 1)

    def training_step(self, batch: list[torch.Tensor], batch_idx: int) -> torch.Tensor:
        loss = nn.functional.mse_loss(self.network(batch[0]), batch[1])
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[torch.Tensor], batch_idx: int) -> None:
        self.log("val_loss", nn.functional.mse_loss(self.network(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.05)


def main(log_dir: str = "logs/progress") -> None:
    pl.seed_everything(0, verbose=False)
    inputs = torch.randn(640, 8)
    data = TensorDataset(inputs, inputs.sum(dim=1, keepdim=True))
    train, val = torch.utils.data.random_split(data, [512, 128])

    watching = MetricsCollectorCallback(save_dir=None, experiment_name="my module", progress_log_dir=log_dir)
    trainer = pl.Trainer(
        max_epochs=5,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        callbacks=[watching],
    )
    trainer.fit(MyModule(), DataLoader(train, batch_size=32, shuffle=True), DataLoader(val, batch_size=128))
    print(f"val_loss {watching.history[-1]['val_loss']:.3f}; the run: {watching.run_id}")


if __name__ == "__main__":
    main(*sys.argv[1:])
