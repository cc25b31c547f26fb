"""A readable account of all that left a site, written before it leaves: JSON Lines, a file for each journal.

`.released/<writer>.jsonl` beside the journals (or wherever the operator keeps it). What was noted and never arrived
stands there, too: the account may tell of too much, never of too little.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from federated_pneumonia_detection.hub.shipping.release import KEPT_MARK
from federated_pneumonia_detection.hub.shipping.vocabulary import METRIC_FIELDS
from federated_pneumonia_detection.progress.clock import now
from federated_pneumonia_detection.progress.framing import MARKS, JournalHeader, Line, decode_line

__all__ = ["LEDGER_NAME", "Departure", "Departures", "ReleaseLedger", "departures", "read_ledger"]

LEDGER_NAME = ".released"
"""The directory of the account, beside the journals."""


class Departure(msgspec.Struct, frozen=True, omit_defaults=True):
    """Lines of one journal that left together; without lines it is the journal's first line alone."""

    time: str
    to: str
    run_id: str
    client_id: str | None
    policy: str
    """The digest of the policy by which they left."""
    first: int = 0
    last: int = 0
    again: bool = False
    """They had left before, to the same place."""
    types: dict[str, int] = {}
    metrics: dict[str, int] = {}
    """How many numbers left of each metric."""
    withheld: dict[str, int] = {}
    bytes: int = 0


class Departures(msgspec.Struct):
    """All that left of one hospital in one run to one place."""

    run_id: str
    client_id: str | None
    to: str
    began: str = ""
    last: str = ""
    types: Counter[str] = msgspec.field(default_factory=Counter)
    metrics: Counter[str] = msgspec.field(default_factory=Counter)
    withheld: Counter[str] = msgspec.field(default_factory=Counter)
    bytes: int = 0
    """All that went over the line before it was packed; what was sent again counts again."""


class _Noted:
    """How far the account of one journal goes, for one place."""

    def __init__(self) -> None:
        self.n = 0
        self.policies: set[str] = set()


class ReleaseLedger:
    """Writes the account.

    Args:
        directory: Where it lies; made where it is missing.
        to: Where everything goes.
        policy: The digest of the policy.
    """

    def __init__(self, directory: str | os.PathLike[str], to: str, policy: str) -> None:
        self._directory = Path(directory)
        self._to = to
        self._policy = policy
        self._noted: dict[str, _Noted] = {}

    def note(self, header: JournalHeader, first_line: bytes, lines: Sequence[bytes]) -> None:
        """Note what is about to leave; when this returns, it survives a power cut.

        Raises:
            OSError: It could not be noted: then it must not leave.
        """
        noted = self._noted.get(header.writer) or self._known(header.writer)
        decoded = [(line, raw) for raw in lines if isinstance(line := decode_line(raw), Line)]
        again = [(line, raw) for line, raw in decoded if line.n <= noted.n]
        fresh = [(line, raw) for line, raw in decoded if line.n > noted.n]
        entries = []
        if not noted.policies:
            entries.append(self._entry(header, [], size=len(first_line)))
        if again:
            # What they hold is known, unless they left under another policy then.
            entries.append(self._entry(header, again, again=True, counted=noted.policies != {self._policy}))
        if fresh:
            entries.append(self._entry(header, fresh))
        if entries:
            self._write(header.writer, entries)
            noted.policies.add(self._policy)
            noted.n = max([noted.n, *(line.n for line, _ in fresh)])
            self._noted[header.writer] = noted

    def _entry(
        self,
        header: JournalHeader,
        lines: Sequence[tuple[Line, bytes]],
        *,
        again: bool = False,
        counted: bool = True,
        size: int = 0,
    ) -> Departure:
        numbers = [line.n for line, _ in lines]
        return Departure(
            time=now(),
            to=self._to,
            run_id=header.run_id,
            client_id=header.client_id,
            policy=self._policy,
            first=min(numbers, default=0),
            last=max(numbers, default=0),
            again=again,
            types=dict(Counter(line.type for line, _ in lines if line.type not in MARKS)) if counted else {},
            metrics=dict(Counter(_metrics_in(line for line, _ in lines))) if counted else {},
            withheld=dict(Counter(_withheld_in(line for line, _ in lines))) if counted else {},
            bytes=size + sum(len(raw) for _, raw in lines),
        )

    def _path(self, writer: str) -> Path:
        return self._directory / f"{writer}.jsonl"

    def _known(self, writer: str) -> _Noted:
        noted = _Noted()
        for entry in _read(self._path(writer)):
            if entry.to == self._to:
                noted.n = max(noted.n, entry.last)
                noted.policies.add(entry.policy)
        return noted

    def _write(self, writer: str, entries: Iterable[Departure]) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        data = b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
        fd = os.open(self._path(writer), os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            size = os.fstat(fd).st_size
            if size and _last_byte(fd, size) != b"\n":
                # Whoever wrote last died amid a line: what it was about to say never left.
                data = b"\n" + data
            if os.write(fd, data) != len(data):
                os.ftruncate(fd, size)
                raise OSError(28, os.strerror(28), str(self._path(writer)))
            getattr(os, "fdatasync", os.fsync)(fd)
        finally:
            os.close(fd)


def read_ledger(directory: str | os.PathLike[str]) -> Iterator[Departure]:
    """All that is noted in a directory, journal by journal; nothing where there is none.

    Raises:
        OSError: It is there and cannot be read.
    """
    for path in sorted(Path(directory).glob("*.jsonl")):
        yield from _read(path)


def departures(entries: Iterable[Departure]) -> list[Departures]:
    """What it comes to for each hospital, run and place, oldest first. What was sent again is counted once."""
    found: dict[tuple[str, str | None, str], Departures] = {}
    later: list[Departure] = []
    for entry in entries:
        key = (entry.run_id, entry.client_id, entry.to)
        row = found.setdefault(key, Departures(*key))
        row.began = min(row.began or entry.time, entry.time)
        row.last = max(row.last, entry.time)
        row.bytes += entry.bytes
        if entry.again:
            later.append(entry)
            continue
        row.types.update(entry.types)
        row.metrics.update(entry.metrics)
        row.withheld.update(entry.withheld)
    for entry in later:
        # Under another policy the same message may have had more in it.
        row = found[entry.run_id, entry.client_id, entry.to]
        row.types |= Counter(entry.types)
        row.metrics |= Counter(entry.metrics)
        row.withheld |= Counter(entry.withheld)
    return sorted(found.values(), key=lambda row: (row.began, row.run_id, row.client_id or ""))


def _read(path: Path) -> Iterator[Departure]:
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return
    for line in lines:
        try:
            yield msgspec.json.decode(line, type=Departure)
        except msgspec.DecodeError:  # torn, by a death or a full disk
            continue


def _last_byte(fd: int, size: int) -> bytes:
    os.lseek(fd, size - 1, os.SEEK_SET)
    return os.read(fd, 1)


def _metrics_in(lines: Iterable[Line]) -> Iterator[str]:
    for line in lines:
        for field in METRIC_FIELDS:
            told: Any = line.said.get(field)
            if isinstance(told, dict):
                yield from told


def _withheld_in(lines: Iterable[Line]) -> Iterator[str]:
    for line in lines:
        if line.type == KEPT_MARK:
            yield "steps"
        told: Any = line.said.get("withheld")
        if isinstance(told, dict):
            yield from (f"{what} ({why})" for what, why in told.items())
