from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from federated_pneumonia_detection.progress import liveness
from federated_pneumonia_detection.progress.journal import Journal, encode_end
from federated_pneumonia_detection.progress.liveness import State


@pytest.fixture(params=["with fcntl", "without fcntl"], autouse=True)
def both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "without fcntl":
        monkeypatch.setattr(liveness, "fcntl", None)


@pytest.fixture
def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_writer_that_holds_its_journal_is_alive(tmp_path: Path, make_header: Callable[..., object]) -> None:
    journal = Journal.create(tmp_path, make_header())  # type: ignore[arg-type]
    assert liveness.state(journal.path) is State.ALIVE
    journal.close()


def test_a_journal_that_says_it_was_closed_is_closed(tmp_path: Path, make_header: Callable[..., object]) -> None:
    journal = Journal.create(tmp_path, make_header())  # type: ignore[arg-type]
    journal.append(encode_end("now"), 1)
    journal.close()
    assert liveness.state(journal.path) is State.CLOSED


def test_a_process_that_is_gone_is_dead(make_journal: Callable[..., Path], dead_pid: int) -> None:
    assert liveness.state(make_journal(pid=dead_pid)) is State.DEAD


def test_another_process_with_the_same_pid_is_no_sign_of_life(make_journal: Callable[..., Path]) -> None:
    assert liveness.state(make_journal(pid_start=1)) is State.DEAD


def test_a_free_lock_alone_is_no_proof_of_death(make_journal: Callable[..., Path]) -> None:
    assert liveness.state(make_journal()) is State.ALIVE


def test_a_boot_that_is_over_is_a_death(make_journal: Callable[..., Path]) -> None:
    assert liveness.state(make_journal(boot="another")) is State.DEAD


def test_nobody_here_can_tell_of_another_machine(make_journal: Callable[..., Path], dead_pid: int) -> None:
    assert liveness.state(make_journal(host="elsewhere", pid=dead_pid)) is State.UNKNOWN


def test_the_first_line_alone_tells_of_the_process(make_header: Callable[..., object], dead_pid: int) -> None:
    assert liveness.state(make_header()) is State.ALIVE  # type: ignore[arg-type]
    assert liveness.state(make_header(pid=dead_pid)) is State.DEAD  # type: ignore[arg-type]


def test_a_zombie_does_not_live() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not liveness.process_lives(process.pid)
    process.wait()


def test_without_proc_the_pid_alone_tells(monkeypatch: pytest.MonkeyPatch, dead_pid: int) -> None:
    monkeypatch.setattr(liveness, "_proc_stat", lambda pid: None)
    assert liveness.pid_start(os.getpid()) is None
    assert liveness.process_lives(os.getpid(), 5)
    assert not liveness.process_lives(dead_pid)


def test_the_facts_of_this_machine_fit_a_first_line(make_header: Callable[..., object]) -> None:
    assert msgspec.json.decode(msgspec.json.encode(make_header()))["host"] == liveness.host_name()
