"""Ctrl-C and SIGTERM while `fpd train` runs."""

import signal
import subprocess
import sys

import pytest

from federated_pneumonia_detection.config import dump_config


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_training_that_is_stopped_ends_as_cancelled(number, tmp_path, source, config, told, wait_until):
    (tmp_path / "config.yaml").write_text(dump_config(config.model_copy(update={"epochs": 100_000})))
    progress = tmp_path / "progress"
    command = [sys.executable, "-m", "federated_pneumonia_detection", "train", "centralized", str(source)]
    options = ["--config", tmp_path / "config.yaml", "--log-dir", progress, "--checkpoint-dir", tmp_path / "c"]
    process = subprocess.Popen(
        [*command, *map(str, options)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        wait_until(lambda: progress.exists() and len(told(progress)) > 5, "it trained", timeout_s=60)
        process.send_signal(number)
        output, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert told(progress)[-1]["type"] == "training_cancelled", output
    assert "Traceback" not in output
    assert process.returncode in (130, 143)
