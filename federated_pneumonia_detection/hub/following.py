"""One journal as the hub follows it: how far it was read, what is held back of it, whether its writer lives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

import msgspec

from federated_pneumonia_detection.hub.fields import integer, text
from federated_pneumonia_detection.hub.stores.store import Arrival, Place
from federated_pneumonia_detection.hub.throttle import Throttle
from federated_pneumonia_detection.hub.times import seconds
from federated_pneumonia_detection.hub.verdicts import ExitReport
from federated_pneumonia_detection.progress import liveness
from federated_pneumonia_detection.progress.errors import NotAJournal
from federated_pneumonia_detection.progress.framing import MARKS, Damage, JournalHeader, Line, is_name
from federated_pneumonia_detection.progress.messages import TERMINAL
from federated_pneumonia_detection.progress.reading import Entry, Gap, JournalReader

__all__ = ["HUB_MODE", "FollowedJournal", "Mark", "Reading", "Trouble"]

HUB_MODE = "hub"
"""The `mode` in the first line of a hub's own journals."""

# What is made of it stays in the processor's cache: read in larger pieces, a long journal takes a fifth longer.
_CHUNK_BYTES = 64 * 1024
_HELD_BYTES = 4 * 1024 * 1024
_KEPT_NAMES = 1000
_PLAIN = (str, type(None))
# As its constructor, without the time this takes for each argument.
_new_arrival = cast(Callable[[tuple[Any, ...]], Arrival], partial(tuple.__new__, Arrival))


class Mark(NamedTuple):
    """Where a journal's reader stood behind an entry."""

    byte: int
    n: int
    writer: str | None
    """Whose journal it was then: the file may be replaced by another one while this is being committed."""


class Trouble(NamedTuple):
    """Something in a journal that is missing or damaged: what a person should know."""

    run_id: str
    about: str
    text: str
    missing: int = 0
    """How many numbers are missing, where it is a gap."""


class Reading(msgspec.Struct, frozen=True):
    """One entry of a journal on its way into the log."""

    journal: FollowedJournal
    arrival: Arrival | None
    trouble: Trouble | None
    timestamp: str | None
    mark: Mark | None
    """How far the journal counts as read once this is committed; `None` while a chunk is not finished."""
    said: Mapping[str, Any] | None = None
    """The message decoded, for whoever folds it."""


class FollowedJournal:
    """A journal the hub reads.

    Args:
        path: Where it lies.
        place: How far it was read before, if it was.
        quiet: It was over before anybody followed it: it goes into the log, but is no news.
    """

    def __init__(self, path: str, *, place: Place | None = None, quiet: bool = False) -> None:
        self.path = path
        self.directory = path.rpartition("/")[0] or "/"
        """Where it lies."""
        self.quiet = quiet
        self.reader = (
            JournalReader(path, byte=place.byte, n=place.n, writer=place.writer) if place else JournalReader(path)
        )
        self.inode = place.inode if place else 0
        self.size = -1
        """Its size when it was last looked at, -1 before."""
        self.heard_at = 0.0
        """When something was last written to it, in seconds since 1970."""
        self.over = False
        """Its writer writes no more, and everything was read."""
        self.died = False
        """It is over because its writer died."""
        self.committed = Mark(self.reader.byte, self.reader.n, place.writer if place else None)
        """Everything before it is in the log."""
        self.alive = True
        self.remote = False
        self.dead_since: float | None = None
        self.report: ExitReport | None = None
        """How its writer's process ended, where its site has seen it."""
        self.halted_since: float | None = None
        """Since when its site sees its writer stopped by a signal, in seconds since 1970."""
        self.not_followed: str | None = None
        """Why nothing of it can be read, where that is so."""
        self.throttle: Throttle[Reading] = Throttle(0.0)
        self._held_bytes = 0
        # What was found to be names; nearly every message says the same ones.
        self._names: set[tuple[str, str, str | None]] = set()
        self._known_header: JournalHeader | None = None

    @property
    def header(self) -> JournalHeader | None:
        """Who writes it; `None` until its first line was read."""
        return self.reader.header

    @property
    def is_hubs(self) -> bool:
        """It is a hub's own journal."""
        return self.header is not None and self.header.mode == HUB_MODE

    def place_at(self, mark: Mark) -> Place:
        """The place to note when everything before a mark is committed."""
        return Place(self.path, mark.writer or "", self.inode, mark.byte, mark.n)

    def rewind(self) -> None:
        """Go back to what was committed: what was read since is read again."""
        byte, n, writer = self.committed
        self.reader = JournalReader(self.path, byte=byte, n=n, writer=writer)
        self._known_header = None
        self.throttle.clear()
        self._held_bytes = 0

    def fill(self) -> bool:
        """Read what was written into the throttle, up to a bound.

        Returns:
            Whether there may be more to read once what is held has gone.
        """
        # What is not held back for its interval goes piece by piece: nothing is gained by holding it.
        while self._held_bytes < (_HELD_BYTES if self.throttle.interval_s else 1):
            readings = self._read()
            if readings is None:
                return False
            # Counted here alone: what `take` reads behind a backlog is never held.
            self._held_bytes += sum(len(reading.arrival.body) for reading in readings if reading.arrival is not None)
            self.throttle.add(readings, urgent=any(_is_end(reading) for reading in readings))
        return True

    def take(self, now: float) -> Iterator[Reading]:
        """What may go now, in order, and after it what was written since."""
        taken = self.throttle.take(now)
        if not taken:
            return
        self._held_bytes = 0
        yield from taken
        # Behind a long backlog there may be more than is ever held at once.
        while not self.reader.at_end and (more := self._read()) is not None:
            yield from more

    def finish(self) -> None:
        """Hold back also what is left when the writer is known to be dead: an unfinished line is damage."""
        entries = self.reader.finish()
        self.throttle.add(self._readings(entries), urgent=True)

    def look(self) -> liveness.State:
        """Whether its writer lives, now.

        Raises:
            OSError: The file cannot be read.
        """
        try:
            if self._is_held():
                return liveness.State.ALIVE
            return liveness.state(self.path)
        except NotAJournal:
            return liveness.State.UNKNOWN
        except FileNotFoundError:
            # Somebody removed it. Without its last line nothing proves a death, only that no more will come.
            gone = self.header is not None and liveness.state(self.header) is liveness.State.DEAD
            return liveness.State.CLOSED if gone else liveness.State.ALIVE

    def _is_held(self) -> bool:
        # The quick answer for nearly every journal that is looked at: it is ours, goes on, and its writer has the lock.
        header = self.header
        if header is None or self.reader.ended or header.shipped is True or header.host != liveness.host_name():
            return False
        return liveness.is_locked(self.path)

    def _read(self) -> list[Reading] | None:
        """The next chunk; `None` when there is nothing more for now."""
        try:
            entries = self.reader.read(_CHUNK_BYTES)
        except OSError as error:  # gone, or not for us to read: the next look may find it again
            if isinstance(error, PermissionError):
                self.not_followed = "it may not be read"
            return None
        if self.reader.foreign and entries and isinstance(entries[0], Damage):
            self.not_followed = entries[0].reason
        if self.header is not self._known_header:
            self._known_header = self.header
            if self.header is not None:
                self.throttle.interval_s = self.header.broadcast_interval
        if not entries:
            return None
        return self._readings(entries)

    def _readings(self, entries: Sequence[Entry]) -> list[Reading]:
        header = self.header
        if header is None or not entries:
            return []
        readings: list[Reading] = []
        writer, run_id, names = header.writer, header.run_id, self._names
        for entry in entries:
            if not isinstance(entry, Line):
                readings.append(self._trouble(header, entry))
                continue
            kind, said = entry.type, entry.said
            client_id, phase = said.get("client_id"), said.get("phase", "")
            # Of nearly every message the names have been looked at before.
            if type(client_id) not in _PLAIN or type(phase) is not str or (kind, phase, client_id) not in names:
                readings.append(self._line(header, entry))
                continue
            arrival = _new_arrival((writer, entry.n, run_id, client_id, kind, phase, entry.body))
            readings.append(Reading(self, arrival, None, said.get("timestamp"), None, said))
        readings[-1] = msgspec.structs.replace(readings[-1], mark=Mark(self.reader.byte, self.reader.n, writer))
        return readings

    def _trouble(self, header: JournalHeader, entry: Gap | Damage) -> Reading:
        name = self.path.rpartition("/")[2]
        if isinstance(entry, Gap):
            missing = f"{entry.expected}" if entry.got == entry.expected + 1 else f"{entry.expected} to {entry.got - 1}"
            about = f"gap:{header.writer}:{entry.expected}"
            words = f"writer {header.writer}: message {missing} missing before byte {entry.byte} of {name}"
        else:
            about = f"damage:{header.writer}:{entry.byte}"
            number = "" if entry.n is None else f" (message {entry.n})"
            words = f"writer {header.writer}: {entry.reason} at byte {entry.byte} of {name}{number}"
        count = entry.got - entry.expected if isinstance(entry, Gap) else 0
        return Reading(self, None, Trouble(header.run_id, about, words, count), None, None)

    def _line(self, header: JournalHeader, line: Line) -> Reading:
        body, n, kind, byte, said = line.body, line.n, line.type, line.byte, line.said
        if kind in MARKS:
            self._take_mark(kind, said)
            return Reading(self, None, None, None, None)
        client_id, phase = said.get("client_id"), said.get("phase", "")
        if client_id is not None and type(client_id) is not str:
            client_id = str(client_id)
        if type(phase) is not str:
            phase = ""
        if (kind, phase, client_id) not in self._names and not self._takes_names(kind, phase, client_id):
            about = f"damage:{header.writer}:{byte}"
            name = self.path.rpartition("/")[2]
            words = f"writer {header.writer}: message {n} at byte {byte} of {name} names what cannot be a name"
            return Reading(self, None, Trouble(header.run_id, about, words), None, None)
        arrival = Arrival(header.writer, n, header.run_id, client_id, kind, phase, body)
        self.halted_since = None
        return Reading(self, arrival, None, said.get("timestamp"), None, said)

    def _take_mark(self, kind: str, said: Mapping[str, Any]) -> None:
        """What the site it comes from has seen of its writer."""
        if kind == "journal_died":
            code, signal = integer(said.get("code")), integer(said.get("signal"))
            if code is not None or signal is not None:
                self.report = ExitReport(code, signal, said.get("for_memory") is True)
        self.halted_since = seconds(text(said.get("timestamp"))) if kind == "journal_halted" else None

    def _takes_names(self, kind: str, phase: str, client_id: str | None) -> bool:
        if not (is_name(kind) and is_name(phase) and is_name(client_id or "")):
            return False
        if len(self._names) >= _KEPT_NAMES:
            self._names.clear()
        self._names.add((kind, phase, client_id))
        return True


def _is_end(reading: Reading) -> bool:
    return reading.arrival is not None and reading.arrival.type in TERMINAL
