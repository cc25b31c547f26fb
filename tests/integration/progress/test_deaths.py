"""How a writing process may end: killed, by a signal, normally, at the interpreter's end."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from federated_pneumonia_detection.progress import ProgressLogger
from federated_pneumonia_detection.progress.document import complete_dead
from federated_pneumonia_detection.progress.framing import Line
from federated_pneumonia_detection.progress.liveness import State, state
from federated_pneumonia_detection.progress.reading import JournalReader

Start = Callable[..., subprocess.Popen[str]]
Messages = Callable[[Path], list[dict[str, Any]]]

TALKS_FOR_EVER = """
import sys
from federated_pneumonia_detection.progress import ProgressLogger
logger = ProgressLogger("logs", "exp", run_id="run")
number = 0
while True:
    number += 1
    logger.log_epoch_start(number, None)
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
    logger.log_step(number, 1, 1, {"loss": 0.5})
"""


def epochs(directory: Path) -> list[int]:
    found: list[int] = []
    reader = JournalReader(directory / "run.jsonl")
    while entries := reader.read():
        found += [
            json.loads(entry.body)["epoch"]
            for entry in entries
            if isinstance(entry, Line) and entry.type == "epoch_start"
        ]
    return found


@pytest.mark.parametrize("seed", range(3))
def test_after_kill_9_no_message_is_missing_whose_call_returned(tmp_path: Path, start: Start, seed: int) -> None:
    process = start(TALKS_FOR_EVER)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(random.Random(seed).uniform(0, 0.15))
    process.kill()
    returned = [int(line) for line in process.stdout.read().split("\n")[:-1]]
    process.communicate()
    logs = tmp_path / "logs"

    kept = epochs(logs)
    assert kept == list(range(1, len(kept) + 1))
    assert len(kept) >= max(returned)
    assert state(logs / "run.jsonl") is State.DEAD
    json.loads((logs / "run.json").read_bytes())

    assert complete_dead(logs) == [logs / "run.json"]
    document = json.loads((logs / "run.json").read_bytes())
    assert [message["epoch"] for message in document["epochs"] if message["type"] == "epoch_start"] == kept
    assert document["metadata"]["status"] == "failed"


def test_a_run_whose_writer_was_killed_begins_again_as_the_next_attempt(
    tmp_path: Path, start: Start, messages: Messages
) -> None:
    process = start(TALKS_FOR_EVER)
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    process.communicate()
    ProgressLogger(tmp_path / "logs", "exp", run_id="run").log_training_complete({})
    starts = [message["attempt"] for message in messages(tmp_path / "logs") if message["type"] == "run_start"]
    assert starts == [1, 2]


def test_the_next_logger_in_the_directory_completes_what_a_dead_one_left(
    tmp_path: Path, start: Start, until: Callable[..., None]
) -> None:
    process = start(TALKS_FOR_EVER)
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    process.communicate()
    ProgressLogger(tmp_path / "logs", "another").log_training_complete({})

    def status() -> str:
        return str(json.loads((tmp_path / "logs" / "run.json").read_bytes())["metadata"]["status"])

    until(lambda: status() == "failed", "the document of the dead run says so")


ENDS = {
    "falls off its end": "pass",
    "sys.exit": "import sys; sys.exit(0)",
    "closes its logger": "logger.close()",
    "a thread still runs": "import threading as t; t.Thread(target=t.Event().wait, daemon=True).start()",
}


@pytest.mark.parametrize("how", ENDS)
def test_a_normal_end_is_said_in_the_last_line(tmp_path: Path, finish: Callable[..., str], how: str) -> None:
    finish(
        "from federated_pneumonia_detection.progress import ProgressLogger\n"
        "logger = ProgressLogger('logs', 'exp', run_id='run')\n"
        "for epoch in range(1, 100): logger.log_epoch_start(epoch, 9)\n" + ENDS[how]
    )
    assert state(tmp_path / "logs" / "run.jsonl") is State.CLOSED
    document = json.loads((tmp_path / "logs" / "run.json").read_bytes())
    assert len(document["epochs"]) == 100, "the document is whole at the end"
    assert document["metadata"]["status"] == "running", "nobody said how it ended"


def test_a_log_call_in_a_finalizer_at_the_interpreters_end_is_quiet(tmp_path: Path, finish: Callable[..., str]) -> None:
    finish(
        "import logging; logging.disable()\n"
        "from federated_pneumonia_detection.progress import ProgressLogger\n"
        "class Model:\n"
        "    def __init__(self): self.logger = ProgressLogger('logs', 'exp', run_id='run')\n"
        "    def __del__(self):\n"
        "        self.logger.log_epoch_end(1, {'loss': 1.0}); self.logger.log_training_complete({})\n"
        "model = Model()\n"
        "model.itself = model\n"
    )
    assert state(tmp_path / "logs" / "run.jsonl") is State.CLOSED


def test_a_finalizer_in_the_middle_of_a_run_says_what_it_has_to_say(
    tmp_path: Path, finish: Callable[..., str], messages: Messages
) -> None:
    finish(
        # The collector runs in whichever thread allocates, ours among them: the end waits for all of them.
        "import gc, time; from federated_pneumonia_detection.progress import ProgressLogger\n"
        "logger, gone = ProgressLogger('logs', 'exp', run_id='run'), []\n"
        "class Thing:\n"
        "    def __del__(self): logger.log_custom_event('gone'); gone.append(1)\n"
        "gc.set_threshold(5)\n"
        "for _ in range(300):\n"
        "    thing = Thing(); thing.itself = thing; logger.log_custom_event('said', [[], [], []])\n"
        "del thing\n"
        "while len(gone) < 300: gc.collect(); time.sleep(0)\n"
    )
    kinds = [message["type"] for message in messages(tmp_path / "logs")]
    assert kinds.count("gone") == 300
    assert kinds.count("said") == 300


def test_signal_handlers_that_log_neither_deadlock_nor_lose(tmp_path: Path, start: Start, messages: Messages) -> None:
    process = start(
        "import signal, sys\n"
        "from federated_pneumonia_detection.progress import ProgressLogger\n"
        "logger = ProgressLogger('logs', 'exp', run_id='run')\n"
        "heard = 0\n"
        "def handler(*_):\n"
        "    global heard\n"
        "    heard += 1\n"
        "    logger.log_custom_event('heard', heard)\n"
        "signal.signal(signal.SIGALRM, handler)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)\n"
        "epoch = 0\n"
        "while heard < 300:\n"
        "    epoch += 1\n"
        "    logger.log_epoch_start(epoch, None)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0)\n"
        "logger.log_training_complete({})\n"
        "print(heard, epoch, logger.lost)\n"
    )
    out, err = process.communicate(timeout=60)
    assert err == ""
    heard, epoch, lost = map(int, out.split())
    found = messages(tmp_path / "logs")
    assert lost == 0
    # Sorted: a handler may be interrupted by the next one before it has said anything.
    heard_of = sorted(message["data"] for message in found if message["type"] == "heard")
    assert heard_of == list(range(1, heard + 1))
    assert [message["epoch"] for message in found if message["type"] == "epoch_start"] == list(range(1, epoch + 1))
    document = json.loads((tmp_path / "logs" / "run.json").read_bytes())
    assert document["metadata"]["status"] == "completed"


def test_a_handler_that_says_the_end_and_exits_is_heard(tmp_path: Path, start: Start, messages: Messages) -> None:
    process = start(
        "import signal, sys\n"
        "from federated_pneumonia_detection.progress import ProgressLogger\n"
        "logger = ProgressLogger('logs', 'exp', run_id='run')\n"
        "def handler(*_):\n"
        "    logger.log_training_error('terminated'); sys.exit(3)\n"
        "signal.signal(signal.SIGTERM, handler)\n"
        "print('ready', flush=True)\n"
        "while True: logger.log_epoch_start(1, None)\n"
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (3, "")
    assert "training_error" in [message["type"] for message in messages(tmp_path / "logs")]
    assert {state(path) for path in (tmp_path / "logs").glob("*.jsonl")} == {State.CLOSED}
