"""What one log call costs the training thread, beside `json.dumps` + `os.write` of the same message in the same run.

Four float metrics; the calls take turns, so that whatever else the machine does meets all of them alike. Then the same
for the first and the last thousand of 100 000 messages in one journal: the cost does not grow with what was said.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from federated_pneumonia_detection.progress import ProgressLogger

CALLS = 20_000
MESSAGES = 100_000
GOAL = 1.5
METRICS = {"train_loss": 0.4523, "train_accuracy": 0.8234, "train_auroc": 0.9127, "learning_rate": 0.001}

Call = Callable[[int], None]


def peers(folder: Path) -> dict[str, Call]:
    """The calls that are compared; the first is the measure."""
    fd = os.open(folder / "peer.jsonl", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    steps = ProgressLogger(folder / "steps", "bench")
    epochs = ProgressLogger(folder / "epochs", "bench")
    ready = json.dumps(message(1)).encode() + b"\n"

    def dumps_and_write(number: int) -> None:
        os.write(fd, json.dumps(message(number)).encode() + b"\n")

    return {
        "json.dumps + os.write": dumps_and_write,
        "os.write of a ready line": lambda number: _write(fd, ready),
        "log_step": lambda number: steps.log_step(1, number, CALLS, METRICS),
        "log_epoch_end": lambda number: epochs.log_epoch_end(number, METRICS),
    }


def message(number: int) -> dict[str, object]:
    """The message as somebody would write it by hand."""
    return {
        "type": "step",
        "epoch": 1,
        "step": number,
        "total_steps": CALLS,
        "phase": "train",
        "metrics": METRICS,
        "timestamp": datetime.now(UTC).isoformat(),
    }


def _write(fd: int, line: bytes) -> None:
    os.write(fd, line)


def timed(calls: dict[str, Call], count: int) -> dict[str, list[float]]:
    """Microseconds of each call, in turns."""
    took: dict[str, list[float]] = {name: [] for name in calls}
    clock = time.perf_counter_ns
    for number in range(count):
        for name, call in calls.items():
            begin = clock()
            call(number)
            took[name].append((clock() - begin) / 1000)
    return took


def growth(folder: Path, kind: str) -> tuple[float, float, int]:
    """The median of the first and of the last thousand calls of many, in microseconds, and what was lost."""
    logger = ProgressLogger(folder / f"many-{kind}", "bench")
    call: Call = (
        (lambda number: logger.log_step(1, number, MESSAGES, METRICS))
        if kind == "log_step"
        else (lambda number: logger.log_epoch_end(number, METRICS))
    )
    took = timed({kind: call}, MESSAGES)[kind]
    # The very first call opens and syncs files.
    return statistics.median(took[1:1001]), statistics.median(took[-1000:]), logger.lost


def main() -> None:
    """Print both tables."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        took = timed(peers(folder), CALLS)
        (measure, *_), medians = took, {name: statistics.median(times) for name, times in took.items()}
        print(f"{'one call, four float metrics':<28}{'median µs':>11}{'99 % µs':>10}{'× peer':>9}{'goal':>8}")
        for call, times in took.items():
            ratio = medians[call] / medians[measure]
            goal = f"≤ {GOAL}" if call.startswith("log_") else ""
            late = statistics.quantiles(times, n=100)[98]
            print(f"{call:<28}{medians[call]:>11.2f}{late:>10.1f}{ratio:>9.2f}{goal:>8}")
        print(f"\n{f'{MESSAGES} messages':<28}{'first 1000':>11}{'last 1000':>10}{'×':>9}{'lost':>8}")
        for kind in ("log_step", "log_epoch_end"):
            first, last, lost = growth(folder, kind)
            print(f"{kind:<28}{first:>11.2f}{last:>10.2f}{last / first:>9.2f}{lost:>8}")


if __name__ == "__main__":
    main()
