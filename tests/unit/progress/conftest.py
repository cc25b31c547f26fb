"""What the tests of the progress part share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from federated_pneumonia_detection.progress.framing import FORMAT, JournalHeader, Line
from federated_pneumonia_detection.progress.journal import Journal
from federated_pneumonia_detection.progress.liveness import boot_id, host_name, pid_start
from federated_pneumonia_detection.progress.reading import JournalReader
from federated_pneumonia_detection.progress.registry import close_all

# How long one example takes says more of the machine's other work than of the example.
settings.register_profile("progress", deadline=None)
settings.load_profile("progress")

MakeHeader = Callable[..., JournalHeader]


@pytest.fixture(autouse=True)
def no_run_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FPD_RUN_ID", raising=False)


@pytest.fixture(autouse=True)
def ended_writers() -> Iterator[None]:
    yield
    close_all()


@pytest.fixture
def make_header() -> MakeHeader:
    """A journal's first line, this process's unless told otherwise."""

    def make(**changed: Any) -> JournalHeader:
        import os

        facts: dict[str, Any] = {
            "format": FORMAT,
            "writer": os.urandom(8).hex(),
            "run_id": "run",
            "client_id": None,
            "experiment_name": "exp",
            "mode": "centralized",
            "host": host_name(),
            "boot": boot_id(),
            "pid": os.getpid(),
            "pid_start": pid_start(os.getpid()),
            "start": "2026-11-24T12:00:00.000000+00:00",
        }
        return JournalHeader(**{**facts, **changed})

    return make


@pytest.fixture
def make_journal(tmp_path: Path, make_header: MakeHeader) -> Callable[..., Path]:
    """A journal with these messages in it, its file closed and without a last line."""

    def make(*messages: dict[str, Any], directory: Path = tmp_path, **header: Any) -> Path:
        journal = Journal.create(directory, make_header(**header))
        for n, message in enumerate(messages, 1):
            journal.append(json.dumps(message, separators=(",", ":")).encode(), n)
        journal.close()
        return journal.path

    return make


@pytest.fixture
def said() -> Callable[[Path | str], list[dict[str, Any]]]:
    """The messages in the journals of a directory (or in one journal), in the order of names and numbers."""

    def read(where: Path | str) -> list[dict[str, Any]]:
        path = Path(where)
        files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
        found = []
        for file in files:
            reader = JournalReader(file)
            while entries := reader.read():
                for entry in entries:
                    assert isinstance(entry, Line), entry
                    if entry.type != "journal_end":
                        found.append(json.loads(entry.body))
        return found

    return read
