"""Asking a training to stop: a small file beside its journal, which the training looks at between batches."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import msgspec

from federated_pneumonia_detection.progress import clock, pause
from federated_pneumonia_detection.progress.reading import read_small
from federated_pneumonia_detection.progress.slug import slug

__all__ = ["Cancel", "CancelWatch", "cancel_path", "clear", "request_cancel"]

_LOOK_S = 0.05
_LONGEST = 65_536


class Cancel(msgspec.Struct, frozen=True):
    """Somebody asked for an end: why, who, and when."""

    reason: str | None = None
    by: str | None = None
    timestamp: str = ""


def cancel_path(log_dir: str | os.PathLike[str], run_id: str) -> Path:
    """Where the request to stop this run lies while it stands."""
    return Path(log_dir) / f"{slug(run_id)}.cancel"


def request_cancel(
    log_dir: str | os.PathLike[str], run_id: str, *, reason: str | None = None, by: str | None = None
) -> None:
    """Ask the run to stop; twice is once.

    Raises:
        OSError: the request could not be written.
    """
    path = cancel_path(log_dir, run_id)
    temporary = path.with_name(f".{os.urandom(8).hex()}.tmp")
    try:
        temporary.write_bytes(msgspec.json.encode(Cancel(reason, by, clock.now())))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def clear(log_dir: str | os.PathLike[str], run_id: str) -> None:
    """Take back the request, and one to wait; nothing happens where there is none."""
    with contextlib.suppress(OSError):
        cancel_path(log_dir, run_id).unlink(missing_ok=True)
    pause.clear(log_dir, run_id)


class CancelWatch:
    """Looks for a request to stop; cheap enough for every batch, since it looks at the disk each 50 ms at most."""

    def __init__(self, log_dir: str | os.PathLike[str], run_id: str) -> None:
        self._path = cancel_path(log_dir, run_id)
        self._next_look = 0.0
        self._found: Cancel | None = None

    def asked(self, *, at_once: bool = False) -> Cancel | None:
        """The request, once there is one; `None` until then. Never raises.

        Args:
            at_once: look at the disk even if somebody has just looked.
        """
        now = time.monotonic()
        if self._found is not None or (now < self._next_look and not at_once):
            return self._found
        self._next_look = now + _LOOK_S
        try:
            self._path.stat()
        except (OSError, ValueError):
            return None
        try:
            self._found = msgspec.json.decode(read_small(self._path, _LONGEST), type=Cancel)
        except (OSError, ValueError, RecursionError):  # somebody made the file by hand: what it means is clear
            self._found = Cancel()
        return self._found
