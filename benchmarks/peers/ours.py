"""Our loggers: a journal line for each call, and for the end of an epoch the polled document beside it."""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers.peer import EPOCH, METRICS, Found, Peer
from benchmarks.peers.reading import Tail

__all__ = ["OURS", "EpochEnds", "Steps"]


class Steps(Peer):
    """`log_step`: what is told each batch."""

    title = "fpd log_step"
    package = "federated_pneumonia_detection"
    requirements = ("msgspec",)
    imports = "from federated_pneumonia_detection.progress import ProgressLogger"

    def load(self, folder: Path) -> None:
        from federated_pneumonia_detection.progress import ProgressLogger

        self._make = ProgressLogger

    def begin(self, folder: Path) -> None:
        self._logger = self._make(folder, "bench", run_id="bench")

    def log(self, number: int) -> None:
        self._logger.log_step(1, number, EPOCH, METRICS)

    def end(self) -> None:
        self._logger.log_training_complete({})
        self._logger.close()

    def reader(self, folder: Path) -> Found:
        tail = Tail(folder, "bench.jsonl")
        found = 0

        def look() -> int:
            nonlocal found
            found += sum(line.startswith(b'{"type":"step"') for line in tail.lines())
            return found

        return look


class EpochEnds(Steps):
    """`log_epoch_end`: what may never be lost."""

    title = "fpd log_epoch_end"
    imports = None
    reads = False

    def log(self, number: int) -> None:
        self._logger.log_epoch_end(number + 1, METRICS)


OURS: tuple[Peer, ...] = (Steps(), EpochEnds())
