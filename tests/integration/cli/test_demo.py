"""`fpd demo`: two real runs, then serving; and nothing left behind, however it ends."""

import os
import re
import signal
import time

import psutil
import pytest

from federated_pneumonia_detection.cli.journals import Journals

STOPPED_WITHIN_S = 10


def _until(process, words):
    lines = []
    for line in process.stdout:
        lines.append(line)
        if re.search(words, line):
            return "".join(lines)
    raise AssertionError(f"{words!r} never came:\n{''.join(lines)}")


def _left_over(log_dir):
    """Processes whose command names the demo's log directory."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline", "status"]):
        command = process.info["cmdline"] or []
        if process.info["status"] != psutil.STATUS_ZOMBIE and any(str(log_dir) in part for part in command):
            found.append(command)
    return found


@pytest.fixture
def demo(start, tmp_path, few_phantoms):
    def run(*arguments):
        log_dir = tmp_path / "runs"
        process = start(
            "demo", "--no-browser", "--port", "0", "--log-dir", str(log_dir), *arguments, FPD_DATA=str(few_phantoms)
        )
        return process, log_dir

    return run


def test_a_run_that_learns_then_a_federated_one_then_serving_until_ctrl_c(demo):
    process, log_dir = demo()
    told = _until(process, "Both runs are over")
    assert "1 of 2, on one machine" in told
    assert "client_2: sent round 3" in told
    assert "not a medical device" in told
    assert "phantom" not in told
    assert [run["status"] for run in Journals(log_dir).runs()] == ["completed", "completed"]
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=30) == 0
    assert time.monotonic() - began < STOPPED_WITHIN_S
    assert _left_over(log_dir) == []


@pytest.mark.parametrize(("number", "words"), [(signal.SIGINT, "epoch 1 of"), (signal.SIGTERM, "The page: ")])
def test_what_it_started_is_cancelled_in_the_middle(demo, number, words):
    process, log_dir = demo()
    _until(process, words)
    began = time.monotonic()
    os.kill(process.pid, number)
    rest = process.stdout.read()
    assert process.wait(timeout=30) == 130, rest
    assert time.monotonic() - began < STOPPED_WITHIN_S
    assert "Traceback" not in rest
    assert _left_over(log_dir) == []
    assert all(run["status"] in ("cancelled", "queued", "failed") for run in Journals(log_dir).runs())


def test_a_log_directory_that_is_none_is_one_line(fpd, tmp_path):
    (tmp_path / "file").write_text("")
    done = fpd("demo", "--no-browser", "--log-dir", "file/logs")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "file" in line
