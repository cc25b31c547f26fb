import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from federated_pneumonia_detection.server import warden
from federated_pneumonia_detection.server.jobs import Exit, Job, JobDirectory, Jobs


def _job(tmp_path: Path, *command: str) -> JobDirectory:
    return Jobs(tmp_path).add(Job("a", "centralized", "a", 1, 1.0, command), "")


def _send(directory: JobDirectory) -> int:
    script = [sys.executable, "-I", "-S", warden.__file__, str(directory.path)]
    return subprocess.run(script, check=False, capture_output=True, timeout=30, start_new_session=True).returncode


def _exit_of(directory: JobDirectory, wait_until: Callable[..., None]) -> Exit:
    wait_until(directory.exit, "the warden wrote how it ended")
    exit = directory.exit()
    assert exit is not None
    return exit


def test_output_and_exit_code_are_kept(tmp_path: Path, wait_until: Callable[..., None]) -> None:
    directory = _job(tmp_path, "/bin/sh", "-c", "echo out; echo err >&2; exit 3")

    assert _send(directory) == 0

    exit = _exit_of(directory, wait_until)
    assert (exit.code, exit.signal) == (3, None)
    assert directory.last_lines() == ("out", "err")


def test_a_killed_training_is_told_with_its_signal(tmp_path: Path, wait_until: Callable[..., None]) -> None:
    directory = _job(tmp_path, "/bin/sh", "-c", "kill -9 $$")
    _send(directory)
    assert _exit_of(directory, wait_until).signal == signal.SIGKILL


def test_a_command_that_is_not_there_is_told_like_a_shell_does(tmp_path: Path, wait_until: Callable[..., None]) -> None:
    directory = _job(tmp_path, "/no/such/program")
    assert _send(directory) == 0
    assert _exit_of(directory, wait_until).code == 127
    assert "/no/such/program" in directory.last_lines()[-1]


def test_a_second_warden_starts_nothing(tmp_path: Path, wait_until: Callable[..., None]) -> None:
    directory = _job(tmp_path, "/bin/sh", "-c", "echo once")
    assert _send(directory) == 0
    assert _send(directory) == 0
    _exit_of(directory, wait_until)
    assert directory.last_lines() == ("once",)


def test_signals_to_the_warden_do_not_end_it_and_the_training_may_be_interrupted(
    tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    directory = _job(tmp_path, "/bin/sh", "-c", "echo up; sleep 60")
    _send(directory)
    wait_until(directory.last_lines, "it is up")
    warden_pid = int((directory.path / "warden.json").read_text().split('"pid": ')[1].split(",")[0])
    training = directory.training_pid()
    assert training is not None
    assert os.getpgid(training) == training
    assert os.getsid(training) == os.getsid(warden_pid) != os.getsid(0)

    os.kill(warden_pid, signal.SIGTERM)
    os.kill(warden_pid, signal.SIGINT)
    os.killpg(training, signal.SIGINT)

    assert _exit_of(directory, wait_until).signal == signal.SIGINT


def test_a_job_without_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert _send(JobDirectory(tmp_path / "a")) != 0
