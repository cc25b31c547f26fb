"""Loggers in several processes: forked, spawned, from a fork server, pickled, and strangers with the same run."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import progress_talk as talking
import pytest

from federated_pneumonia_detection.progress import FederatedProgressLogger, ProgressLogger
from federated_pneumonia_detection.progress.liveness import State, state
from federated_pneumonia_detection.progress.reading import read_header

Messages = Callable[[Path], list[dict[str, Any]]]
METHODS = [name for name in ("fork", "spawn", "forkserver") if name in multiprocessing.get_all_start_methods()]

# Python 3.12 warns of a fork in a process with threads; a fork is what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")


def said_by(messages: list[dict[str, Any]]) -> dict[str, list[int]]:
    by: dict[str, list[int]] = {}
    for message in messages:
        if message["type"] == "said":
            who, number = message["data"]
            by.setdefault(who, []).append(number)
    return by


def is_dense(messages: list[dict[str, Any]]) -> bool:
    numbers: dict[str, list[int]] = {}
    for message in messages:
        numbers.setdefault(message["writer"], []).append(message["n"])
    return all(of_one == list(range(1, len(of_one) + 1)) for of_one in numbers.values())


@pytest.mark.parametrize("method", METHODS)
def test_a_logger_handed_to_children_gives_each_a_journal_of_its_own(
    tmp_path: Path, messages: Messages, method: str
) -> None:
    context = multiprocessing.get_context(method)
    logger = ProgressLogger(tmp_path, "exp")
    logger.log_custom_event("said", ["parent", 0])
    children = [context.Process(target=talking.talk, args=(logger, f"child {i}", 20)) for i in range(3)]
    for child in children:
        child.start()
    logger.log_custom_event("said", ["parent", 1])
    for child in children:
        child.join(60)
    logger.log_custom_event("said", ["parent", 2])
    logger.log_training_complete({})

    found = messages(tmp_path)
    assert said_by(found) == {"parent": [0, 1, 2], **{f"child {i}": list(range(20)) for i in range(3)}}
    assert Counter(message["type"] for message in found)["run_start"] == 1
    assert is_dense(found)
    assert {read_header(path).run_id for path in tmp_path.glob("*.jsonl")} == {logger.run_id}
    assert [state(path) for path in sorted(tmp_path.glob("*.jsonl"))] == [State.CLOSED] * 4, "each child ended normally"
    document = json.loads(Path(logger.get_log_file_path() or "").read_bytes())
    assert len(said_by(document["epochs"])) == 4, "the document of the run holds what all its writers said"
    assert document["metadata"]["status"] == "completed"


def test_a_forked_child_that_says_nothing_leaves_no_trace(tmp_path: Path) -> None:
    logger = ProgressLogger(tmp_path, "exp")
    child = multiprocessing.get_context("fork").Process(target=os.getpid)
    child.start()
    child.join(60)
    (journal,) = tmp_path.glob("*.jsonl")
    assert state(journal) is State.ALIVE, "the lock is the parent's, and still held"
    logger.log_training_complete({})


def test_a_logger_goes_through_a_pool(tmp_path: Path, messages: Messages) -> None:
    logger = FederatedProgressLogger("client_0", tmp_path, "exp", run_id="run")
    logger.log_round_start(2, 3)
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(talking.talk, [logger] * 4, [f"task {i}" for i in range(4)], [5] * 4))
    found = messages(tmp_path)
    assert said_by(found) == {f"task {i}": list(range(5)) for i in range(4)}
    assert {message["round"] for message in found if message["type"] == "said"} == {2}, "in the round the parent is in"
    assert is_dense(found)


def test_two_processes_with_the_same_run_are_both_kept(tmp_path: Path, messages: Messages) -> None:
    context = multiprocessing.get_context("spawn")
    children = [
        context.Process(target=talking.second_writer, args=(str(tmp_path), "run", f"process {i}", 50)) for i in range(2)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    found = messages(tmp_path)
    assert said_by(found) == {f"process {i}": list(range(50)) for i in range(2)}
    starts = [message["attempt"] for message in found if message["type"] == "run_start"]
    assert starts == [1], "one of them made the run, the other joined it"
    document = json.loads((tmp_path / "run.json").read_bytes())
    assert said_by(document["epochs"]) == {f"process {i}": list(range(50)) for i in range(2)}


def test_clients_that_start_together_are_one_run(tmp_path: Path, messages: Messages) -> None:
    context = multiprocessing.get_context("spawn")
    children = [context.Process(target=talking.client_rounds, args=(str(tmp_path), f"client_{i}", 3)) for i in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    found = messages(tmp_path)
    assert len({read_header(path).run_id for path in tmp_path.glob("*.jsonl")}) == 1
    kinds = Counter(message["type"] for message in found)
    assert (kinds["run_start"], kinds["round_start"], kinds["round_end"]) == (1, 9, 9)


def test_a_forked_child_of_a_thread_in_the_middle_of_a_message_is_not_stuck(tmp_path: Path, messages: Messages) -> None:
    """The lock of a writer may be held by another thread at the moment of a fork; that thread does not exist there."""
    import threading

    logger = ProgressLogger(tmp_path, "exp")
    stop = threading.Event()

    def chatter() -> None:
        while not stop.is_set():
            logger.log_step(1, 1, 1, {"loss": 1.0})

    threads = [threading.Thread(target=chatter) for _ in range(3)]
    for thread in threads:
        thread.start()
    context = multiprocessing.get_context("fork")
    for i in range(10):
        child = context.Process(target=talking.talk, args=(logger, f"child {i}", 2))
        child.start()
        child.join(30)
        assert child.exitcode == 0
    stop.set()
    for thread in threads:
        thread.join()
    assert said_by(messages(tmp_path)) == {f"child {i}": [0, 1] for i in range(10)}
