"""Clocks set forwards and back by hours, in a training and in its second attempt: order, life and death hold."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import journals
import pytest

from federated_pneumonia_detection.hub import Hub
from federated_pneumonia_detection.hub.stores.memory_store import MemoryStore

# Epoch by epoch, told by standard input, with a clock that is as wrong as the number of hours before it.
TRAINING = """
import sys, time
real, wrong = time.time_ns, [0]
time.time_ns = lambda: real() + wrong[0] * 3600 * 10**9
from federated_pneumonia_detection.progress import ProgressLogger
wrong[0] = int(sys.stdin.readline())
logger = ProgressLogger(sys.argv[1], "exp", run_id="run")
epoch = 0
print("said", flush=True)
for line in sys.stdin:
    wrong[0] = int(line)
    epoch += 1
    logger.log_epoch_end(epoch, {"val_loss": 1 / epoch}, phase="val")
    print("said", flush=True)
logger.log_training_complete({})
"""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    hub = Hub(MemoryStore())
    hub.follow(str(tmp_path))
    hub.start()
    yield hub
    hub.close()


@pytest.fixture
def train(tmp_path: Path) -> Iterator[Callable[[list[int]], subprocess.Popen[str]]]:
    """Starts a training and lets it say an epoch for each number of hours its clock is wrong by, but the first."""
    started: list[subprocess.Popen[str]] = []

    def start(hours: list[int]) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", TRAINING, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdin is not None
        assert process.stdout is not None
        for hour in hours:
            process.stdin.write(f"{hour}\n")
            process.stdin.flush()
            assert process.stdout.readline() == "said\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def epochs(hub: Hub) -> list[int]:
    messages: list[dict[str, Any]] = [json.loads(m) for m in hub.events(run_id="run", after=0, limit=999).messages]
    return [message["epoch"] for message in messages if message["type"] == "epoch_end"]


HOURS = [0, 0, 5, -7, 0, 1, -1, 12, -12]


@pytest.mark.parametrize("attempts", [1, 2])
def test_a_training_whose_clock_jumps_is_seen_in_order_alive_and_to_its_end(
    attempts: int, hub: Hub, train: Callable[[list[int]], subprocess.Popen[str]], wait_until: Callable[..., None]
) -> None:
    for _ in range(attempts - 1):
        train(HOURS).send_signal(signal.SIGKILL)
        wait_until(lambda: hub.run("run") and hub.run("run").status == "failed", "the death is told")
    before = epochs(hub)
    process = train(HOURS)
    expected = list(range(1, len(HOURS)))
    wait_until(lambda: epochs(hub) == before + expected, "all epochs are there, in order")
    state = hub.run("run")
    assert state is not None
    assert (state.attempt, state.status, state.epoch) == (attempts, "running", len(expected))

    process.communicate()
    wait_until(lambda: hub.run("run").status == "completed", "its end was heard")


@pytest.mark.parametrize("attempts", [1, 2])
def test_a_training_that_is_killed_after_its_clock_was_set_back_is_known_to_be_dead(
    attempts: int, hub: Hub, train: Callable[[list[int]], subprocess.Popen[str]], wait_until: Callable[..., None]
) -> None:
    for attempt in range(1, attempts + 1):
        process = train([6, 6, 6, -6, -6])
        wait_until(
            lambda attempt=attempt: (s := hub.run("run")) is not None and (s.attempt, s.epoch) == (attempt, 4),
            "all of this attempt was read",
        )
        assert hub.run("run").status == "running"  # type: ignore[union-attr]
        process.send_signal(signal.SIGKILL)
        wait_until(lambda: hub.run("run").status == "failed", "the death is told")


TIMES = [
    "2026-10-25T02:59:59.900000+02:00",
    "2026-10-25T02:00:00.100000+01:00",
    "2016-12-31T23:59:60.500000+00:00",
    "1970-01-01T00:00:00+00:00",
    "2100-12-31T23:59:59.999999+00:00",
    "yesterday",
    "",
]


def test_times_of_any_kind_never_change_a_writers_order(
    tmp_path: Path, hub: Hub, wait_until: Callable[..., None]
) -> None:
    messages = journals.epochs(len(TIMES) * 2)
    for number, message in enumerate(messages[1:]):
        message["timestamp"] = TIMES[number % len(TIMES)]
    journals.put(tmp_path, "run.jsonl", b"".join(journals.lines(journals.header("run"), messages)))
    other = journals.lines(journals.header("run", client_id="north"), journals.epochs(5))
    journals.put(tmp_path, "run.north.jsonl", b"".join(other))

    wait_until(lambda: hub.run("run") and hub.run("run").status == "failed", "everything was read, and judged")
    read = [json.loads(m) for m in hub.events(run_id="run", after=0, limit=999).messages]
    by_writer = [m for m in read if m["type"] == "epoch_end"]
    assert len(by_writer) == len(TIMES) * 2 + 5
    assert [m["epoch"] for m in by_writer if m["timestamp"] in TIMES] == list(range(1, len(TIMES) * 2 + 1))
    document = json.loads((tmp_path / "run.json").read_bytes())
    assert [m["epoch"] for m in document["epochs"] if m["type"] == "epoch_end"] == list(range(1, len(TIMES) * 2 + 1))
