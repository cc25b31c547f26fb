"""What watching costs a training: the same epoch with and without the callback, turn about.

The figure is the least processor time of the whole process (its helper thread included) with watching, over the least
without: whatever else the machine does can only add to either, and adds more than watching does. Wall time and the
spread over the pairs stand beside it. Each pair trains the same batches from the same weights, once with watching
first, once last, so that a machine that warms up favours neither.
"""

from __future__ import annotations

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
    found: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    with tempfile.TemporaryDirectory() as folder, torch_threads(1):
        data = load_source(None, allow_download=False)
        epoch(XrayDataModule(data, config), config, None)
        for pair in range(pairs):
            for watched in (True, False) if pair % 2 == 0 else (False, True):
                found[watched].append(epoch(XrayDataModule(data, config), config, Path(folder) if watched else None))
    cpu, wall = (
        (min(one[clock] for one in found[True]) / min(one[clock] for one in found[False]) - 1) * 100 for clock in (0, 1)
    )
    each = [(with_it[0] / without[0] - 1) * 100 for with_it, without in zip(found[True], found[False], strict=True)]
    steps = len(XrayDataModule(data, config).train_dataloader())
    print(f"{pairs} pairs of epochs of {steps} steps on {data.name}, every step told")
    print(f"processor time {cpu:+.2f} %   wall time {wall:+.2f} %   (pairs: {min(each):+.1f} … {max(each):+.1f} %)")
    print(f"goal ≤ {GOAL_PERCENT:g} %: {'met' if cpu <= GOAL_PERCENT else 'NOT met'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
