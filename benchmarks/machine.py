"""What it costs that a thread of a training says what the machine does: processor time of a look, each ten seconds."""

from __future__ import annotations

import statistics
import tempfile
import time

import psutil

from benchmarks._figures import figure
from federated_pneumonia_detection.progress import ProgressLogger
from federated_pneumonia_detection.training.machine import MACHINE_S, read_machine

LOOKS = 500
GOAL_PERCENT = 0.05


def main() -> None:
    """Print the figures."""
    took: list[float] = []
    own = psutil.Process()
    with tempfile.TemporaryDirectory() as directory, ProgressLogger(directory, "machine") as logger:
        logger.log_machine(read_machine(own))
        for _ in range(LOOKS):
            before = time.thread_time()
            logger.log_machine(read_machine(own))
            took.append(time.thread_time() - before)
    look_ms = statistics.median(took) * 1000
    share = 100 * statistics.fmean(took) / MACHINE_S
    note = f"one look {look_ms:.2f} ms, the longest {max(took) * 1000:.1f} ms"
    figure("saying what the machine does", share, "% of a core", at_most=GOAL_PERCENT, note=note)


if __name__ == "__main__":
    main()
