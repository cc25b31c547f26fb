"""Trackio on this machine: a queue and a thread in the training process, SQLite behind them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from benchmarks.peers.peer import METRICS, Found, Peer
from benchmarks.peers.reading import count_rows

__all__ = ["TrackioLocal"]


class TrackioLocal(Peer):
    """`trackio.log`; statistics of the machine are off: they are not asked here."""

    title = "Trackio, local"
    package = "trackio"
    requirements = ("trackio",)
    imports = "import trackio"

    def load(self, folder: Path) -> None:
        # It asks once, while it is imported.
        os.environ["TRACKIO_DIR"] = str(folder)
        import trackio

        self._trackio: Any = trackio

    def begin(self, folder: Path) -> None:
        self._trackio.init(project="bench", name="bench", embed=False, auto_log_gpu=False, auto_log_cpu=False)

    def log(self, number: int) -> None:
        self._trackio.log(METRICS, step=number)

    def end(self) -> None:
        self._trackio.finish()

    def reader(self, folder: Path) -> Found:
        return lambda: count_rows(folder / "bench.db", "SELECT count(*) FROM metrics")
