"""What the machine does is told beside a training, and never at its cost."""

from __future__ import annotations

import threading
from typing import Any

import psutil
import pytest

from federated_pneumonia_detection.training.machine import MACHINE_S, MachineWatch, pace_s, read_gpu


class Listener:
    """Remembers what is said, and tells when so much has been."""

    def __init__(self, enough: int = 1) -> None:
        self.said: list[dict[str, Any]] = []
        self.heard = threading.Event()
        self._enough = enough

    def log_machine(self, metrics: dict[str, Any]) -> None:
        self.said.append(metrics)
        if len(self.said) >= self._enough:
            self.heard.set()


def _watchers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "machine"]


def test_processor_and_memory_are_told_while_it_lasts_and_not_after() -> None:
    listener = Listener(enough=2)
    with MachineWatch(listener, every_s=0.01):
        assert listener.heard.wait(20)
    assert not _watchers()
    told = listener.said[0]
    assert 0 <= told["cpu_percent"] <= 100
    assert 0 < told["memory_percent"] < 100
    assert told["process_memory_mb"] > 10
    assert told["process_cpu_percent"] >= 0


def test_where_the_machine_cannot_be_read_the_training_goes_on_and_the_thread_ends(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise OSError("no /proc here")

    monkeypatch.setattr(psutil, "virtual_memory", broken)
    listener = Listener()
    with MachineWatch(listener, every_s=0.01):
        for thread in _watchers():
            thread.join(20)
        assert not _watchers()
    assert listener.said == []
    assert "not told any more" in caplog.text


def test_the_training_does_not_wait_for_the_next_look_at_its_end() -> None:
    with MachineWatch(Listener(), every_s=3600):
        assert _watchers()
    assert not _watchers()


@pytest.mark.parametrize("every_s", [None])
def test_turned_off_no_thread_is_made(every_s: float | None) -> None:
    with MachineWatch(Listener(), every_s=every_s):
        assert not _watchers()


@pytest.mark.parametrize(
    ("given", "pace"), [("", MACHINE_S), ("0", None), ("-1", None), ("30", 30.0), ("0.001", 1.0), ("often", MACHINE_S)]
)
def test_the_pace_is_the_environments(monkeypatch: pytest.MonkeyPatch, given: str, pace: float | None) -> None:
    monkeypatch.setenv("FPD_MACHINE_S", given)
    assert pace_s() == pace


def test_no_card_is_woken_to_be_asked() -> None:
    assert read_gpu() == {}
