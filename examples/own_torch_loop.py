"""A training loop of one's own in plain PyTorch, watched: four calls of one logger.

python examples/own_torch_loop.py
fpd serve --log-dir logs/progress      # before, during or after it; then open http://localhost:8000
"""

from __future__ import annotations

import sys

import torch
from torch import nn

from federated_pneumonia_detection.progress import ProgressLogger

EPOCHS, STEPS = 5, 20


def main(log_dir: str = "logs/progress") -> None:
    torch.manual_seed(0)
    inputs = torch.randn(STEPS * 32, 8)
    targets = (inputs.sum(dim=1) > 0).float()
    network = nn.Linear(8, 1)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
    loss_of = nn.BCEWithLogitsLoss()

    with ProgressLogger(log_dir, "my loop") as logger:
        for epoch in range(1, EPOCHS + 1):
            logger.log_epoch_start(epoch, EPOCHS)
            for step in range(1, STEPS + 1):
                batch = slice((step - 1) * 32, step * 32)
                loss = loss_of(network(inputs[batch]).squeeze(1), targets[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                logger.log_step(epoch, step, STEPS, {"train_loss": loss})
            with torch.no_grad():
                accuracy = ((network(inputs).squeeze(1) > 0) == targets.bool()).float().mean()
            logger.log_epoch_end(epoch, {"train_loss": loss, "train_accuracy": accuracy})
        logger.log_training_complete({"total_epochs": EPOCHS, "train_accuracy": accuracy})
        print(f"accuracy {float(accuracy):.3f}; the run: {logger.get_log_file_path()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
