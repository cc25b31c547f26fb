"""`fpd` as a user starts it: a process in an empty directory, with no source named and no network asked."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from federated_pneumonia_detection.data import SPLITS, make_phantoms

Fpd = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., "subprocess.Popen[str]"]

COMMAND = [sys.executable, "-m", "federated_pneumonia_detection"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """What `fpd` finds in its environment."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("FPD_", "XDG_"))}
    return {**kept, "FPD_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1", "COLUMNS": "100"}


@pytest.fixture
def fpd(tmp_path: Path, environment: dict[str, str]) -> Fpd:
    """Run `fpd` to its end; further keywords are environment variables."""

    def run(*arguments: str, timeout_s: float = 120, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=tmp_path,
            env={**environment, **more},
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )

    return run


@pytest.fixture
def start(tmp_path: Path, environment: dict[str, str]) -> Start:
    """Start `fpd` in a session of its own, so that a test can send it Ctrl-C and nobody else."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str, **more: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=tmp_path,
            env={**environment, **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(timeout=20)
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture(scope="session")
def few_phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An npz of so few phantoms that an epoch takes no time."""
    phantoms = make_phantoms(counts={"train": 160, "val": 40, "test": 40}, seed=1)
    arrays = {f"{split}_images": phantoms.images[split] for split in SPLITS}
    arrays |= {f"{split}_labels": phantoms.labels[split] for split in SPLITS}
    path = tmp_path_factory.mktemp("source") / "few.npz"
    np.savez(path, **arrays)
    return path
