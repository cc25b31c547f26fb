"""What the machine does beside a training: processor, memory and graphics card, said at a calm pace by a thread.

It must never slow, stop or crash a training: it reads a few counters every ten seconds, is a daemon, says nothing where
it cannot read, and ends itself after a failure. ``FPD_MACHINE_S=0`` turns it off; another number is the pace.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import psutil

__all__ = ["MACHINE_S", "MachineWatch", "pace_s", "read_gpu", "read_machine"]

log = logging.getLogger(__name__)

MACHINE_S = 10.0
"""Seconds between two looks."""

_LEAST_S = 1.0


class _Logger(Protocol):
    def log_machine(self, metrics: dict[str, Any]) -> None: ...


def pace_s() -> float | None:
    """Seconds between two looks, by ``FPD_MACHINE_S``; None where nothing is to be said."""
    given = os.environ.get("FPD_MACHINE_S", "").strip()
    if not given:
        return MACHINE_S
    try:
        pace = float(given)
    except ValueError:
        return MACHINE_S
    return max(pace, _LEAST_S) if pace > 0 else None


class MachineWatch:
    """A context: while it lasts, a thread says what the machine does.

    Args:
        logger: Has ``log_machine``; None: nothing is said.
        every_s: Seconds between two looks; None: nothing is said.
    """

    def __init__(self, logger: _Logger | None, *, every_s: float | None) -> None:
        self._logger = logger
        self._every_s = every_s
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> MachineWatch:
        if self._logger is not None and self._every_s is not None:
            self._thread = threading.Thread(target=self._say, name="machine", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        if self._thread is not None:
            # A driver that hangs must not hold up the end of a training; the thread dies with the process.
            self._thread.join(timeout=1.0)

    def _say(self) -> None:
        assert self._logger is not None
        try:
            import psutil

            own = psutil.Process()
            # Of the time between two looks; the first look has nothing to compare with.
            own.cpu_percent()
            psutil.cpu_percent()
            while not self._ended.wait(self._every_s):
                self._logger.log_machine(read_machine(own))
        except Exception:  # psutil and drivers raise whatever they run into; the training goes on
            log.warning("what the machine does is not told any more", exc_info=True)


def read_machine(own: psutil.Process) -> dict[str, float]:
    """One look at the machine, and at ``own``, the training's process; percentages are since the last look."""
    import psutil

    return {
        "cpu_percent": psutil.cpu_percent(),
        "process_cpu_percent": own.cpu_percent(),
        "memory_percent": psutil.virtual_memory().percent,
        "process_memory_mb": round(own.memory_info().rss / 1e6, 1),
        **read_gpu(),
    }


def read_gpu() -> dict[str, float]:
    """How busy the graphics card of this process is, as far as PyTorch can tell; empty without one.

    Returns:
        ``gpu_memory_percent`` of the card, ``gpu_process_memory_mb`` that PyTorch holds, and ``gpu_percent`` where
        NVIDIA's Python bindings are installed.
    """
    import torch

    # Not before the training itself has begun to use it: asking would occupy memory on the card.
    if not (torch.cuda.is_available() and torch.cuda.is_initialized()):  # type: ignore[no-untyped-call]
        return {}
    free, total = torch.cuda.mem_get_info()
    told = {
        "gpu_memory_percent": round(100 * (total - free) / total, 1),
        "gpu_process_memory_mb": round(torch.cuda.memory_reserved() / 1e6, 1),
    }
    # Where NVIDIA's bindings are not installed, or the driver does not answer, the rest is told.
    with contextlib.suppress(ImportError, RuntimeError, OSError):
        told["gpu_percent"] = float(torch.cuda.utilization())
    return told
