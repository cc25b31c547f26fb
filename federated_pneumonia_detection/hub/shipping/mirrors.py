"""Journals of other machines, kept here line by line as a shipper sends them.

A mirror is a journal like any other, named like any other, and the hub follows it like any other. Its first line is the
sender's with `shipped` and `site` added; each message has `received` added and a new checksum; `writer` and `n` are the
sender's, so that sending twice changes nothing. What is known of a mirror stands in its file and nowhere else:

- how far it is: its last line;
- when its writer was last heard: its time of change, also moved by a shipper that vouches for the writer;
- that its writer died: a line `journal_died` behind the last message, under that message's number.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from federated_pneumonia_detection.hub.errors import ShipmentRefused
from federated_pneumonia_detection.hub.shipping.forgotten import Forgotten
from federated_pneumonia_detection.hub.shipping.outbox import WriterState
from federated_pneumonia_detection.hub.shipping.shipment import Shipment
from federated_pneumonia_detection.progress.clock import now
from federated_pneumonia_detection.progress.errors import NotAJournal
from federated_pneumonia_detection.progress.exits import Exit
from federated_pneumonia_detection.progress.framing import JournalHeader, Line, decode_header, decode_line, encode_line
from federated_pneumonia_detection.progress.journal import Journal, journal_names, journal_stem
from federated_pneumonia_detection.progress.messages import TERMINAL
from federated_pneumonia_detection.progress.reading import JournalReader, read_at, read_header

try:
    import fcntl
except ImportError:  # Windows: there one server alone writes a mirror
    fcntl = None  # type: ignore[assignment]

__all__ = ["Delivery", "Mirrors"]

_TAIL_BYTES = 64 * 1024
_LONGEST_TAIL_BYTES = 2 * 1024 * 1024
# What a power cut must not take: as the writer's own journal.
_SYNCED = TERMINAL | {"run_start", "journal_end"}


class _End(NamedTuple):
    """Where a mirror ends: the number and type of its last line."""

    n: int
    type: str


class Delivery(NamedTuple):
    """What the sender of a shipment says of it."""

    site: str
    """Whose machine sends it."""
    state: WriterState = "unknown"
    """What is seen there of the writer: it lives, is stopped by a signal, or died and all it wrote has been sent."""
    skipped: int = 0
    """So many numbers before the first line are missing or damaged in the journal itself."""
    exit: Exit | None = None
    """How the process of a dead writer ended, where that was seen."""
    own_only: bool = False
    """Nothing is added to a mirror that another site began."""


class Mirrors:
    """The mirrors in one directory. Thread-safe, and safe beside other processes that do the same.

    Args:
        directory: Where they lie; made where it is missing.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self._directory = Path(directory)
        self._lock = threading.Lock()
        self._paths: dict[str, Path] = {}
        self._forgotten = Forgotten(directory)
        self.lines_added = 0
        """How many lines were new."""

    def take(self, shipment: Shipment, delivery: Delivery) -> int:
        """Keep what is new of a shipment; when this returns, it survives the death of this process.

        Args:
            shipment: Lines of one writer. Without lines it only asks how far the mirror is.
            delivery: What its sender says of it.

        Returns:
            The number of the last message that is here.

        Raises:
            ShipmentRefused: Lines before these are missing (`jump`), its first line was another (`conflict`), or it was
                deleted here (`gone`).
            OSError: It could not be written; nothing was.
        """
        with self._lock:
            path = self._find(shipment.header)
            if path is None:
                if shipment.header.writer in self._forgotten:
                    raise ShipmentRefused(
                        "gone", f"Run {shipment.header.run_id} was deleted here.", "It is not taken a second time."
                    )
                if not shipment.lines:
                    return 0
                _see_that_it_follows(shipment.lines, _End(0, ""), delivery.skipped)
                path = self._create(shipment.header, delivery.site)
            with _opened(path) as fd:
                return self._added(fd, path, shipment, delivery)

    def _added(self, fd: int, path: Path, shipment: Shipment, delivery: Delivery) -> int:
        first_bytes = _see_that_it_fits(fd, path, shipment.header, delivery)
        end = _end_of(fd, path, first_bytes)
        fresh = [line for line in shipment.lines if line.n > end.n]
        if fresh:
            _see_that_it_follows(shipment.lines, end, delivery.skipped)
            received = b',"received":%b}' % msgspec.json.encode(now())
            _write(fd, path, b"".join(_mirrored(line, received) for line in fresh))
            self.lines_added += len(fresh)
            end = _End(fresh[-1].n, fresh[-1].type)
            if any(line.type in _SYNCED for line in fresh):
                with suppress(OSError):  # what cannot be synced (some network drives) is written all the same
                    getattr(os, "fdatasync", os.fsync)(fd)
        if end.type in ("journal_end", "journal_died"):
            return end.n
        if delivery.state == "dead":
            how = {} if delivery.exit is None else delivery.exit._asdict()
            _mark(fd, path, "journal_died", end.n, how)
        elif delivery.state == "halted" and end.type != "journal_halted":
            _mark(fd, path, "journal_halted", end.n, {})
        elif delivery.state == "alive" and end.type == "journal_halted":
            _mark(fd, path, "journal_continued", end.n, {})
        elif delivery.state in ("alive", "halted"):
            os.utime(fd if os.utime in os.supports_fd else path)
        return end.n

    def _find(self, header: JournalHeader) -> Path | None:
        known = self._paths.get(header.writer)
        if known is not None and _is_mirror_of(known, header.writer):
            return known
        for name in journal_names(journal_stem(header.run_id, header.client_id)):
            path = self._directory / name
            if not path.exists():
                return None
            if _is_mirror_of(path, header.writer):
                self._paths[header.writer] = path
                return path
        return None

    def _create(self, header: JournalHeader, site: str) -> Path:
        journal = Journal.create(self._directory, replace(header, shipped=True, site=site))
        journal.close()
        self._paths[header.writer] = journal.path
        return journal.path


def _is_mirror_of(path: Path, writer: str) -> bool:
    try:
        header = read_header(path)
    except (NotAJournal, OSError):
        return False
    return header.shipped is True and header.writer == writer


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """The file, opened for appending and held against other processes that would append."""
    fd = os.open(path, os.O_RDWR | os.O_APPEND | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))
    try:
        if fcntl is not None:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(fd, fcntl.LOCK_EX)
        yield fd
    finally:
        os.close(fd)


def _see_that_it_fits(fd: int, path: Path, sent: JournalHeader, delivery: Delivery) -> int:
    """See that a mirror is this sender's and this journal's; the length of its first line."""
    header, first_bytes = _first_line(fd, path)
    if delivery.own_only and header.site != delivery.site:
        raise ShipmentRefused("not_allowed", f"This journal is not {delivery.site}'s: {header.site} ships it.")
    if replace(header, shipped=UNSET, site=UNSET) != sent:
        raise ShipmentRefused(
            "conflict",
            f"The first line of writer {header.writer} is another one than before.",
            "A journal's first line never changes.",
            line=1,
        )
    return first_bytes


def _see_that_it_follows(lines: list[Line], end: _End, skipped: int) -> None:
    first = lines[0]
    if first.n - skipped > end.n + 1:
        raise ShipmentRefused(
            "jump",
            f"Message {end.n + 1} is next here, and message {first.n} came.",
            f"Send from message {end.n + 1} on.",
            n=first.n,
            expected=end.n + 1,
        )
    if end.type == "journal_end":
        raise ShipmentRefused("conflict", f"The journal has ended with message {end.n}.", "Nothing follows its end.")


def _mark(fd: int, path: Path, kind: str, n: int, more: dict[str, Any]) -> None:
    _write(fd, path, encode_line(msgspec.json.encode({"type": kind, "timestamp": now(), **more}), n))


def _mirrored(line: Line, received: bytes) -> bytes:
    return encode_line(line.body[:-1] + received, line.n)


def _first_line(fd: int, path: Path) -> tuple[JournalHeader, int]:
    first = read_at(fd, _TAIL_BYTES, 0)
    end = first.find(b"\n") + 1
    try:
        return decode_header(first[:end]), end
    except NotAJournal as error:  # damaged between our look and now
        raise OSError(0, str(error), str(path)) from error


def _end_of(fd: int, path: Path, first_bytes: int) -> _End:
    """The last line of a mirror. Half a line, of a server that died while it wrote, is cut off: it was not answered."""
    size = os.fstat(fd).st_size
    length = _TAIL_BYTES
    while True:
        at = max(0, size - length)
        tail = read_at(fd, size - at, at)
        newline = tail.rfind(b"\n") + 1
        begin = tail.rfind(b"\n", 0, newline - 1) + 1 if newline else 0
        if newline and (begin or at == 0):
            break
        if at == 0 or length > _LONGEST_TAIL_BYTES:
            return _End(_last_number(path), "")
        length *= 4
    if at + newline < size:
        os.ftruncate(fd, at + newline)
    if at + newline <= first_bytes:
        return _End(0, "")
    last = decode_line(tail[begin:newline])
    return _End(last.n, last.type) if isinstance(last, Line) else _End(_last_number(path), "")


def _last_number(path: Path) -> int:
    """The number of the last whole line, where the end of the file is damaged."""
    n = 0
    for entries in JournalReader(path).present():
        n = max((entry.n for entry in entries if isinstance(entry, Line)), default=n)
    return n


def _write(fd: int, path: Path, data: bytes) -> None:
    """Write all of it or nothing.

    Raises:
        OSError: It could not be written.
    """
    size = os.fstat(fd).st_size
    written = os.write(fd, data)
    if written != len(data):
        with suppress(OSError):  # then the next shipment cuts it off
            os.ftruncate(fd, size)
        raise OSError(28, os.strerror(28), str(path))
