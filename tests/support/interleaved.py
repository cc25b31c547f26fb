"""Sites whose journals arrive in any order: what they wrote, a server that takes it in pieces, and what it comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from shipments import header

from federated_pneumonia_detection.hub import run_document, series
from federated_pneumonia_detection.hub.fanout import Fanout
from federated_pneumonia_detection.hub.follower import Follower
from federated_pneumonia_detection.hub.ledger import Ledger
from federated_pneumonia_detection.hub.shipping.mirrors import Delivery, Mirrors
from federated_pneumonia_detection.hub.shipping.shipment import parse
from federated_pneumonia_detection.hub.stores.memory_store import MemoryStore
from federated_pneumonia_detection.hub.watch import PollingWatch
from federated_pneumonia_detection.progress.framing import encode_line

RUN = "the-run"
BEGAN = datetime(2026, 11, 24, 10, tzinfo=UTC)


@dataclass(repr=False)
class Written:
    """One journal: its first line, and its lines, by a clock of its own."""

    writer: str
    client_id: str | None
    skew_s: float = 0.0
    lines: list[bytes] = field(default_factory=list)
    said: list[dict[str, Any]] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"{self.writer}: " + ", ".join(
            f"{one['type']} {one['timestamp'][8:19]} {one.get('round')}" for one in self.said
        )

    @property
    def first_line(self) -> bytes:
        facts: dict[str, Any] = {"writer": self.writer, "run_id": RUN, "client_id": self.client_id}
        return encode_line(msgspec.json.encode(header(**facts)), 0)

    def say(self, type_: str, at_s: float, **keys: Any) -> None:
        """Say something at a moment of the world, as this writer's clock shows it."""
        stamp = (BEGAN + timedelta(seconds=at_s + self.skew_s)).isoformat(timespec="microseconds")
        who = {} if self.client_id is None else {"client_id": self.client_id}
        message = {"type": type_, "timestamp": stamp, **who, **keys}
        self.said.append(message)
        self.lines.append(encode_line(msgspec.json.encode(message), len(self.lines) + 1))


class Server:
    """The mirrors, the follower that reads them, and the log; no thread, no network."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.store = MemoryStore()
        self.start()

    def start(self) -> None:
        """Start it (again) on the log that is there."""
        self.mirrors = Mirrors(self.directory)
        self.ledger = Ledger(self.store, Fanout())
        self.follower = Follower(_Sink(self.ledger), PollingWatch)
        self.follower.follow(str(self.directory))

    def lose_the_log(self) -> None:
        """Its database is gone: the log is rebuilt from the mirrors."""
        self.store = MemoryStore()
        self.start()

    def take(self, written: Written, first: int, last: int) -> None:
        """Lines of a journal arrive, some of them perhaps again."""
        lines = written.lines[first:last]
        self.mirrors.take(parse(b"".join([written.first_line, *lines])), Delivery("site"))

    def read(self) -> None:
        """See what has come."""
        self.follower._turn(None)

    # --- what it comes to, in the sense of DESIGN 2.4 ---

    def state(self) -> dict[str, Any]:
        """The run's state, without what its way may change.

        That is when something was heard and how often, and the newest step: of steps a server keeps the newest alone
        when it is started again (they may be merged, see RELIABILITY).
        """
        state = self.ledger.state(RUN)
        assert state is not None
        told: dict[str, Any] = msgspec.to_builtins(state)
        for part in (told, *told["clients"]):
            for key in ("heard", "pace", "step", "total_steps"):
                part.pop(key)
        for client in told["clients"]:
            # When a word of it came, by this server's own clock.
            client.pop("began", None)
            client.pop("failed_at", None)
            client["rounds"] = [{**one, "began": None} for one in client["rounds"]]
            client["failures"] = [{**one, "seen": None} for one in client["failures"]]
        return told

    def columns(self) -> list[dict[str, Any]]:
        """The series, without the numbers that this log gave."""
        found = series.columns(self.store, RUN)
        return [
            {key: value for key, value in one.items() if key not in ("offset", "row")}
            for one in sorted([*found["steps"], *found["epochs"]], key=str)
        ]

    def by_writer(self) -> dict[str, list[bytes]]:
        """What each writer said, in its order."""
        found: dict[str, list[tuple[int, bytes]]] = {}
        for message in [*self.store.read(after=0, limit=100_000), *self.store.steps(run_id=RUN)]:
            found.setdefault(message.writer, []).append((message.n, _without_its_way(message.body)))
        return {writer: [body for _, body in sorted(said)] for writer, said in found.items()}

    def document(self) -> dict[str, Any]:
        """The polled document, its messages in the order of their text: between writers there is none."""
        state = self.ledger.state(RUN)
        assert state is not None
        told: dict[str, Any] = msgspec.json.decode(run_document.document(self.store, state)[0])
        told.pop("log_id")
        told["epochs"] = sorted(_without_its_way(msgspec.json.encode(message)) for message in told["epochs"])
        return told

    def result(self) -> dict[str, Any]:
        """All of it."""
        return {
            "state": self.state(),
            "series": self.columns(),
            "document": self.document(),
            "by writer": self.by_writer(),
        }


def differences(one: Any, other: Any, where: str = "") -> list[str]:
    """Where two results differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted({*one, *other})
        return [told for key in keys for told in differences(one.get(key), other.get(key), f"{where}.{key}")]
    if isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        return [
            told for i, pair in enumerate(zip(one, other, strict=True)) for told in differences(*pair, f"{where}[{i}]")
        ]
    return [] if one == other else [f"{where}: {one!r} or {other!r}"]


class _Sink:
    """The ledger as a follower's sink; nobody is judged."""

    def __init__(self, ledger: Ledger) -> None:
        self.take = ledger.take
        self.place = ledger.place

    def judge(self, journals: Sequence[Any], **_: Any) -> None: ...


def _without_its_way(body: bytes) -> bytes:
    said = msgspec.json.decode(body)
    for key in ("received", "offset", "row"):
        said.pop(key, None)
    return msgspec.json.encode(said)
