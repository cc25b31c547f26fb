"""What nobody can be faster than, what everybody could write by hand, and what the polled file of old costs."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.peers.peer import EPOCH, METRICS, Peer

__all__ = ["BARE"]


def message(number: int) -> dict[str, Any]:
    """A step as somebody would write it by hand."""
    return {
        "type": "step",
        "epoch": 1,
        "step": number,
        "total_steps": EPOCH,
        "phase": "train",
        "metrics": METRICS,
        "timestamp": datetime.now(UTC).isoformat(),
    }


class _Bare(Peer):
    reads = False

    def begin(self, folder: Path) -> None:
        self._fd = os.open(folder / "bare.jsonl", os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def end(self) -> None:
        os.close(self._fd)


class ReadyLine(_Bare):
    title = "os.write of a ready line"

    def load(self, folder: Path) -> None:
        self._line = json.dumps(message(1)).encode() + b"\n"

    def log(self, number: int) -> None:
        os.write(self._fd, self._line)


class ByHand(_Bare):
    title = "json.dumps + os.write"

    def log(self, number: int) -> None:
        os.write(self._fd, json.dumps(message(number)).encode() + b"\n")


class Synced(_Bare):
    title = "json.dumps + os.write + fsync"
    calls = 200

    def log(self, number: int) -> None:
        os.write(self._fd, json.dumps(message(number)).encode() + b"\n")
        os.fsync(self._fd)


class Rewritten(Peer):
    """The progress file that is written anew for each message, as loggers of old do it."""

    title = "a JSON file rewritten, 1 000 messages in it"
    calls = 20
    reads = False

    def begin(self, folder: Path) -> None:
        self._path = folder / "progress.json"
        self._messages = [message(number) for number in range(1000)]

    def log(self, number: int) -> None:
        self._path.write_text(json.dumps({"epochs": [*self._messages, message(number)]}, indent=2))


BARE: tuple[Peer, ...] = (ReadyLine(), ByHand(), Synced(), Rewritten())
