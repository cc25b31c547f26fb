"""Journals made by hand, byte by byte, of writers that are dead, for whoever wants to damage them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from federated_pneumonia_detection.progress import liveness
from federated_pneumonia_detection.progress.framing import FORMAT, JournalHeader, encode_line


def header(
    run_id: str, *, writer: str | None = None, client_id: str | None = None, alive: bool = False
) -> JournalHeader:
    """A first line; `alive` names this process, else one that had its pid long ago."""
    pid = os.getpid()
    return JournalHeader(
        format=FORMAT,
        writer=writer or os.urandom(8).hex(),
        run_id=run_id,
        client_id=client_id,
        experiment_name="made by hand",
        mode="centralized",
        host=liveness.host_name(),
        boot=liveness.boot_id(),
        pid=pid,
        pid_start=liveness.pid_start(pid) if alive else 1,
        start="2026-11-24T09:00:00.000000+00:00",
    )


def lines(first: JournalHeader, messages: Sequence[dict[str, Any]]) -> list[bytes]:
    """A journal's lines, the first one and one for each message; without a last one, as a killed writer leaves it."""
    bodies = [msgspec.json.encode(first), *map(msgspec.json.encode, messages)]
    return [encode_line(body, n) for n, body in enumerate(bodies)]


def epochs(count: int, *, start: str = "2026-11-24T09:00:{:02d}.000000+00:00") -> list[dict[str, Any]]:
    """A beginning and the ends of so many epochs, a second apart (59 at most)."""
    first = {"type": "run_start", "experiment_name": "made by hand", "mode": "centralized", "attempt": 1}
    ends = [
        {"type": "epoch_end", "epoch": n, "phase": "val", "metrics": {"val_loss": 1 / n}} for n in range(1, count + 1)
    ]
    return [{**message, "timestamp": start.format(second)} for second, message in enumerate([first, *ends])]


def put(directory: Path, name: str, data: bytes) -> Path:
    """A file of that name, whole at once, as a writer makes it."""
    path = directory / name
    temporary = directory / f".{name}.tmp"
    temporary.write_bytes(data)
    temporary.replace(path)
    return path
