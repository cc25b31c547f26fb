"""A federated loop of one's own without Flower, watched: each client has a logger, nobody names the run.

python examples/federated_own_loop.py
fpd serve --log-dir logs/progress      # before, during or after it; then open http://localhost:8000
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

from federated_pneumonia_detection.progress import FederatedProgressLogger

CLIENTS, ROUNDS, LOCAL_EPOCHS, RATE = 3, 5, 2, 0.2

Array = NDArray[np.float64]


def loss(weights: Array, x: Array, y: Array) -> float:
    return float(np.mean((x @ weights - y) ** 2))


def main(log_dir: str = "logs/progress") -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=4)
    hospitals = []
    for number in range(CLIENTS):
        x = rng.normal(size=(100 * (number + 1), 4))
        hospitals.append((x, x @ truth + rng.normal(scale=0.1, size=len(x))))

    loggers = [
        FederatedProgressLogger(f"client_{number}", log_dir=log_dir, experiment_name="own federated loop")
        for number in range(CLIENTS)
    ]
    weights = np.zeros(4)
    for round_num in range(1, ROUNDS + 1):
        updates = []
        for logger, (x, y) in zip(loggers, hospitals, strict=True):
            train, val = slice(len(x) // 5, None), slice(None, len(x) // 5)
            logger.log_round_start(round_num, ROUNDS)
            local = weights.copy()
            for epoch in range(1, LOCAL_EPOCHS + 1):
                local -= RATE * 2 * x[train].T @ (x[train] @ local - y[train]) / len(x[train])
                logger.log_local_epoch(round_num, epoch, {"train_loss": loss(local, x[train], y[train])})
            logger.log_round_end(
                round_num,
                fit_metrics={"train_loss": loss(local, x[train], y[train]), "num_samples": len(x[train])},
                eval_metrics={"val_loss": loss(local, x[val], y[val]), "num_samples": len(x[val])},
            )
            updates.append((len(x[train]), local))
        total = sum(count for count, _ in updates)
        weights = sum((count / total * local for count, local in updates), np.zeros(4))

    for logger in loggers:
        logger.close()
    print(f"error of the weights {np.abs(weights - truth).max():.3f}; the run: {loggers[0].run_id}")


if __name__ == "__main__":
    main(*sys.argv[1:])
