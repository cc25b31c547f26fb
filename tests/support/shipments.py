"""Journals as bytes, for what is shipped: a first line, and lines after it."""

from __future__ import annotations

from typing import Any

import msgspec

from federated_pneumonia_detection.progress.framing import JournalHeader, encode_line

WHEN = "2026-01-31T12:00:00+00:00"


def header(**facts: Any) -> JournalHeader:
    """The first line of a client's journal."""
    known: dict[str, Any] = {
        "format": 1,
        "writer": "w1",
        "run_id": "run",
        "client_id": "ward",
        "experiment_name": "exp",
        "mode": "federated",
        "host": "far-away",
        "boot": "b",
        "pid": 7,
        "pid_start": 1,
        "start": WHEN,
    }
    return JournalHeader(**{**known, **facts})


def first_line(**facts: Any) -> bytes:
    return encode_line(msgspec.json.encode(header(**facts)), 0)


def line(n: int, type_: str = "said", **keys: Any) -> bytes:
    """A line of that client's journal; `client_id=None` leaves the client out."""
    message = {"type": type_, "timestamp": WHEN, "client_id": "ward", **keys}
    return encode_line(msgspec.json.encode({key: value for key, value in message.items() if value is not None}), n)


def round_end(n: int, **keys: Any) -> bytes:
    return line(n, "round_end", **{"round": 1, "fit_metrics": {}, "eval_metrics": {"val_auroc": 0.9}, **keys})


def end_line(n: int) -> bytes:
    return encode_line(msgspec.json.encode({"type": "journal_end", "timestamp": WHEN}), n)


def body(*lines: bytes, **facts: Any) -> bytes:
    """A batch: the first line with these facts changed, then the lines."""
    return b"".join([first_line(**facts), *lines])
