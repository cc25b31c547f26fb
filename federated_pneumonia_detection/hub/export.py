"""A run's metrics for a notebook: CSV with a row for each measurement, or JSON Lines with every message."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any, Literal

from federated_pneumonia_detection.hub.cursor import in_order
from federated_pneumonia_detection.hub.frames import frame_of
from federated_pneumonia_detection.hub.series import measurements, step_measurement
from federated_pneumonia_detection.hub.stores.store import Step, Store, Stored

__all__ = ["exported"]

_PAGE = 2000
_HEAD = (
    "run_id client_id type phase epoch round local_epoch step row offset timestamp".split()  # noqa: SIM905
)


def exported(store: Store, run_id: str, format: Literal["csv", "jsonl"]) -> Iterator[bytes]:
    """The export in pieces of some hundred kilobytes."""
    return _csv(store, run_id) if format == "csv" else _jsonl(store, run_id)


def _jsonl(store: Store, run_id: str) -> Iterator[bytes]:
    for page in _pages(store, run_id):
        yield b"".join(frame_of(message) + b"\n" for message in page)


def _csv(store: Store, run_id: str) -> Iterator[bytes]:
    names = dict.fromkeys(
        name for page in _pages(store, run_id) for message in page for row in _rows(message) for name in row[1]
    )
    yield _lines([[*_HEAD, *map(_harmless, names)]])
    for page in _pages(store, run_id):
        rows = [row for message in page for row in _rows(message)]
        yield _lines([[*head, *(_harmless(metrics.get(name)) for name in names)] for head, metrics in rows])


def _pages(store: Store, run_id: str) -> Iterator[list[Stored | Step]]:
    """All messages of a run in order, steps among them."""
    steps = store.steps(run_id=run_id)
    after = 0
    while messages := store.read(after=after, limit=_PAGE, run_id=run_id):
        up_to = messages[-1].offset
        yield in_order(messages, [step for step in steps if after <= step.at < up_to])
        after = up_to
    rest = [step for step in steps if step.at >= after]
    if rest:
        yield in_order([], rest)


def _rows(message: Stored | Step) -> Iterator[tuple[list[Any], dict[str, Any]]]:
    client = _harmless(message.client_id)
    run_id = _harmless(message.run_id)
    if isinstance(message, Step):
        metrics, said = step_measurement(message)
        counts = [said.epoch, said.round, said.local_epoch, said.step, message.row, None]
        yield [run_id, client, "step", _harmless(message.phase), *counts, said.timestamp], metrics
        return
    for phase, metrics, said in measurements(message):
        counts = [said.epoch, said.round, said.local_epoch, None, None, message.offset]
        yield [run_id, client, message.type, _harmless(phase), *counts, said.timestamp], metrics


def _harmless(value: Any) -> Any:
    """A text that a spreadsheet takes for a formula is quoted; numbers stay numbers."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _lines(rows: list[list[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "replace")
