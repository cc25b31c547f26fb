"""The polled document as a fold over messages: no file is touched and no clock is read here."""

from __future__ import annotations

import heapq
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from federated_pneumonia_detection.progress.document_words import told
from federated_pneumonia_detection.progress.framing import MARKS, JournalHeader, Line
from federated_pneumonia_detection.progress.messages import is_lifecycle

__all__ = ["ENDED", "Folded", "Said", "Source", "Summary", "fold", "glance", "render"]

ENDED = frozenset({"completed", "failed", "cancelled", "lost"})
"""The statuses that are final, until a new `run_start`."""

_ENDINGS = {"training_complete": "completed", "training_error": "failed", "training_cancelled": "cancelled"}


class Glance(msgspec.Struct, gc=False):
    """What the document wants to know of a message; of any type, since anybody may have written it."""

    type: str
    timestamp: str = ""
    client_id: Any = None
    epoch: Any = None
    local_epoch: Any = None
    round: Any = None
    total_rounds: Any = None
    total_epochs: Any = None
    stage: Any = None
    error: Any = None
    by: Any = None
    about: Any = None
    attempt: Any = None
    from_epoch: Any = None
    from_round: Any = None


class Said(NamedTuple):
    """One lifecycle message: what it is sorted by among writers, the message as it stands, and a glance at it."""

    key: str
    body: bytes
    glance: Glance


class Source:
    """What one writer said so far; `is_hub` where that is the hub, beside the run's own writers."""

    def __init__(self, header: JournalHeader, *, is_hub: bool = False) -> None:
        self.header = header
        self.is_hub = is_hub
        self.is_new = True
        self.said: list[Said] = []
        # Of a writer that does not say which attempt it speaks of: the one that it has begun, else the first.
        self._attempt = 1

    def add(self, line: Line) -> bool:
        """Take one line of the journal; whether the document changes by it."""
        if not is_lifecycle(line.type) or line.type in MARKS:
            return False
        seen = glance(line.body)
        if type(seen.attempt) is not int or seen.attempt < 1:
            seen.attempt = 1 if seen.type == "run_start" else self._attempt
        if seen.type == "run_start":
            self._attempt = seen.attempt
        # Never against the writer's own order, even where its clock went back.
        key = max(seen.timestamp, self.said[-1].key) if self.said else seen.timestamp
        self.said.append(Said(key, line.body, seen))
        return True


class Summary(msgspec.Struct):
    """Where a run, or a client's part of it, stands."""

    client_id: str | None
    status: str = "started"
    start_time: str | None = None
    end_time: str | None = None
    updated_at: str | None = None
    current_epoch: int = 0
    current_round: int = 0
    total_rounds: int | None = None
    attempt: int = 1
    total_epochs: int | None = None
    stage: str = ""
    """What whoever leads the run said last that it does, while nothing newer says another."""
    error: str = ""
    by: str = ""
    died: bool = False
    """Nobody of it said how it ended: its process is gone."""

    def take(self, seen: Glance) -> None:
        """Go on by one message; a late one never reopens what has ended, only a new attempt does."""
        self.updated_at = max(self.updated_at or "", seen.timestamp)
        if seen.client_id != self.client_id or seen.attempt < self.attempt:
            return
        if seen.attempt > self.attempt:
            self.attempt, self.status, self.end_time = seen.attempt, "started", None
            self.current_epoch = self.current_round = 0
        if seen.type == "run_start":
            self.status, self.start_time, self.end_time = "started", seen.timestamp, None
            self.current_epoch, self.current_round = _number(seen.from_epoch), _number(seen.from_round)
            return
        self._count(seen)
        if self.status in ENDED:
            return
        ending = _ENDINGS.get(seen.type)
        if ending is None and self._ends_the_last_round(seen):
            ending = "completed"
        if ending is not None:
            self.status, self.end_time = ending, seen.timestamp
            self.error, self.by = _text(seen.error), _text(seen.by)
            self.died = _text(seen.about).startswith("death:")
        elif seen.type not in ("run_queued", "run_edited"):
            self.status = "running"

    def _count(self, seen: Glance) -> None:
        if seen.type == "stage":
            self.stage = _text(seen.stage)
        elif seen.type in ("epoch_start", "epoch_end", "round_start", "round_aggregated"):
            self.stage = ""
        if isinstance(seen.total_epochs, int):
            self.total_epochs = seen.total_epochs
        epoch = seen.local_epoch if seen.type == "local_epoch" else seen.epoch
        if isinstance(epoch, int):
            self.current_epoch = epoch
        if isinstance(seen.round, int):
            self.current_round = seen.round
        if isinstance(seen.total_rounds, int):
            self.total_rounds = seen.total_rounds

    def _ends_the_last_round(self, seen: Glance) -> bool:
        # A client says nothing after its last round; the server says how the run ended.
        if self.client_id is None or seen.type != "round_end" or self.total_rounds is None:
            return False
        return isinstance(seen.round, int) and seen.round >= self.total_rounds


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> int:
    return max(0, value) if type(value) is int else 0


_decode_glance = msgspec.json.Decoder(Glance).decode


def glance(body: bytes) -> Glance:
    """What the document wants to know of a message."""
    return _decode_glance(body)


def merged(sources: list[Source]) -> list[Said]:
    """What all writers said, by time, never against a writer's own order."""
    if len(sources) == 1:
        return sources[0].said
    return list(heapq.merge(*(source.said for source in sources), key=attrgetter("key")))


def fold(sources: list[Source], client_id: str | None) -> Summary:
    """Where the run (or the client's part) stands after everything the sources said."""
    summary = Summary(client_id)
    for said in merged(sources):
        summary.take(said.glance)
    if summary.start_time is None:
        summary.start_time = min((source.header.start for source in sources), default=None)
    return summary


class Folded:
    """The fold of one writer's messages, going on where it stopped."""

    def __init__(self, source: Source, client_id: str | None) -> None:
        self._source = source
        self._summary = Summary(client_id, start_time=source.header.start)
        self._taken = 0

    def summary(self) -> Summary:
        """Where it stands after everything the writer said so far; the caller may change it."""
        said = self._source.said
        for one in said[self._taken :]:
            self._summary.take(one.glance)
        self._taken = len(said)
        return msgspec.structs.replace(self._summary)


def render(sources: list[Source], summary: Summary) -> bytes:
    """The document: `metadata`, `epochs` (the lifecycle messages in order), `current_epoch`, `current_round`.

    Args:
        sources: the writers of this run and client, at least one.
        summary: where it stands, as `fold` tells, with what the caller knows better (its status after a death).
    """
    # The training process is the newest writer that is not the hub, which only adds what it saw from outside.
    writers = [source.header for source in sources if not source.is_hub] or [sources[0].header]
    header = max(writers, key=lambda one: one.start)
    condition, sentence = told(summary, header.mode)
    metadata = {
        "experiment_name": header.experiment_name,
        "training_mode": header.mode,
        "run_id": header.run_id,
        "client_id": header.client_id,
        "start_time": summary.start_time,
        "end_time": summary.end_time,
        "updated_at": summary.updated_at or header.start,
        "status": summary.status,
        "condition": condition,
        "sentence": sentence,
        "attempt": summary.attempt,
        "pid": header.pid,
        "host": header.host,
    }
    end = {"current_epoch": summary.current_epoch}
    if header.mode == "federated":
        end["current_round"] = summary.current_round
    bodies = b",\n".join([said.body for said in merged(sources)])
    # One message a line: it is JSON, and `tail` and `diff` can read it.
    return b'{"metadata":%b,\n"epochs":[\n%b\n],\n%b\n' % (
        msgspec.json.encode(metadata),
        bodies,
        msgspec.json.encode(end)[1:],
    )
