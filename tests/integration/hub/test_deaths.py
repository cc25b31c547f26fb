"""`kill -9` of writers as the hub sees it: who died, why, once, and the same in a rebuilt log."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from federated_pneumonia_detection.hub import ExitReport, Hub
from federated_pneumonia_detection.hub.stores.memory_store import MemoryStore
from federated_pneumonia_detection.progress import ProgressLogger

MakeHub = Callable[..., Hub]
TALK = """
import sys, time
from federated_pneumonia_detection.progress import FederatedProgressLogger, ProgressLogger
log_dir, run_id, client = sys.argv[1:]
if client:
    logger = FederatedProgressLogger(client, log_dir, "exp", run_id=run_id)
    logger.log_round_start(2, 3)
else:
    logger = ProgressLogger(log_dir, "exp", run_id=run_id)
    logger.log_epoch_start(1, 3)
print("said", flush=True)
time.sleep(60)
"""


@pytest.fixture
def talker(log_dir: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(run_id: str, client: str = "") -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", TALK, str(log_dir), run_id, client], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


async def test_a_killed_run_has_failed_within_two_seconds_and_its_document_says_so(
    make_hub: MakeHub, log_dir: Path, talker: Any, until: Any
) -> None:
    hub = make_hub()
    process = talker("run")
    await until(lambda: hub.run("run") and hub.run("run").status == "running", "the run is seen")
    kill(process)
    await until(lambda: hub.run("run").status == "failed", "the death is told", timeout_s=2)
    document = json.loads((log_dir / "run.json").read_text())

    state = hub.run("run")
    assert state is not None
    assert state.error in (
        "The training process was killed by signal 9 (SIGKILL).",
        # Where the kernel does not tell how a process ended.
        f"The training process (pid {process.pid}) was killed or crashed.",
    )
    assert state.condition == "dead"
    assert state.sentence.startswith("Died in epoch 1: the training process")
    assert document["metadata"]["status"] == "failed"
    assert state.pid == process.pid


async def test_the_exit_code_and_last_lines_are_waited_for(make_hub: MakeHub, talker: Any, until: Any) -> None:
    known: list[ExitReport] = []
    hub = make_hub(death_report=lambda run_id: known[0] if known else None)
    process = talker("run")
    await until(lambda: hub.run("run"), "the run is seen")
    kill(process)
    await asyncio.sleep(0.8)
    known.append(ExitReport(signal=9, last_lines=("CUDA out of memory",)))
    await until(lambda: hub.run("run").status == "failed", "the death is told", timeout_s=3)

    state = hub.run("run")
    assert state is not None
    assert (state.error, state.detail) == (
        "The training process was killed by signal 9 (SIGKILL).",
        "CUDA out of memory",
    )


async def test_a_killed_client_has_failed_and_the_run_goes_on(
    make_hub: MakeHub, log_dir: Path, talker: Any, until: Any
) -> None:
    hub = make_hub()
    server = ProgressLogger(log_dir, "exp", "federated", run_id="run")
    process = talker("run", "client_1")
    await until(lambda: hub.run("run") and hub.run("run").clients, "the client is seen")
    kill(process)
    await until(lambda: hub.run("run").clients[0].failed, "the client's death is told", timeout_s=4)

    state = hub.run("run")
    assert state is not None
    assert state.status == "running"
    assert state.clients[0].words in ("Died: killed by signal 9 (SIGKILL)", "Died: killed or crashed")
    server.log_training_complete({})
    server.close()


async def test_two_hubs_over_one_directory_say_it_once_and_a_rebuilt_log_says_the_same(
    make_hub: MakeHub, log_dir: Path, talker: Any, until: Any
) -> None:
    one, two = make_hub(), Hub(MemoryStore())
    two.follow(str(log_dir))
    two.start()
    process = talker("run")
    await until(lambda: one.run("run") and two.run("run"), "the run is seen by both")
    kill(process)
    await until(lambda: one.run("run").status == two.run("run").status == "failed", "both know")
    await asyncio.sleep(1.2)
    rebuilt = Hub(MemoryStore())
    rebuilt.follow(str(log_dir))
    rebuilt.start()
    await asyncio.sleep(1.2)

    errors = [m for m in rebuilt.events(run_id="run", after=0, limit=99).messages if b"training_error" in m]
    assert len(errors) == 1
    assert rebuilt.run("run") == one.run("run")
    two.close()
    rebuilt.close()


async def test_a_torn_tail_and_a_flipped_bit_are_told_with_writer_number_file_and_byte(
    make_hub: MakeHub, log_dir: Path, talker: Any, until: Any
) -> None:
    with ProgressLogger(log_dir, "exp", run_id="whole") as logger:
        for number in range(1, 6):
            logger.log_custom_event("said", number)
        logger.log_training_complete({})
    kill(talker("torn"))
    whole, torn = log_dir / "whole.jsonl", log_dir / "torn.jsonl"
    lines = whole.read_bytes().splitlines(keepends=True)
    flipped = bytearray(lines[3])
    flipped[20] ^= 1
    whole.write_bytes(b"".join([*lines[:3], bytes(flipped), *lines[4:]]))
    torn.write_bytes(torn.read_bytes()[:-10])
    hub = make_hub()
    await until(lambda: hub.run("torn") and hub.run("torn").status == "failed", "the death is told")

    def alerts(run_id: str) -> list[str]:
        said = [json.loads(message) for message in hub.events(run_id=run_id, after=0, limit=99).messages]
        return [message["text"] for message in said if message["type"] == "alert"]

    await until(lambda: alerts("whole") and alerts("torn"), "both are told")
    writer = json.loads(lines[0])["writer"]
    (damaged,) = alerts("whole")
    assert f"writer {writer}" in damaged
    assert f"at byte {len(b''.join(lines[:3]))} of whole.jsonl (message 3)" in damaged
    (unfinished,) = alerts("torn")
    assert "unfinished" in unfinished
    assert len([m for m in hub.events(run_id="whole", after=0, limit=99).messages if b'"said"' in m]) == 4


async def test_an_old_death_is_no_news_for_a_manager_of_somebodys_app(
    log_dir: Path, talker: Any, watching: Any, until: Any
) -> None:
    kill(talker("long-ago"))
    os.utime(log_dir / "long-ago.jsonl", (1_700_000_000, 1_700_000_000))
    hub = Hub(MemoryStore(), news_only=True)
    hub.start()
    async with watching(hub) as seen:
        await until(lambda: seen.messages, "it was subscribed")
        hub.follow(str(log_dir))
        await until(lambda: hub.run("long-ago") and hub.run("long-ago").status == "failed", "the death is known")
        with ProgressLogger(log_dir, "exp", run_id="now") as logger:
            logger.log_training_complete({})
        await until(lambda: seen.of("training_complete"), "what is new was seen")

    assert {message.get("run_id") for message in seen.messages[1:]} == {"now"}
    hub.close()


async def test_what_is_no_journal_hurts_nobody(make_hub: MakeHub, log_dir: Path, until: Any) -> None:
    (log_dir / "empty.jsonl").touch()
    (log_dir / "newlines.jsonl").write_bytes(b"\n\n\n")
    (log_dir / "half.jsonl").write_bytes(b'{"type":"journal","form')
    (log_dir / "utf16.jsonl").write_bytes("{}\n".encode("utf-16"))
    (log_dir / "nul.jsonl").write_bytes(b"\0" * 5000)
    (log_dir / "foreign.jsonl").write_text('{"a": 1}\n{"b": 2}\n')
    (log_dir / "folder.jsonl").mkdir()
    (log_dir / "link.jsonl").symlink_to("/etc/passwd")
    os.mkfifo(log_dir / "pipe.jsonl")
    hub = make_hub()
    with ProgressLogger(log_dir, "exp", run_id="run") as logger:
        logger.log_training_complete({})
    await until(lambda: hub.run("run") and hub.run("run").status == "completed", "the run was read")

    assert [state.run_id for state in hub.runs()] == ["run"]
