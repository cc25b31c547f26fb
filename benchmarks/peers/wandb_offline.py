"""Weights & Biases without its cloud: `mode="offline"`, its log file written by a process beside the training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.peers.peer import METRICS, Found, Peer
from benchmarks.peers.reading import Tail, level_db_records

__all__ = ["WandbOffline"]

FILE_HEAD_BYTES = 7
NUMBER, HISTORY = 0x08, 0x12
"""Tags of a record's first two fields: which record it is, and that it is a step (and not the summary, say)."""


def _is_step(record: bytes) -> bool:
    at = 1
    while record[at] & 0x80:  # the rest of the number
        at += 1
    return record[0] == NUMBER and record[at + 1 : at + 2] == bytes((HISTORY,))


class WandbOffline(Peer):
    """`wandb.log`; statistics of the machine and the capture of the console are off: neither is asked here."""

    title = "W&B, offline"
    package = "wandb"
    requirements = ("wandb",)
    imports = "import wandb"

    def load(self, folder: Path) -> None:
        import wandb

        self._wandb: Any = wandb

    def begin(self, folder: Path) -> None:
        settings = self._wandb.Settings(x_disable_stats=True, console="off", silent=True)
        self._run = self._wandb.init(project="bench", mode="offline", dir=str(folder), settings=settings)

    def log(self, number: int) -> None:
        self._run.log(METRICS, step=number)

    def end(self) -> None:
        self._run.finish()

    def reader(self, folder: Path) -> Found:
        tail = Tail(folder, "run-*.wandb")
        tail.at = FILE_HEAD_BYTES
        found = 0

        def look() -> int:
            nonlocal found
            if tail.more():
                found += sum(_is_step(record) for record in tail.records(level_db_records))
            return found

        return look
