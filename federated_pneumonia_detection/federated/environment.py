"""A quiet Flower and a quiet Ray that leave nothing behind in anybody's home.

Both read their environment when they are imported, so `prepare` comes before the first import of either.
"""

from __future__ import annotations

import atexit
import importlib
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["prepare", "private_directory", "quiet"]

_SETTINGS = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    # Without it Ray warns, on every start, of a change to come in how it hides GPUs from CPU-only actors.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Without it a call of Ray's after its shutdown starts another Ray, with its own settings.
    "RAY_ENABLE_AUTO_CONNECT": "0",
}

_private: Path | None = None


def private_directory() -> Path:
    """A directory of this process alone (mode 0700), made on demand and removed when the process ends."""
    global _private
    if _private is None or not _private.is_dir():
        _private = Path(tempfile.mkdtemp(prefix="fpd-"))
        atexit.register(_remove, _private, os.getpid())
    return _private


def _remove(path: Path, pid: int) -> None:
    # A forked child inherits this exit handler, and must not take the directory from under its parent.
    if os.getpid() == pid:
        shutil.rmtree(path, ignore_errors=True)


def prepare() -> None:
    """Set what Flower and Ray read at import, where the user has not: no telemetry, no update check, a private home."""
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    if "FLWR_HOME" not in os.environ:
        os.environ["FLWR_HOME"] = str(private_directory() / "flwr")


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Flower's coloured console lines to itself for a while.

    What they say is said by our messages, once and for people; whoever wants Flower's own words sets the level of
    this package's logger to DEBUG.
    """
    own = logging.getLogger("federated_pneumonia_detection.federated")
    if own.isEnabledFor(logging.DEBUG):
        yield
        return
    # Flower sets its logger up when it is imported: later it would undo what is done here.
    importlib.import_module("flwr.supercore.logger")
    flower = logging.getLogger("flwr")
    handlers, level, propagate = list(flower.handlers), flower.level, flower.propagate
    flower.handlers, flower.propagate = [logging.NullHandler()], False
    flower.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        flower.handlers, flower.propagate = handlers, propagate
        flower.setLevel(level)
