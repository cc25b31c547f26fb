"""A run's metrics for a notebook: CSV with a row for each measurement, or JSON Lines with every message."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from federated_pneumonia_detection.hub.attempts import Attempts
from federated_pneumonia_detection.hub.cursor import in_order
from federated_pneumonia_detection.hub.frames import frame_of
from federated_pneumonia_detection.hub.series import measurements, step_measurement
from federated_pneumonia_detection.hub.state import RunState
from federated_pneumonia_detection.hub.stores.store import Step, Store, Stored

__all__ = ["exported"]

_PAGE = 2000


class _Said(msgspec.Struct, gc=False):
    timestamp: Any = None
    attempt: Any = None


_decode = msgspec.json.Decoder(_Said).decode
_HEAD = (
    "run_id client_id type phase epoch round local_epoch step row offset timestamp attempt current".split()  # noqa: SIM905
)


def exported(
    store: Store, run_id: str, format: Literal["csv", "jsonl"], attempts: Attempts | None = None
) -> Iterator[bytes]:
    """The export in pieces of some hundred kilobytes.

    Every line says of which attempt it is; in CSV also whether it is part of the run's curve (`current`, 1 or 0): an
    attempt that goes on from an epoch supersedes what those before it said of later ones.
    """
    attempts = Attempts(RunState(run_id)) if attempts is None else attempts
    return _csv(store, run_id, attempts) if format == "csv" else _jsonl(store, run_id, attempts)


def _jsonl(store: Store, run_id: str, attempts: Attempts) -> Iterator[bytes]:
    for page in _pages(store, run_id):
        yield b"".join(_named(frame_of(message), attempts) + b"\n" for message in page)


def _named(frame: bytes, attempts: Attempts) -> bytes:
    try:
        said = _decode(frame)
    except msgspec.DecodeError:
        return frame
    return frame if said.attempt is not None else b'%b,"attempt":%d}' % (frame[:-1], attempts.of(None, said.timestamp))


def _csv(store: Store, run_id: str, attempts: Attempts) -> Iterator[bytes]:
    names = dict.fromkeys(
        name
        for page in _pages(store, run_id)
        for message in page
        for row in _rows(message, attempts)
        for name in row[1]
    )
    yield _lines([[*_HEAD, *map(_harmless, names)]])
    for page in _pages(store, run_id):
        rows = [row for message in page for row in _rows(message, attempts)]
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


def _rows(message: Stored | Step, attempts: Attempts) -> Iterator[tuple[list[Any], dict[str, Any]]]:
    client = _harmless(message.client_id)
    run_id = _harmless(message.run_id)
    if isinstance(message, Step):
        metrics, said = step_measurement(message)
        counts = [said.epoch, said.round, said.local_epoch, said.step, message.row, None]
        yield (
            [run_id, client, "step", _harmless(message.phase), *counts, said.timestamp, *_place(said, attempts)],
            metrics,
        )
        return
    for phase, metrics, said in measurements(message):
        place = _place(said, attempts)
        counts = [said.epoch, said.round, said.local_epoch, None, None, message.offset]
        yield (
            [run_id, client, message.type, _harmless(phase), *counts, said.timestamp, *place],
            metrics,
        )


def _place(said: Any, attempts: Attempts) -> tuple[int, int]:
    attempt = attempts.of(said.attempt, said.timestamp)
    return attempt, int(attempts.is_current(attempt, said.epoch, said.round))


def _harmless(value: Any) -> Any:
    """A text that a spreadsheet takes for a formula is quoted; numbers stay numbers."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _lines(rows: list[list[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "replace")
