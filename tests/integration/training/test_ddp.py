"""The callback under Lightning's data parallelism: two processes on the CPU, one voice."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("ddp_script.py")


def train(strategy, directory, epochs):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1", "GLOO_SOCKET_IFNAME": "lo"}
    command = [sys.executable, str(SCRIPT), strategy, str(directory), str(epochs)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("strategy", ["ddp", "ddp_spawn"])
def test_two_processes_tell_each_epoch_once_and_are_one_run(strategy, tmp_path, told):
    train(strategy, tmp_path, 2)
    messages = told(tmp_path / "progress")
    assert [m["type"] + (" " + m["phase"] if "phase" in m else "") for m in messages] == [
        "run_start",
        *["epoch_start", "epoch_end train", "epoch_end val"] * 2,
        "training_complete",
    ]
    assert len(list((tmp_path / "progress").glob("*.jsonl"))) == 1
    # Each process saw half of the 32 images, 4 at a time.
    steps = [m for m in told(tmp_path / "progress", steps=True) if m["type"] == "step"]
    assert [m["step"] for m in steps] == [1, 2, 3, 4] * 2


@pytest.mark.long
def test_a_request_to_wait_and_one_to_stop_hold_both_at_the_same_batch(tmp_path, told):
    train("ddp", tmp_path, 100_000)
    messages = told(tmp_path / "progress")
    assert messages[-1]["type"] == "training_cancelled"
    assert [(m["type"], m["by"]) for m in messages if m["type"] in ("training_paused", "training_resumed")] == [
        ("training_paused", "Ada"),
        ("training_resumed", "Bob"),
    ]
    assert len([m for m in messages if m["type"] == "epoch_start"]) < 100
