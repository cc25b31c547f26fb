"""Two writers of one run, and one journal in several places: both are kept, none is mixed, nothing is stored twice."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import journals
import numbered_trainer
import pytest

from federated_pneumonia_detection.hub import Hub
from federated_pneumonia_detection.hub.stores.memory_store import MemoryStore
from federated_pneumonia_detection.hub.stores.sql_store import SqlStore
from federated_pneumonia_detection.progress import ProgressLogger
from federated_pneumonia_detection.progress.registry import close_all


@pytest.fixture(params=["memory", "sqlite"])
def hub(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Hub]:
    (tmp_path / "logs").mkdir()
    hub = Hub(MemoryStore() if request.param == "memory" else SqlStore(f"sqlite:///{tmp_path / 'hub.sqlite3'}"))
    hub.follow(str(tmp_path / "logs"))
    hub.start()
    yield hub
    hub.close()


def messages(hub: Hub, run_id: str) -> list[dict[str, Any]]:
    return [json.loads(message) for message in hub.events(run_id=run_id, after=0, limit=9999).messages]


def epochs(hub: Hub, run_id: str) -> list[int]:
    return [m["epoch"] for m in messages(hub, run_id) if m["type"] == "epoch_end"]


@pytest.mark.parametrize("client", ["-", "north"])
def test_two_processes_with_the_same_run_and_client_are_both_kept_and_not_mixed(
    hub: Hub, tmp_path: Path, client: str, wait_until: Callable[..., None]
) -> None:
    tokens = ("one", "two")
    script = str(Path(numbered_trainer.__file__))
    processes = [
        subprocess.Popen(
            [sys.executable, script, str(tmp_path / "logs"), "same", client, token, str(tmp_path / token), "1", "0.001"]
        )
        for token in tokens
    ]
    wait_until(lambda: all((tmp_path / t).exists() for t in tokens), "both have begun")
    wait_until(lambda: all((tmp_path / t).read_bytes().count(b"\n") > 100 for t in tokens), "both have said much")
    for process in processes:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0

    def said(token: str) -> list[int]:
        inner = [m.get("data") or m.get("metrics") or m.get("final_metrics") or {} for m in messages(hub, "same")]
        return [one["number"] for one in inner if one.get("by") == token]

    for token in tokens:
        returned = [int(line) for line in (tmp_path / token).read_text().split("\n") if line.isdigit()]
        wait_until(lambda token=token, returned=returned: len(said(token)) >= len(returned), f"{token} has arrived")
        assert said(token) == returned
    assert sorted(path.name.partition("~")[2] for path in (tmp_path / "logs").glob("*.jsonl")) == ["", "2.jsonl"]
    assert not [m for m in messages(hub, "same") if m["type"] == "alert"], "no line is damaged, no number is missing"


def test_a_journal_that_is_copied_followed_twice_and_replaced_is_stored_once(
    hub: Hub, tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with ProgressLogger(tmp_path / "logs", "exp", run_id="run") as logger:
        for epoch in range(1, 101):
            logger.log_epoch_end(epoch, {"val_loss": 1.0}, phase="val")
            if epoch == 30:
                shutil.copy(tmp_path / "logs" / "run.jsonl", tmp_path / "logs" / "backup.jsonl")
            if epoch == 60:
                shutil.copy(tmp_path / "logs" / "run.jsonl", elsewhere / "run.jsonl")
                hub.follow(str(elsewhere))
        logger.log_training_complete({})
    wait_until(lambda: hub.run("run") and hub.run("run").status == "completed", "the run has ended")
    # The same file again, under a new inode, and then a longer one over the copy that lagged behind.
    for target in ("run.jsonl", "backup.jsonl"):
        shutil.copy(tmp_path / "logs" / "run.jsonl", tmp_path / "logs" / ".new")
        (tmp_path / "logs" / ".new").replace(tmp_path / "logs" / target)
    with ProgressLogger(tmp_path / "logs", "exp", run_id="after") as logger:
        logger.log_training_complete({})
    wait_until(lambda: hub.run("after") and hub.run("after").status == "completed", "what came after was read")

    assert epochs(hub, "run") == list(range(1, 101))
    assert [m["type"] for m in messages(hub, "run") if m["type"] != "epoch_end"] == ["run_start", "training_complete"]
    assert len(messages(hub, "run")) + len(messages(hub, "after")) == hub.top


def test_a_copy_of_a_journal_that_lags_behind_is_not_a_second_writer_that_died(
    hub: Hub, tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    first = journals.header("run")
    lines = journals.lines(first, journals.epochs(4))
    end = journals.lines(
        first, [*journals.epochs(4), {"type": "journal_end", "timestamp": "2026-11-24T09:01:00+00:00"}]
    )
    journals.put(tmp_path / "logs", "backup.jsonl", b"".join(lines[:3]))
    journals.put(tmp_path / "logs", "run.jsonl", b"".join(end))
    wait_until(lambda: epochs(hub, "run") == [1, 2, 3, 4], "the run was read")
    with ProgressLogger(tmp_path / "logs", "exp", run_id="dies") as logger:
        logger.log_epoch_end(1, {})
    journals.put(
        tmp_path / "logs", "killed.jsonl", b"".join(journals.lines(journals.header("killed"), journals.epochs(1)))
    )
    wait_until(lambda: hub.run("killed") and hub.run("killed").status == "failed", "who lives was judged")

    assert not [m for m in messages(hub, "run") if m["type"] in ("training_error", "alert")]
    assert hub.run("run").status == "running"  # type: ignore[union-attr]
    close_all()
