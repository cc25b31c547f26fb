"""Programs that belong together: started, started again, and ended with everything they began."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from federated_pneumonia_detection.federated.superlink.processes import Processes, Program

_PARENT = """
import subprocess, sys, time
deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(99)"
child = subprocess.Popen([sys.executable, "-c", deaf])
print(child.pid, flush=True)
time.sleep(99)
"""


@pytest.fixture
def told() -> list[str]:
    return []


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _printed(program: Program, wait_until: Callable[..., None]) -> str:
    wait_until(lambda: program.last_words() != "", "it printed something")
    return program.last_words()


def test_ending_leaves_nothing_not_even_a_deaf_child(
    tmp_path: Path, told: list[str], wait_until: Callable[..., None]
) -> None:
    processes = Processes(told.append)
    program = processes.start(Program("one", [sys.executable, "-c", _PARENT], tmp_path / "one.log", polite_s=2))
    child = int(_printed(program, wait_until))
    assert psutil.pid_exists(child)
    began = time.monotonic()
    processes.end()
    assert time.monotonic() - began < 5
    assert not processes.any_runs()
    wait_until(lambda: not _lives(child), "the child is gone, too")


def test_a_stopped_program_is_ended_too(tmp_path: Path, told: list[str]) -> None:
    processes = Processes(told.append)
    program = processes.start(
        Program("one", [sys.executable, "-c", "import time; time.sleep(99)"], tmp_path / "log", polite_s=2)
    )
    assert program.process is not None
    program.process.send_signal(signal.SIGSTOP)
    processes.end()
    assert not program.is_running


def test_who_dies_is_told_of_and_started_again(
    tmp_path: Path, told: list[str], wait_until: Callable[..., None]
) -> None:
    processes = Processes(told.append)
    script = "import time; print('I live', flush=True); time.sleep(99)"
    program = processes.start(Program("one", [sys.executable, "-c", script], tmp_path / "log", wait_s=0.2))
    _printed(program, wait_until)
    assert program.process is not None
    first = program.process.pid
    program.process.kill()

    def again() -> bool:
        processes.look_after()
        return program.is_running and program.process is not None and program.process.pid != first

    try:
        wait_until(again, "it runs again")
        assert told[0].startswith("one was ended by signal 9; started again in 0.2 s. It said last: I live")
        assert told[1] == "one: started again"
    finally:
        processes.end()


def test_who_has_lost_the_child_that_does_its_work_is_told_of_and_started_again(
    tmp_path: Path, told: list[str], wait_until: Callable[..., None]
) -> None:
    processes = Processes(told.append)
    program = processes.start(
        Program("one", [sys.executable, "-c", _PARENT], tmp_path / "log", wait_s=0.2, launcher="deaf-child")
    )
    command = [sys.executable, "-c", _PARENT.replace("deaf])", 'deaf, "deaf-child"])')]
    program.command = command
    child = int(_printed(program, wait_until))
    processes.look_after()
    assert told == [], "without such a child nothing was lost"
    psutil.Process(child).kill()
    processes.look_after()
    assert told == []
    assert program.process is not None
    program.process.kill()

    def is_there() -> bool:
        processes.look_after()
        return program.launched_by is not None

    wait_until(is_there, "it was started again, with such a child")
    assert program.launched_by is not None
    told.clear()
    psutil.Process(program.launched_by[0]).kill()

    def again() -> bool:
        processes.look_after()
        return "one: started again" in told

    wait_until(again, "it is started again", timeout_s=5)
    assert told[0] == "one has lost its launcher (deaf-child), and can start nothing: it is ended"
    processes.end()
