"""Row "Callers of the loggers": no log call raises; one warning for each cause; what was not written counts in `lost`.

At an interpreter's end, in finalizers and in signal handlers: `progress/test_deaths.py`; from children of all kinds:
`progress/test_processes.py`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from federated_pneumonia_detection.progress import (
    FederatedProgressLogger,
    ProgressLogger,
    WebSocketFederatedProgressLogger,
    WebSocketProgressLogger,
)
from federated_pneumonia_detection.progress.framing import Line
from federated_pneumonia_detection.progress.reading import JournalReader
from federated_pneumonia_detection.progress.registry import close_all


@pytest.fixture(autouse=True)
def ended_writers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("FPD_RUN_ID", raising=False)
    yield
    close_all()


def said(directory: Path) -> list[dict[str, Any]]:
    """Every message in a directory; a line that is none fails the test."""
    found = []
    for path in sorted(directory.glob("*.jsonl")):
        reader = JournalReader(path)
        while entries := reader.read():
            for entry in entries:
                assert isinstance(entry, Line), entry
                if entry.type != "journal_end":
                    found.append(json.loads(entry.body, parse_constant=pytest.fail))
        assert reader.header is not None, f"{path.name} is no journal that anybody can read"
    return found


class Hostile:
    """Raises whatever is asked of it."""

    def __float__(self) -> float:
        raise RuntimeError("no")

    __int__ = __index__ = __str__ = __repr__ = __bool__ = __iter__ = __fspath__ = __float__  # type: ignore[assignment]


class Changing(dict[str, float]):
    """Changes while it is looked at."""

    def items(self) -> Any:
        for number in range(3):
            self[f"more{number}"] = 1.0
            yield from super().items()


CIRCLE: dict[str, Any] = {}
CIRCLE["itself"] = CIRCLE

# What is logged as metrics, and what of it is recorded.
METRICS: dict[str, tuple[Any, Any]] = {
    "a tensor": ({"a": torch.tensor(0.5)}, {"a": 0.5}),
    "a tensor that wants a gradient": ({"a": torch.tensor(0.5, requires_grad=True)}, {"a": 0.5}),
    "a tensor of one": ({"a": torch.tensor([[0.5]])}, {"a": 0.5}),
    "a tensor of many": ({"a": torch.zeros(3)}, {"a": None}),
    "a tensor without memory": ({"a": torch.zeros(1, device="meta")}, {"a": None}),
    "a half": ({"a": torch.tensor(0.5, dtype=torch.float16)}, {"a": 0.5}),
    "NumPy's": ({"a": np.float32(0.5), "b": np.int64(3), "c": np.bool_(True)}, {"a": 0.5, "b": 3, "c": True}),
    "a NumPy array": ({"a": np.zeros(3)}, {"a": None}),
    "NaN": ({"a": float("nan"), "b": 1.0}, {"a": None, "b": 1.0}),
    "infinities": ({"a": float("inf"), "b": -np.inf}, {"a": None, "b": None}),
    "a NaN of torch's": ({"a": torch.tensor(float("nan"))}, {"a": None}),
    "None": ({"a": None}, {"a": None}),
    "words": ({"a": "text"}, {"a": "text"}),
    "words that are no UTF-8": ({"a\ud800": "\udfff"}, {"a?": "?"}),
    "nested": ({"a": {"b": {"c": 1}}}, {"a/b/c": 1}),
    "nested in itself": (CIRCLE, ...),
    "10 000 of them": ({f"m{i}": float(i) for i in range(10_000)}, {f"m{i}": float(i) for i in range(10_000)}),
    "names that are no words": ({1: 2, None: 3, (1, 2): 4, 1.5: 5}, {"1": 2, "None": 3, "(1, 2)": 4, "1.5": 5}),
    "an int of 5 000 digits": ({"a": 10**4999}, {"a": None}),
    "complex": ({"a": 1j}, {"a": None}),
    "bytes": ({"a": b"x"}, {"a": None}),
    "a function": ({"a": print}, {"a": None}),
    "what raises": ({"a": Hostile()}, {"a": None}),
    "a name that raises": ({Hostile(): 1}, ...),
    "what changes": (Changing(a=1.0), ...),
    "no dict": ([1, 2], {}),
    "nothing": (None, {}),
    "a number": (3, {}),
    "itself raising": (Hostile(), {}),
}


@pytest.mark.parametrize("name", METRICS)
def test_metrics_of_any_kind_are_recorded_or_null(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    given, recorded = METRICS[name]
    logger = FederatedProgressLogger("client", tmp_path, run_id="run")
    for _ in range(3):
        logger.log_epoch_end(1, given)
        logger.log_step(1, 1, 1, given)
        logger.log_round_end(1, given, given)
    logger.close()
    messages = said(tmp_path)
    told = [message["metrics"] for message in messages if message["type"] in ("epoch_end", "step")]
    assert len(told) + logger.lost >= 6
    if recorded is not ...:
        assert told == [recorded] * 6
        # The ends of three rounds had 20 000 metrics each, more than a message may be long.
        assert logger.lost == (3 if len(recorded) == 10_000 else 0)
    causes = [record.getMessage() for record in caplog.records]
    assert len(causes) == len(set(causes)), "a cause was told twice"
    assert all(cause.isprintable() for cause in causes)


@pytest.mark.parametrize(
    "epoch", [0, -1, 1.5, 1.0, "one", None, True, 10**30, float("nan"), torch.tensor(2), Hostile()], ids=range(11)
)
def test_epochs_of_any_kind_are_a_whole_number_or_null(tmp_path: Path, epoch: Any) -> None:
    logger = ProgressLogger(tmp_path, run_id="run")
    logger.log_epoch_end(epoch, {"a": 1.0})
    logger.log_epoch_start(epoch, epoch)
    logger.close()
    assert logger.lost == 0
    for message in said(tmp_path)[1:]:
        assert message["epoch"] is None or type(message["epoch"]) is int


def test_an_end_before_any_start_and_starts_without_ends_are_recorded(tmp_path: Path) -> None:
    logger = FederatedProgressLogger("client", tmp_path, run_id="run")
    logger.log_round_end(3, {}, {})
    logger.log_epoch_end(5, {})
    logger.log_round_start(2, 1)
    logger.log_round_start(2, 1)
    logger.log_training_complete({})
    logger.log_training_error("after the end")
    logger.log_epoch_start(1, 1)
    assert logger.lost == 0
    types = [message["type"] for message in said(tmp_path)]
    assert [kind for kind in types if kind != "run_start"] == [
        "round_end",
        "epoch_end",
        "round_start",
        "round_start",
        "training_complete",
        "training_error",
        "epoch_start",
    ]


def test_after_close_everything_is_counted_and_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    logger = WebSocketFederatedProgressLogger("client", None, tmp_path, run_id="run")
    logger.log_round_start(1, 1)
    logger.close()
    logger.shutdown()
    for _ in range(10):
        logger.log_epoch_start(1, 1)
        logger.log_custom_event("x", Hostile())
    assert logger.lost == 20
    assert sum("after close()" in record.getMessage() for record in caplog.records) == 1


def test_ten_threads_with_all_kinds_of_values_lose_nothing(tmp_path: Path) -> None:
    logger = ProgressLogger(tmp_path, run_id="run")

    def talk(name: int) -> None:
        for number in range(50):
            logger.log_custom_event("said", [name, number])
            logger.log_step(1, number, None, {"a": torch.tensor(1.0), "b": Hostile()})

    threads = [threading.Thread(target=talk, args=(name,)) for name in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    logger.close()
    assert logger.lost == 0
    heard: dict[int, list[int]] = {}
    for message in said(tmp_path):
        if message["type"] == "said":
            heard.setdefault(message["data"][0], []).append(message["data"][1])
    assert heard == {name: list(range(50)) for name in range(10)}


NAMES: dict[str, Any] = {
    "None": None,
    "a number": 3,
    "nothing": "",
    "a path": "../../etc/passwd",
    "NUL": "a\0b",
    "a newline": "a\nb",
    "ANSI": "\x1b[31mred",
    "right to left": "rtl\u202eemit",
    "a lone surrogate": "\ud800",
    "emoji": "🫁",
    "100 000 letters": "x" * 100_000,
    "bytes": b"x",
    "a tensor": torch.tensor(1),
    "what raises": Hostile(),
}
MADE_WITH: dict[str, Callable[[Path, Any], ProgressLogger]] = {
    "experiment_name": lambda path, name: ProgressLogger(path, name),
    "mode": lambda path, name: ProgressLogger(path, "exp", name),
    "run_id": lambda path, name: ProgressLogger(path, "exp", run_id=name),
    "client_id": lambda path, name: FederatedProgressLogger(name, path, "exp", run_id="run"),
    "run_start": lambda path, value: ProgressLogger(path, "exp", run_start=value),
    "broadcast_interval": lambda path, value: WebSocketProgressLogger(None, path, "exp", broadcast_interval=value),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("argument", MADE_WITH)
def test_whatever_a_logger_is_made_with_its_journal_can_be_read_and_lies_in_its_directory(
    tmp_path: Path, argument: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    log_dir = tmp_path / "in" / "here"
    if argument in ("run_id", "client_id") and NAMES[name] is None:
        pytest.skip("that is how one says nothing")
    logger = MADE_WITH[argument](log_dir, NAMES[name])
    logger.log_epoch_end(1, {"a": 1.0}, phase=NAMES[name])
    logger.log_custom_event(NAMES[name], 1)
    logger.close()
    assert logger.lost == 0
    messages = said(log_dir)
    assert [message["type"] for message in messages][-2] == "epoch_end"
    assert len(messages[-1]["type"]) <= 500
    assert "\0" not in messages[-1]["type"] + messages[-2]["phase"]
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_dir()) == ["here", "in"]
    assert all(path.parent == log_dir for path in tmp_path.rglob("*.json*"))
    assert all(record.getMessage().isprintable() for record in caplog.records)


@pytest.mark.parametrize("interval", [float("nan"), float("inf"), -1, 1e300, "0.5", None, Hostile()], ids=range(7))
def test_an_interval_of_any_kind_is_a_number_of_seconds(tmp_path: Path, interval: Any) -> None:
    logger = WebSocketProgressLogger(None, tmp_path, "exp", broadcast_interval=interval)
    logger.log_epoch_start(1, 1)
    logger.close()
    (path,) = tmp_path.glob("*.jsonl")
    reader = JournalReader(path)
    reader.read()
    assert reader.header is not None
    assert 0 <= reader.header.broadcast_interval <= 60


@pytest.mark.parametrize("directory", ["a\0b", "/proc/nowhere/logs", "/dev/null/logs", "\ud800/logs", "x" * 5000])
def test_a_directory_that_cannot_be_costs_the_messages_and_nothing_else(
    directory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    logger = ProgressLogger(directory, "exp")
    for _ in range(5):
        logger.log_epoch_start(1, 1)
    assert logger.lost == 6
    assert len(caplog.records) == 1
    assert caplog.records[0].getMessage().isprintable()
    assert list(tmp_path.iterdir()) == []
