"""What every peer is asked to do, in the same words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["EPOCH", "METRICS", "Peer", "bytes_in"]

METRICS = {"train_loss": 0.4523, "train_accuracy": 0.8234, "train_auroc": 0.9127, "learning_rate": 0.001}
EPOCH = 100_000
"""How many steps an epoch is said to have: more than are ever logged here."""

Found = Callable[[], int]
"""How many messages a reader in another process finds now, those of before included."""


class Peer:
    """One way to record the metrics of a training step; everything it keeps lies in one folder."""

    title: str
    """How it is called in the table."""
    package: str | None = None
    """The distribution whose version is told; `None` for what is no package."""
    requirements: tuple[str, ...] = ()
    """What pip is asked for."""
    imports: str | None = None
    """The statement that brings it in, which is timed in a process of its own."""
    calls = 800
    """How many calls a turn times."""
    reads = True
    """Whether what it wrote is looked for by a reader: not for bare functions."""

    def load(self, folder: Path) -> None:
        """Import what it needs; some packages settle then where their files go."""

    def begin(self, folder: Path) -> None:
        """Start a run whose files lie in `folder`."""
        raise NotImplementedError

    def log(self, number: int) -> Any:
        """Record one step with four metrics. This call is timed."""
        raise NotImplementedError

    def end(self) -> None:
        """End the run as its documentation says."""

    def reader(self, folder: Path) -> Found:
        """Something that looks into `folder` from outside; `folder` may be empty still."""
        raise NotImplementedError


def bytes_in(folder: Path) -> int:
    """The size of all files below `folder`."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
