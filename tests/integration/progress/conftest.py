"""What the tests of writing processes share."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from federated_pneumonia_detection.progress.framing import Line
from federated_pneumonia_detection.progress.reading import JournalReader

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def no_run_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FPD_RUN_ID", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts this Python code as a process of its own, in the test's directory."""

    def run(code: str, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-W", "error", "-c", code, *arguments]
        return subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL
        )

    return run


@pytest.fixture
def finish(start: Callable[..., subprocess.Popen[str]]) -> Callable[..., str]:
    """Runs this Python code to its end and gives what it printed; anything on stderr is a failure."""

    def run(code: str, *arguments: str) -> str:
        out, err = start(code, *arguments).communicate(timeout=60)
        assert err == ""
        return out

    return run


@pytest.fixture
def messages() -> Callable[[Path], list[dict[str, Any]]]:
    """All whole messages in a directory's journals, each with its writer and number; the last lines too."""

    def read(directory: Path) -> list[dict[str, Any]]:
        found = []
        for path in sorted(directory.glob("*.jsonl")):
            reader = JournalReader(path)
            while entries := reader.read():
                assert reader.header is not None
                for entry in entries:
                    assert isinstance(entry, Line), (path, entry)
                    writer = {"writer": reader.header.writer, "n": entry.n, "journal": path.name}
                    found.append({**json.loads(entry.body), **writer})
        return found

    return read


@pytest.fixture
def until() -> Callable[[Callable[[], object], str], None]:
    """Waits for a condition, not for seconds."""

    def wait(condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline, what
            time.sleep(0.002)

    return wait
