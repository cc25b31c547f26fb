"""What watching costs a training: the same epoch with and without the callback, turn about.

The figure is processor time of the whole process (its helper thread included), since wall time on a machine that does
other things tells more about those; both are printed. Each pair trains the same batches from the same weights, in the order
with-without, then without-with, so that a machine that warms up favours neither.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import pytorch_lightning as pl

from federated_pneumonia_detection.config import TrainingConfig
from federated_pneumonia_detection.data import load_source
from federated_pneumonia_detection.training import MetricsCollectorCallback, build_network
from federated_pneumonia_detection.training.data_module import XrayDataModule
from federated_pneumonia_detection.training.devices import torch_threads
from federated_pneumonia_detection.training.module import PneumoniaModule
from federated_pneumonia_detection.training.quiet import quiet_lightning

PAIRS = 8
GOAL_PERCENT = 1.0


def epoch(data: XrayDataModule, config: TrainingConfig, watched_in: Path | None) -> tuple[float, float]:
    """Processor and wall seconds of one epoch with validation."""
    callbacks = [] if watched_in is None else [MetricsCollectorCallback(None, "watching", progress_log_dir=watched_in)]
    with quiet_lightning():
        trainer = pl.Trainer(
            max_epochs=1,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            callbacks=callbacks,
        )
        module = PneumoniaModule(build_network(config), config)
        cpu_s, wall_s = time.process_time(), time.monotonic()
        trainer.fit(module, datamodule=data)
        return time.process_time() - cpu_s, time.monotonic() - wall_s


def main() -> int:
    """Print the cost of watching in percent of an epoch, beside its goal."""
    config = TrainingConfig()
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else PAIRS
    costs_cpu, costs_wall = [], []
    with tempfile.TemporaryDirectory() as folder, torch_threads(1):
        data = load_source(None, allow_download=False)
        epoch(XrayDataModule(data, config), config, None)
        for pair in range(pairs):
            found = {}
            for watched in (True, False) if pair % 2 == 0 else (False, True):
                found[watched] = epoch(XrayDataModule(data, config), config, Path(folder) if watched else None)
            costs_cpu.append((found[True][0] / found[False][0] - 1) * 100)
            costs_wall.append((found[True][1] / found[False][1] - 1) * 100)
    cpu, wall = statistics.median(costs_cpu), statistics.median(costs_wall)
    spread = f"{min(costs_cpu):+.2f} … {max(costs_cpu):+.2f}"
    steps = len(XrayDataModule(data, config).train_dataloader())
    print(f"{pairs} pairs of epochs of {steps} steps on {data.name}, every step told")
    print(f"processor time {cpu:+.2f} % (median; {spread})   wall time {wall:+.2f} %")
    print(f"goal ≤ {GOAL_PERCENT:g} %: {'met' if cpu <= GOAL_PERCENT else 'NOT met'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
