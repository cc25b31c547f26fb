"""Ctrl-C and SIGTERM end a federated run as a request to stop does."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from federated_pneumonia_detection.config import dump_config, make_config


@pytest.mark.parametrize(
    ("number", "by"), [(signal.SIGINT, "keyboard"), (signal.SIGTERM, "signal")], ids=["ctrl-c", "sigterm"]
)
def test_a_signal_cancels_the_run(
    number: signal.Signals,
    by: str,
    small_source: Path,
    tmp_path: Path,
    told: Callable[..., list[dict[str, Any]]],
    wait_until: Callable[..., None],
) -> None:
    config = make_config({"local_epochs": 10_000, "batch_size": 16, "threads": 1, "device": "cpu"}, "federated")
    (tmp_path / "config.yaml").write_text(dump_config(config))
    command = [sys.executable, "-m", "federated_pneumonia_detection", "train", "federated", str(small_source)]
    command += ["--config", "config.yaml", "--log-dir", "logs/progress", "--run-id", "r1"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        wait_until(lambda: told("client_0"), "the first client trains", timeout_s=60)
        process.send_signal(number)
        output, _ = process.communicate(timeout=30)

    assert process.returncode == 130
    (cancelled,) = told(kind="training_cancelled")
    assert cancelled["by"] == by
    assert "Traceback" not in output
