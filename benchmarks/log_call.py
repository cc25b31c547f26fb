"""What one log call costs the training thread, beside `json.dumps` + `os.write` of the same message in the same run.

Four float metrics; the calls take turns, so that whatever else the machine does meets all of them alike. Then the same
for the first and the last thousand of 100 000 messages in one journal: the cost does not grow with what was said. Then
the same with a server that follows the journal, stopped in the middle of it (SIGSTOP), or let run only now and then.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from benchmarks._figures import figure
from benchmarks._server import serving
from federated_pneumonia_detection.progress import ProgressLogger

CALLS = 20_000
MESSAGES = 100_000
GOAL, LATE_GOAL = 1.0, 3.0
SAME = 1.1
"""What is no difference on a machine that does other things as well."""
BESIDE_CALLS = 10_000
HALT_S = 0.05
METRICS = {"train_loss": 0.4523, "train_accuracy": 0.8234, "train_auroc": 0.9127, "learning_rate": 0.001}

AGAIN = "log_step, second attempt"

Call = Callable[[int], None]


def peers(folder: Path) -> dict[str, Call]:
    """The calls that are compared; the first is the measure."""
    # Beside a journal: whoever watches that directory is told of both.
    (folder / "steps").mkdir(parents=True, exist_ok=True)
    fd = os.open(folder / "steps" / "peer.log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    steps = ProgressLogger(folder / "steps", "bench")
    epochs = ProgressLogger(folder / "epochs", "bench")
    # Every message of it says which attempt it is of.
    again = ProgressLogger(folder / "again", "bench", attempt=2)
    ready = json.dumps(message(1)).encode() + b"\n"

    def dumps_and_write(number: int) -> None:
        os.write(fd, json.dumps(message(number)).encode() + b"\n")

    return {
        "json.dumps + os.write": dumps_and_write,
        "os.write of a ready line": lambda number: _write(fd, ready),
        "log_step": lambda number: steps.log_step(1, number, CALLS, METRICS),
        "log_epoch_end": lambda number: epochs.log_epoch_end(number, METRICS),
        AGAIN: lambda number: again.log_step(1, number, CALLS, METRICS),
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
    """The median of the first and of the last thousand calls of many, × the peer's beside them, and what was lost."""
    logger = ProgressLogger(folder / f"many-{kind}", "bench")
    call: Call = (
        (lambda number: logger.log_step(1, number, MESSAGES, METRICS))
        if kind == "log_step"
        else (lambda number: logger.log_epoch_end(number, METRICS))
    )
    peer = peers(folder / f"peer-{kind}")["json.dumps + os.write"]
    took = timed({"peer": peer, kind: call}, MESSAGES)
    # The very first call opens and syncs files. A machine that is busier at one end is so for the peer, too.
    ours = [statistics.median(took[kind][part]) for part in (slice(1, 1001), slice(-1000, None))]
    theirs = [statistics.median(took["peer"][part]) for part in (slice(1, 1001), slice(-1000, None))]
    return ours[0] / theirs[0], ours[1] / theirs[1], logger.lost


@contextlib.contextmanager
def halting(pid: int) -> Iterator[None]:
    """Let a process run for a twentieth of a second in every two."""
    over = threading.Event()

    def halt() -> None:
        while not over.wait(HALT_S):
            os.kill(pid, signal.SIGSTOP)
            over.wait(HALT_S)
            os.kill(pid, signal.SIGCONT)

    thread = threading.Thread(target=halt)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Stop a process for a while."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def late_of(times: list[float]) -> float:
    """What 99 % of them are below."""
    return statistics.quantiles(times, n=100)[98]


def beside_a_server(folder: Path) -> dict[str, dict[str, list[float]]]:
    """The measure and `log_step`, by what the server that follows the journal does meanwhile."""
    found: dict[str, dict[str, list[float]]] = {}

    def measure(state: str) -> None:
        calls = peers(folder / state)
        found[state] = timed({name: calls[name] for name in ("json.dumps + os.write", "log_step")}, BESIDE_CALLS)

    for state in ("absent", "stopped", "slow"):
        (folder / state / "steps").mkdir(parents=True)
    measure("absent")
    with serving(folder / "stopped" / "steps") as server, stopped(server.pid):
        measure("stopped")
    with serving(folder / "slow" / "steps") as server, halting(server.pid):
        measure("slow")
    return found


def main() -> None:
    """Print the tables, and each figure beside its goal."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        took = timed(peers(folder), CALLS)
        (measure, *_) = took
        print(f"{'one call, four float metrics':<28}{'median µs':>11}{'99 % µs':>10}{'× peer':>9}{'99 %':>9}")
        for call, times in took.items():
            median, late = statistics.median(times), late_of(times)
            ratios = median / statistics.median(took[measure]), late / late_of(took[measure])
            print(f"{call:<28}{median:>11.2f}{late:>10.1f}{ratios[0]:>9.2f}{ratios[1]:>9.2f}")
        print(f"\n{f'{MESSAGES} messages':<28}{'first 1000':>11}{'last 1000':>10}{'×':>9}{'lost':>8}")
        grown: dict[str, float] = {}
        for kind in ("log_step", "log_epoch_end"):
            first, last, lost = growth(folder, kind)
            grown[kind] = last / first
            print(f"{kind:<28}{first:>10.2f}×{last:>9.2f}×{last / first:>9.2f}{lost:>8}")
        beside = beside_a_server(folder)
    print()
    for kind in ("log_step", "log_epoch_end"):
        of_peer, of_ours = took[measure], took[kind]
        median, late = statistics.median(of_ours), late_of(of_ours)
        ratio, late_ratio = median / statistics.median(of_peer), late / late_of(of_peer)
        figure(f"one {kind} call, median", ratio, f"× {measure}", at_most=GOAL, note=f"{median:.1f} µs")
        figure(f"one {kind} call, 99 %", late_ratio, "× its 99 %", at_most=LATE_GOAL, note=f"{late:.1f} µs")
        figure(f"{kind}: the last thousand of {MESSAGES}", grown[kind], "× the first thousand", at_most=SAME)
    ratio = statistics.median(took[AGAIN]) / statistics.median(took[measure])
    figure(f"one {AGAIN}, median", ratio, f"× {measure}", at_most=GOAL)
    for state, both in beside.items():
        of_peer, of_ours = both.values()
        median, late = statistics.median(of_ours), late_of(of_ours)
        ratio, late_ratio = median / statistics.median(of_peer), late / late_of(of_peer)
        figure(f"log_step, server {state}, median", ratio, f"× {measure}", at_most=GOAL, note=f"{median:.1f} µs")
        figure(f"log_step, server {state}, 99 %", late_ratio, "× its 99 %", at_most=LATE_GOAL, note=f"{late:.1f} µs")


if __name__ == "__main__":
    main()
