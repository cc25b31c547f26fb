"""Nothing of a stopped run stays: whoever was asked to stop is over soon, also where nobody looks between batches."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from federated_pneumonia_detection.progress.cancel import request_cancel

_APP = """
import pathlib, sys, time
from federated_pneumonia_detection.federated.superlink import leaving
from federated_pneumonia_detection.federated.superlink.signals import Signalled, heard
directory = pathlib.Path(sys.argv[1])
leaving._HEEDS_WITHIN_S = leaving.LEAVES_WITHIN_S = 0.3
leaving.leave_within.__defaults__ = (0.3,)
try:
    with heard(), leaving.ends_when_asked(str(directory), "run"):
        (directory / "begun").touch()
        while sys.argv[2] == "deaf" or not (directory / "run.cancel").exists():
            time.sleep(0.05)
except Signalled as signalled:
    (directory / "interrupted").write_text(f"orphaned {signalled.orphaned}")
# Flower, which asks a SuperLink again and again.
time.sleep(60)
"""


@pytest.mark.parametrize(("listens", "interrupted"), [("deaf", True), ("between batches", False)])
def test_an_app_that_was_asked_to_stop_is_over_however_long_flower_waits(
    tmp_path: Path, wait_until: Callable[..., None], listens: str, interrupted: bool
) -> None:
    with subprocess.Popen([sys.executable, "-c", _APP, str(tmp_path), listens]) as app:
        try:
            wait_until((tmp_path / "begun").exists, "it has begun")
            began = time.monotonic()
            request_cancel(tmp_path, "run", reason="enough", by="Ada")
            assert app.wait(timeout=10) == 1
            assert time.monotonic() - began < 10
        finally:
            app.kill()
    assert (tmp_path / "interrupted").exists() is interrupted
    if interrupted:
        assert (tmp_path / "interrupted").read_text() == "orphaned False"
