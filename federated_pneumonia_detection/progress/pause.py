"""Asking a training to wait: a small file beside its journal. While it stands the training waits, and then goes on.

Who takes it away leaves a word of it, so that the log can say who let the run go on.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import msgspec

from federated_pneumonia_detection.progress import clock
from federated_pneumonia_detection.progress.reading import read_small
from federated_pneumonia_detection.progress.slug import slug

__all__ = ["GoOn", "Pause", "clear", "go_on", "pause_of", "pause_path", "request_pause", "resumed_by", "word_of"]

_LONGEST = 65_536


class Pause(msgspec.Struct, frozen=True):
    """Somebody asked a run to wait: why, who, and when.

    `shipped` is one that came from a server with a shipper's answer, and goes when that server says so.
    """

    reason: str | None = None
    by: str | None = None
    timestamp: str = ""
    shipped: bool = False


class GoOn(msgspec.Struct, frozen=True):
    """Somebody let a run go on: who, and when."""

    by: str | None = None
    timestamp: str = ""


def pause_path(log_dir: str | os.PathLike[str], run_id: str) -> Path:
    """Where the request to wait lies while it stands."""
    return Path(log_dir) / f"{slug(run_id)}.pause"


def _go_on_path(log_dir: str | os.PathLike[str], run_id: str) -> Path:
    return Path(log_dir) / f"{slug(run_id)}.go-on"


def request_pause(
    log_dir: str | os.PathLike[str],
    run_id: str,
    *,
    reason: str | None = None,
    by: str | None = None,
    shipped: bool = False,
) -> None:
    """Ask the run to wait; whoever asked first is who asked.

    Raises:
        OSError: the request could not be written.
    """
    if pause_of(log_dir, run_id) is None:
        _put(pause_path(log_dir, run_id), Pause(reason, by, clock.now(), shipped))


def go_on(log_dir: str | os.PathLike[str], run_id: str, *, by: str | None = None) -> bool:
    """Let a run go on that waits.

    Returns:
        Whether it was asked to wait.

    Raises:
        OSError: the request could not be taken away.
    """
    path = pause_path(log_dir, run_id)
    if not path.exists():
        return False
    _put(_go_on_path(log_dir, run_id), GoOn(by, clock.now()))
    path.unlink(missing_ok=True)
    return True


def pause_of(log_dir: str | os.PathLike[str], run_id: str) -> Pause | None:
    """The request to wait, while it stands. Never raises."""
    path = pause_path(log_dir, run_id)
    try:
        path.stat()
    except (OSError, ValueError):
        return None
    try:
        return msgspec.json.decode(read_small(path, _LONGEST), type=Pause)
    except FileNotFoundError:  # taken away between the two looks
        return None
    except (OSError, ValueError, RecursionError):  # somebody made the file by hand: what it means is clear
        return Pause()


def resumed_by(log_dir: str | os.PathLike[str], run_id: str, pause: Pause) -> str | None:
    """Who took the request away; `None` where nobody said so."""
    said = word_of(log_dir, run_id)
    return said.by if said is not None and said.timestamp >= pause.timestamp else None


def word_of(log_dir: str | os.PathLike[str], run_id: str) -> GoOn | None:
    """The word of whoever let the run go on last. Never raises."""
    try:
        return msgspec.json.decode(read_small(_go_on_path(log_dir, run_id), _LONGEST), type=GoOn)
    except (OSError, ValueError, RecursionError):
        return None


def clear(log_dir: str | os.PathLike[str], run_id: str) -> None:
    """Take the request and every word of it away; nothing happens where there is none."""
    for path in (pause_path(log_dir, run_id), _go_on_path(log_dir, run_id)):
        with contextlib.suppress(OSError, ValueError):
            path.unlink(missing_ok=True)


def _put(path: Path, what: msgspec.Struct) -> None:
    temporary = path.with_name(f".{os.urandom(8).hex()}.tmp")
    try:
        temporary.write_bytes(msgspec.json.encode(what))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
