"""Real disks that fail: a limit on a file's size, a small file system filled and freed, one that may only be read."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from federated_pneumonia_detection.progress import ProgressLogger
from federated_pneumonia_detection.progress.framing import Line
from federated_pneumonia_detection.progress.reading import Gap, JournalReader
from federated_pneumonia_detection.progress.registry import close_all


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("may not mount a small file system here")
    yield place
    close_all()
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_that_fills_up_and_is_freed_loses_only_what_is_counted(small_disk: Path) -> None:
    logger = ProgressLogger(small_disk / "logs", "exp", run_id="run")
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        while True:
            try:
                file.write(b"x" * 4096)
            except OSError:
                break
    said = 0
    while logger.lost < 50:
        said += 1
        assert said < 10_000
        logger.log_epoch_start(said, None)
        logger.log_step(said, 1, 1, {"loss": 0.5})
    ballast.unlink()
    logger.log_epoch_start(said + 1, None)

    reader = JournalReader(small_disk / "logs" / "run.jsonl")
    entries = []
    while more := reader.read():
        entries += more
    assert all(isinstance(entry, Line | Gap) for entry in entries), "no line is torn"
    lines = [entry for entry in entries if isinstance(entry, Line)]
    told = [json.loads(entry.body)["epoch"] for entry in lines if entry.type == "epoch_start"]
    assert told == list(range(1, said + 2)), "every lifecycle message is there, in order"
    steps = sum(entry.type == "step" for entry in lines)
    assert logger.lost == said - steps, "what counts as lost is really lost, and no more"
    (alert,) = [json.loads(entry.body) for entry in lines if entry.type == "alert"]
    assert f"{logger.lost} are gone" in alert["text"]
    assert "No space left on device" in alert["text"]


def test_a_limit_on_the_files_size_tears_no_line(tmp_path: Path, finish: Callable[..., str]) -> None:
    out = finish(
        "import logging; logging.disable()\n"
        "import resource; from federated_pneumonia_detection.progress import ProgressLogger\n"
        "logger = ProgressLogger('logs', 'exp', run_id='run')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))\n"
        "for step in range(100): logger.log_step(1, step, 100, {'loss': 0.5})\n"
        "full = logger.lost\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "logger.log_training_complete({})\n"
        "print(full, logger.lost)\n"
    )
    full, lost = map(int, out.split())
    entries = JournalReader(tmp_path / "logs" / "run.jsonl").read()
    steps = [entry for entry in entries if isinstance(entry, Line) and entry.type == "step"]
    assert 0 < full == lost == 100 - len(steps)
    assert all(isinstance(entry, Line | Gap) for entry in entries)
    assert "training_complete" in [entry.type for entry in entries if isinstance(entry, Line)]


def test_a_read_only_directory_costs_the_messages_and_nothing_else(
    tmp_path: Path, start: Callable[..., object]
) -> None:
    if os.geteuid() != 0:
        (tmp_path / "logs").mkdir(mode=0o500)
    else:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(tmp_path)], capture_output=True, check=False
        )
        if mounted.returncode:
            pytest.skip("may not mount a read-only file system here")
    try:
        logger = ProgressLogger(tmp_path / "logs", "exp")
        logger.log_epoch_start(1, 2)
        assert logger.lost == 2
    finally:
        if os.geteuid() == 0:
            subprocess.run(["umount", str(tmp_path)], check=True)
    logger.log_epoch_start(2, 2)
    assert logger.lost == (0 if os.geteuid() == 0 else 3)
