"""Why Flower ends a process: its parent is gone, or the run was ended."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from federated_pneumonia_detection.federated.superlink.signals import Signalled, heard

_CHILD = """
import pathlib, sys, time
from federated_pneumonia_detection.federated.superlink.signals import Signalled, heard
said = pathlib.Path(sys.argv[1])
try:
    with heard():
        said.write_text("waits")
        time.sleep(60)
except Signalled as signalled:
    said.write_text(f"orphaned {signalled.orphaned}")
"""
_PARENT = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", sys.argv[1], sys.argv[2]])
time.sleep(60)
"""


def test_a_signal_ends_the_block_and_the_next_is_for_whoever_heard_before() -> None:
    heard_before: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard_before.append(number))
    try:
        with pytest.raises(Signalled) as caught, heard():
            signal.raise_signal(signal.SIGTERM)
        assert not caught.value.orphaned
        assert heard_before == []
        signal.raise_signal(signal.SIGTERM)
        assert heard_before == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_whoever_loses_its_parent_in_the_middle_of_a_wait_says_so_within_seconds(
    tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    said = tmp_path / "said"
    with subprocess.Popen([sys.executable, "-c", _PARENT, _CHILD, str(said)]) as parent:
        wait_until(lambda: said.exists() and said.read_text() == "waits", "it waits")
        began = time.monotonic()
        parent.kill()
        parent.wait()
        wait_until(lambda: said.read_text() != "waits", "it has noticed", timeout_s=5)
    assert said.read_text() == "orphaned True"
    assert time.monotonic() - began < 5
