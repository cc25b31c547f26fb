"""tensorboardX: event files for TensorBoard, without TensorFlow or torch."""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers.peer import METRICS, Found, Peer
from benchmarks.peers.reading import Tail, tf_records

__all__ = ["TensorboardX"]


class TensorboardX(Peer):
    """`add_scalar`, four times."""

    title = "tensorboardX"
    package = "tensorboardX"
    requirements = ("tensorboardX",)
    imports = "from tensorboardX import SummaryWriter"

    def load(self, folder: Path) -> None:
        from tensorboardX import SummaryWriter

        self._make = SummaryWriter

    def begin(self, folder: Path) -> None:
        self._writer = self._make(str(folder))

    def log(self, number: int) -> None:
        for name, value in METRICS.items():
            self._writer.add_scalar(name, value, number)

    def end(self) -> None:
        self._writer.close()

    def reader(self, folder: Path) -> Found:
        tail = Tail(folder, "events.out.tfevents.*")
        last = next(reversed(METRICS)).encode()
        found = 0

        def look() -> int:
            nonlocal found
            if tail.more():
                found += sum(last in record for record in tail.records(tf_records))
            return found

        return look
