"""Disks and directories that fail under a training and its server: what counts as lost is lost, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from server_process import ServerProcess
from storm import read_journals, torn_documents, until
from viewers import SocketViewer

from federated_pneumonia_detection.progress import ProgressLogger
from federated_pneumonia_detection.progress.registry import close_all

EPOCHS = 400


@pytest.fixture
def small_disk(tmp_path: Path, lacking: Callable[[str, str], None]) -> Iterator[Path]:
    """A file system of 8 MiB of the test's own."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        lacking("A SMALL FILE SYSTEM", "no test filled a disk (mounting one asks for root)")
    yield place
    close_all()
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as file:
        for size in (4096, 1):
            while True:
                try:
                    file.write(b"x" * size)
                except OSError:
                    break


def epochs_of(viewer: SocketViewer) -> list[int]:
    return [m["epoch"] for m in viewer.messages if m["type"] == "epoch_end"]


def has_ended(viewer: SocketViewer) -> bool:
    """Whether the end has come; what the hub says of numbers that are missing may come behind it."""
    return any(message["type"] == "training_complete" for message in viewer.messages)


def log(logger: ProgressLogger, first: int, count: int = EPOCHS) -> None:
    for epoch in range(first, first + count):
        logger.log_epoch_end(epoch, {"val_loss": 1 / epoch}, phase="val")
        logger.log_step(epoch, 1, 1, {"loss": 1 / epoch})


async def test_a_full_disk_under_training_server_and_database_loses_what_is_counted_and_no_more(
    small_disk: Path,
) -> None:
    directory = small_disk / "progress"
    with ServerProcess(directory, cwd=small_disk.parent) as server:
        viewer = SocketViewer("a socket", server.port)
        viewer.start()
        logger = ProgressLogger(directory, "exp", run_id="run")
        log(logger, 1)
        await until(lambda: len(epochs_of(viewer)) == EPOCHS, "all is well")
        fill(small_disk / "ballast")
        log(logger, EPOCHS + 1)
        assert logger.lost > 0
        waiting = logger.lost
        assert torn_documents(directory) == []
        (small_disk / "ballast").unlink()
        log(logger, 2 * EPOCHS + 1)
        await until(lambda: len(epochs_of(viewer)) == 3 * EPOCHS, "everything has come")
        lost = logger.lost
        logger.log_training_complete({})
        await until(lambda: has_ended(viewer), "the end, too")
        await viewer.stop()

    steps_kept = sum(path.read_bytes().count(b'{"type":"step"') for path in directory.glob("*.jsonl"))
    print(f"full disk: {waiting} messages waited or went, {lost} steps counted as lost, {3 * EPOCHS - steps_kept} lost")
    assert epochs_of(viewer) == list(range(1, 3 * EPOCHS + 1))
    assert lost == 3 * EPOCHS - steps_kept
    assert viewer.wrong == []
    assert torn_documents(directory) == []
    assert sum(m["type"] == "alert" and "gone" in m["text"] and m.get("about") is None for m in viewer.messages) == 1


def remove(directory: Path) -> None:
    # The writer's own thread replaces its document meanwhile: a temporary name that was listed may be gone, or be new.
    while directory.is_dir():
        with suppress(OSError):
            shutil.rmtree(directory)


def move_away(directory: Path) -> None:
    directory.rename(directory.with_name("moved"))


def put_a_file_there(directory: Path) -> None:
    while not directory.is_file():
        remove(directory)
        with suppress(OSError):  # the writer has made it again already
            directory.write_text("a file")


@pytest.mark.parametrize("act", [remove, move_away, put_a_file_there], ids=lambda act: act.__name__)
async def test_a_directory_that_goes_in_the_middle_of_a_run_costs_nothing_once_it_can_be_made_again(
    act: Callable[[Path], None], tmp_path: Path
) -> None:
    directory = tmp_path / "progress"
    serve = [sys.executable, "-m", "federated_pneumonia_detection", "serve", "--port", "{port}"]
    command = [*serve, "--log-dir", str(directory), "--database", f"sqlite:///{tmp_path / 'hub.sqlite3'}"]
    with ServerProcess(directory, command=command) as server:
        viewer = SocketViewer("a socket", server.port)
        viewer.start()
        logger = ProgressLogger(directory, "exp", run_id="run")
        log(logger, 1)
        await until(lambda: len(epochs_of(viewer)) == EPOCHS, "all is well")
        act(directory)
        log(logger, EPOCHS + 1)
        if directory.is_file():
            directory.unlink()
        log(logger, 2 * EPOCHS + 1)
        await until(lambda: len(epochs_of(viewer)) == 3 * EPOCHS, "everything has come")
        await until(lambda: logger.lost == 0 or act is put_a_file_there, "it is all in the file that lies there")
        logger.log_training_complete({})
        await until(lambda: has_ended(viewer), "the end, too")
        await viewer.stop()
        lost = logger.lost

    kept: list[Any] = [key for keys in read_journals(directory).values() for key in keys]
    print(f"{act.__name__}: {3 * EPOCHS} epochs seen, {lost} messages counted as lost")
    assert epochs_of(viewer) == list(range(1, 3 * EPOCHS + 1))
    assert viewer.wrong == []
    assert sum('"type":"epoch_end"' in key for key in kept) == 3 * EPOCHS
    assert torn_documents(directory) == []
