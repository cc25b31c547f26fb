"""The database deleted, truncated or overwritten, at rest and under a server that runs: a new log from the journals."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import storm
from server_process import ServerProcess
from viewers import PollViewer, SocketViewer, StreamViewer

from federated_pneumonia_detection.progress import ProgressLogger


def delete(path: Path) -> None:
    path.unlink()


def delete_with_its_log(path: Path) -> None:
    for one in path.parent.glob("hub.sqlite3*"):
        one.unlink()


def truncate(path: Path) -> None:
    os.truncate(path, 0)


def halve(path: Path) -> None:
    for one in (path, path.with_name(path.name + "-wal")):
        if one.exists():
            os.truncate(one, one.stat().st_size // 2)


def overwrite(path: Path) -> None:
    for one in (path, path.with_name(path.name + "-wal")):
        if one.exists():
            with one.open("r+b") as file:
                file.write(b"\xa5" * one.stat().st_size)


SHORT = {("at rest", halve), ("while running", delete_with_its_log), ("while running", overwrite)}
CASES = [
    pytest.param(
        when, damage, marks=() if (when, damage) in SHORT else pytest.mark.long, id=f"{damage.__name__} {when}"
    )
    for when in ("at rest", "while running")
    for damage in (delete, delete_with_its_log, truncate, halve, overwrite)
]


@pytest.mark.parametrize(("when", "damage"), CASES)
async def test_a_database_that_is_gone_or_broken_is_made_anew_and_viewers_are_told(
    when: str, damage: Callable[[Path], None], tmp_path: Path
) -> None:
    directory = tmp_path / "progress"
    with ServerProcess(directory) as server:
        viewers = [
            SocketViewer("a socket", server.port),
            StreamViewer("a stream", server.port),
            PollViewer("polling", server.port),
        ]
        for viewer in viewers:
            viewer.start()
        logger = ProgressLogger(directory, "exp", run_id="run")
        for epoch in range(1, 51):
            logger.log_epoch_end(epoch, {"val_loss": 1 / epoch}, phase="val")
        await storm.until(lambda: all(len(viewer.messages) == 51 for viewer in viewers), "all have all")
        logs = {viewer.log_id for viewer in viewers}

        if when == "at rest":
            server.kill()
        damage(directory / "hub.sqlite3")
        if when == "at rest":
            server.launch()
        for epoch in range(51, 101):
            logger.log_epoch_end(epoch, {"val_loss": 1 / epoch}, phase="val")
        logger.log_training_complete({})
        await storm.until(
            lambda: all(viewer.messages and viewer.messages[-1]["type"] == "training_complete" for viewer in viewers),
            "the end has come",
        )
        for viewer in viewers:
            await viewer.stop()

    told = [key for keys in storm.read_journals(directory).values() for key in keys]
    for viewer in viewers:
        assert viewer.wrong == []
        assert [storm.key_of(message) for message in viewer.messages] == told, viewer.name
        assert viewer.starts >= (viewer.log_id not in logs), viewer.name
    print(f"{damage.__name__} {when}: {'the log went on' if viewers[0].log_id in logs else 'a new log'}")
    if when == "at rest":
        assert viewers[0].log_id not in logs
    assert "Traceback" not in server.output
