"""A log that takes nothing, a directory that comes and goes: nothing is lost, and it goes on."""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from federated_pneumonia_detection.hub import Hub
from federated_pneumonia_detection.hub.stores.memory_store import MemoryStore
from federated_pneumonia_detection.hub.stores.store import Batch, Step, Stored
from federated_pneumonia_detection.progress import ProgressLogger
from federated_pneumonia_detection.progress.clock import stamp
from federated_pneumonia_detection.progress.framing import Line, decode_line, encode_line

MakeHub = Callable[..., Hub]


class FullDisk(MemoryStore):
    """A store that can be told to take nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.full = False
        self.refused = 0

    def append(self, batch: Batch) -> list[Stored | Step]:
        if self.full and batch.arrivals:
            self.refused += 1
            raise OSError(28, "No space left on device")
        return super().append(batch)


async def test_while_the_log_takes_nothing_the_journals_keep_it_and_it_comes_later(
    log_dir: Path, watching: Any, until: Any, caplog: pytest.LogCaptureFixture
) -> None:
    store = FullDisk()
    hub = Hub(store)
    hub.follow(str(log_dir))
    hub.start()
    async with watching(hub) as seen:
        await until(lambda: seen.messages, "it was subscribed")
        logger = ProgressLogger(log_dir, "exp", run_id="run")
        logger.log_custom_event("said", 0)
        await until(lambda: seen.of("said"), "the first came")
        store.full = True
        for number in range(1, 50):
            logger.log_custom_event("said", number)
        await until(lambda: store.refused >= 2, "it was tried again")
        assert hub.stats()["log_stuck_seconds"] > 0
        store.full = False
        await until(lambda: len(seen.of("said")) == 50, "all came")

    assert [message["data"] for message in seen.of("said")] == list(range(50))
    assert seen.offsets == list(range(1, 52))
    assert [r.levelno for r in caplog.records if "takes nothing" in r.message] == [logging.WARNING]
    logger.close()
    hub.close()


async def test_a_directory_that_is_made_later_or_made_again_is_followed(
    make_hub: MakeHub, tmp_path: Path, watching: Any, until: Any
) -> None:
    hub = make_hub()
    later = tmp_path / "later"
    hub.follow(str(later))
    async with watching(hub) as seen:
        await until(lambda: seen.messages, "it was subscribed")
        with ProgressLogger(later, "exp", run_id="one") as one:
            one.log_training_complete({})
        await until(lambda: len(seen.of("training_complete")) == 1, "the first run was seen")
        # The hub may be writing there just now.
        await until(lambda: shutil.rmtree(later, ignore_errors=True) or not later.exists(), "it was removed")
        with ProgressLogger(later, "exp", run_id="two") as two:
            two.log_training_complete({})
        await until(lambda: len(seen.of("training_complete")) == 2, "the second run was seen")


async def test_a_fault_of_the_follower_is_told_and_it_goes_on(
    make_hub: MakeHub, log_dir: Path, until: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hub = make_hub()
    faults = iter([RuntimeError("nobody expected this")])

    def judge(journals: Sequence[Any], **how: Any) -> None:
        if (fault := next(faults, None)) is not None:
            raise fault

    monkeypatch.setattr(hub._coroner, "judge", judge)
    await until(lambda: hub.stats()["follower_faults_total"] == 1, "it failed once")
    with ProgressLogger(log_dir, "exp", run_id="run") as logger:
        logger.log_training_complete({})
    await until(lambda: hub.run("run"), "it goes on")
    assert "goes on" in caplog.text


async def test_runs_that_ended_too_long_ago_leave_a_memory_log(log_dir: Path, until: Any) -> None:
    hub = Hub(MemoryStore(), ended_kept_s=3600)
    old = ProgressLogger(log_dir, "exp", run_id="old")
    old.log_training_complete({})
    old.close()
    path = log_dir / "old.jsonl"
    now = time.time_ns()
    lines = []
    for number, line in enumerate(path.read_bytes().splitlines()):
        decoded = decode_line(line)
        assert isinstance(decoded, Line)
        said = json.loads(decoded.body)
        if number:
            said["timestamp"] = stamp(now - 3601 * 10**9)
        lines.append(encode_line(json.dumps(said, separators=(",", ":")).encode(), decoded.n))
    path.write_bytes(b"".join(lines))
    hub.follow(str(log_dir))
    hub.start()
    with ProgressLogger(log_dir, "exp", run_id="new") as new:
        new.log_training_complete({})
    await until(lambda: hub.run("new") and hub.run("new").status == "completed", "the new run was read")
    await until(lambda: hub.run("old") is None, "the old run is gone")
    assert hub.events(after=0, log_id=hub.log_id, limit=9).recovered is False
    hub.close()
