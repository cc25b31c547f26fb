"""Sends the journals of a directory to another machine's hub: reads as a follower does, and vouches for who writes.

What to send next is `shipping.Outbox`'s to know; here files are read and batches handed to a transport, one at a time.
Nothing is kept but in memory: how far the other side is, it is asked, and asking again changes nothing.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Protocol

from federated_pneumonia_detection.hub.following import HUB_MODE
from federated_pneumonia_detection.hub.shipping.gate import Gate, Passage
from federated_pneumonia_detection.hub.shipping.outbox import (
    VOUCH_EVERY_S,
    Acked,
    Answer,
    Away,
    BackOff,
    Batch,
    Life,
    Outbox,
    WriterState,
    is_mark,
)
from federated_pneumonia_detection.hub.shipping.wish import Wish
from federated_pneumonia_detection.hub.watch import Watch
from federated_pneumonia_detection.progress import liveness
from federated_pneumonia_detection.progress.cancel import cancel_path, request_cancel
from federated_pneumonia_detection.progress.document import complete_dead
from federated_pneumonia_detection.progress.errors import NotAJournal
from federated_pneumonia_detection.progress.exits import Exits
from federated_pneumonia_detection.progress.framing import Damage, JournalHeader, Line, decode_header, encode_line
from federated_pneumonia_detection.progress.pause import go_on, pause_of, request_pause
from federated_pneumonia_detection.progress.reading import Gap, JournalReader

__all__ = ["Shipper", "Transport"]

_LOOK_EVERY_S = 1.0
_LIFE_EVERY_S = 0.5
_CHUNK_BYTES = 256 * 1024
_MOST_HELD_BYTES = 8 * 1024 * 1024
_LONGEST_HEADER = 64 * 1024
_REWINDS_IN_A_ROW = 3
_PACE_S = 1 / 15
_RETRY_BUSY_S = 1.0
_BUSY_S = 30.0
# A ward of many trainings is vouched for by so many requests a second, and each at least so often.
_VOUCHES_A_SECOND = 5.0
_RARELY_S = 15.0
_WAITING_S = 0.5

_SEEN: dict[liveness.State, WriterState] = {liveness.State.ALIVE: "alive", liveness.State.DEAD: "dead"}


class Transport(Protocol):
    """Hands a batch over."""

    def send(self, batch: Batch) -> Answer:
        """Send it, and wait for the answer.

        Raises:
            CannotShip: Nothing will ever be taken this way.
        """


class _Journal:
    """One journal of the directory that is shipped."""

    def __init__(
        self, path: str, header: JournalHeader, first: bytes, inode: int, *, is_new: bool, passage: Passage | None
    ) -> None:
        self.path = path
        self.inode = inode
        self.header = header
        self.passage = passage
        self.reader = JournalReader(path)
        writer, first = (passage.header.writer, passage.first_line) if passage else (header.writer, first)
        self.outbox = Outbox(writer, first, is_new=is_new)
        self.size = -1
        self.state = liveness.State.ALIVE
        self.sent_at = 0.0
        self.changed_at = 0.0
        self.told = False

    @property
    def is_near(self) -> bool:
        """Whether its writer is a process of this boot of this machine."""
        return self.header.host == liveness.host_name() and self.header.boot == liveness.boot_id()

    @property
    def name(self) -> str:
        run_id, client_id = self.header.run_id, self.header.client_id
        return run_id if client_id is None else f"{client_id} of {run_id}"

    def rewind(self) -> None:
        """Read it from its start again."""
        self.reader = JournalReader(self.path)
        if self.passage is not None:
            self.passage.begin()

    def outgoing(self, lines: list[Line]) -> list[tuple[int, bytes, bool]]:
        """What is sent of lines that were read: all as they stand, or what the policy makes of them."""
        if self.passage is not None:
            return self.passage.lines(lines)
        return [(line.n, encode_line(line.body, line.n), line.type == "journal_end") for line in lines]


class Shipper:
    """Ships one directory.

    Args:
        directory: Where the journals lie.
        transport: Hands batches over.
        watch: Wakes it when something was written; its `wait` is the only sleep there is.
        tell: Takes each sentence for the person who started it.
        clock: The present, in seconds of any clock that never goes back.
        random: Where the jitter of the back-off comes from.
        state: Whether a journal's writer lives.
        gate: What may leave; `None` where all may.
        obeys: Whether what the server wishes of a training here is left beside its journal.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        transport: Transport,
        *,
        watch: Watch,
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        random: Random | None = None,
        state: Callable[[str], liveness.State] = liveness.state,
        gate: Gate | None = None,
        obeys: bool = True,
    ) -> None:
        self._obeys = obeys
        self._directory = str(directory)
        self._transport = transport
        self._watch = watch
        self._tell = tell
        self._clock = clock
        self._state = state
        self._gate = gate
        self._back_off = BackOff(random or Random())
        # Runs that wait because the server said so: they say nothing by themselves, and are asked for often.
        self._waiting: set[str] = set()
        self._exits = Exits()
        self._journals: dict[str, _Journal] = {}
        self._not_ours: dict[str, tuple[int, int]] = {}
        self._dirty: set[str] = set()
        self._has_looked = self._has_completed = False
        self._next_look = self._next_life = self._retry_at = 0.0
        self._is_away = False
        # The least time between two requests; 0 until the server says that they are too many.
        self._pace_s = self._next_send = 0.0
        # Since when it takes no request for being asked too often.
        self._busy_since: float | None = None
        self._turns = 0

    # --- running ---

    def run(self, *, once: bool = False, patience_s: float | None = None) -> None:
        """Ship, for ever or, `once`, until all that is there now has been acknowledged.

        Args:
            once: Return when everything is there.
            patience_s: How long a server that does not answer is waited for; `None` for ever.

        Raises:
            TimeoutError: The server did not answer for so long.
            CannotShip: It will never take anything this way.
        """
        changed: set[str] | None = None
        away_since: float | None = None
        while True:
            self.turn(changed)
            if once and self.is_there:
                return
            now = self._clock()
            away_since = (away_since or now) if self._is_away else None
            if patience_s is not None and away_since is not None and now - away_since >= patience_s:
                raise TimeoutError
            changed = self._watch.wait(self.pause())

    def turn(self, changed: set[str] | None) -> None:
        """Read what has changed (`None`: look at everything), send what is due."""
        now = self._clock()
        self._note(changed)
        if now >= self._next_look:
            self._look()
            self._next_look = now + _LOOK_EVERY_S
        if now >= self._next_life:
            self._look_who_lives()
            self._next_life = self._clock() + _LIFE_EVERY_S
        self._read()
        while self._clock() >= max(self._retry_at, self._next_send) and (journal := self._next()) is not None:
            self._send(journal)
            if self._clock() >= self._next_life:
                # However much there is to send, who lives is looked at meanwhile.
                return
            # What is written meanwhile does not wait until everything old is there.
            self._note(self._watch.wait(0.0))
            self._read()

    def pause(self) -> float:
        """How long there is nothing to do unless something is written, in seconds."""
        now = self._clock()
        waits = [self._next_look - now, self._next_life - now]
        gate_s = 0.0 if self._gate is None else self._gate.wait_s(now)
        boxes = [journal.outbox for journal in self._journals.values()]
        dues = [due for box in boxes if (due := box.due(now, has_room=not gate_s)) is not None]
        if gate_s and any(box.has_lines for box in boxes):
            dues.append(gate_s)
        if dues:
            waits.append(max(min(dues), self._retry_at - now, self._next_send - now))
        return max(0.0, min(waits))

    # --- how far it is ---

    @property
    def is_there(self) -> bool:
        """Whether all that was written so far has been acknowledged, or can never be."""
        return self._has_looked and all(journal.outbox.is_there for journal in self._journals.values())

    @property
    def acked(self) -> int:
        """How many messages were acknowledged since it started."""
        return sum(journal.outbox.sent for journal in self._journals.values())

    @property
    def refused(self) -> int:
        """How many messages, and whole journals, the server would not take."""
        boxes = [journal.outbox for journal in self._journals.values()]
        return sum(box.skips + (box.life is Life.REFUSED and not box.is_gone) for box in boxes)

    @property
    def gone(self) -> int:
        """How many journals were deleted at the server, which takes them no second time."""
        return sum(journal.outbox.is_gone for journal in self._journals.values())

    @property
    def held_bytes(self) -> int:
        """How many bytes of lines are held, read and not acknowledged."""
        return sum(journal.outbox.held_bytes for journal in self._journals.values())

    def unfinished(self) -> Iterator[tuple[str, int]]:
        """Journals of which not everything is there: whose, and up to which message it is."""
        for journal in self._journals.values():
            if not journal.outbox.is_there:
                yield journal.name, journal.outbox.acked or 0

    def count(self) -> int:
        """How many journals are shipped."""
        return len(self._journals)

    # --- reading ---

    def _note(self, changed: set[str] | None) -> None:
        if changed is None:
            self._next_look = 0.0
            return
        for path in changed:
            if path in self._journals:
                self._dirty.add(path)
            elif path.endswith(".jsonl") and not Path(path).name.startswith(".") and path not in self._not_ours:
                self._next_look = 0.0
        if self._next_look == 0.0:
            self._look()
            self._next_look = self._clock() + _LOOK_EVERY_S

    def _look(self) -> None:
        """Find new journals, and those that have grown."""
        self._watch.add(self._directory)
        try:
            with os.scandir(self._directory) as entries:
                for entry in entries:
                    if entry.name.endswith(".jsonl") and not entry.name.startswith("."):
                        self._look_at(entry)
        except OSError:  # gone for now: looked for again each second
            return
        self._has_looked = True

    def _look_at(self, entry: os.DirEntry[str]) -> None:
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            return
        if not stat.S_ISREG(status.st_mode):
            return
        journal = self._journals.get(entry.path)
        if journal is None or journal.inode != status.st_ino:
            journal = self._found(entry.path, status)
        if journal is not None and journal.size != status.st_size:
            journal.size, journal.changed_at = status.st_size, status.st_mtime
            self._dirty.add(entry.path)

    def _found(self, path: str, status: os.stat_result) -> _Journal | None:
        identity = (status.st_ino, status.st_size)
        if self._not_ours.get(path) == identity:
            return None
        try:
            with Path(path).open("rb") as file:
                first = file.readline(_LONGEST_HEADER)
            header = decode_header(first)
        except (NotAJournal, OSError):  # no journal, or its first line is not whole yet
            self._not_ours[path] = identity
            return None
        # A hub speaks for itself, and what was shipped here its own site ships.
        if header.mode == HUB_MODE or header.shipped is True:
            self._not_ours[path] = identity
            return None
        passage = None
        if self._gate is not None and (passage := self._gate.passage(header, Path(path).name)) is None:
            self._not_ours[path] = identity
            return None
        self._not_ours.pop(path, None)
        is_new = self._has_looked and path not in self._journals
        journal = _Journal(path, header, first, status.st_ino, is_new=is_new, passage=passage)
        self._journals[path] = journal
        if journal.is_near:
            self._exits.hold((header.pid, header.pid_start))
        return journal

    def _look_who_lives(self) -> None:
        has_died = not self._has_completed
        open_ones = [
            j for j in self._journals.values() if j.outbox.life is Life.OPEN and j.state is liveness.State.ALIVE
        ]
        self._exits.look({(j.header.pid, j.header.pid_start) for j in open_ones if j.is_near})
        for journal in self._journals.values():
            if journal.outbox.life is not Life.OPEN or journal.state is liveness.State.CLOSED:
                continue
            before = journal.state
            try:
                journal.state = self._state(journal.path)
            except (NotAJournal, OSError):  # removed: nothing is known of its writer any more
                journal.state = liveness.State.UNKNOWN
            has_died |= journal.state is liveness.State.DEAD and before is not liveness.State.DEAD
            # Its last words may have come since it was read.
            self._dirty.add(journal.path)
        living = [one for one in self._journals.values() if one.state is liveness.State.ALIVE]
        for journal in living:
            at_least = _WAITING_S if journal.header.run_id in self._waiting else VOUCH_EVERY_S
            journal.outbox.vouch_every_s = min(_RARELY_S, max(at_least, len(living) / _VOUCHES_A_SECOND))
        if has_died and self._has_looked:
            # Whoever of us opens a directory completes the documents of those who cannot do it any more.
            self._has_completed = True
            with contextlib.suppress(OSError):  # a directory that may only be read
                complete_dead(self._directory)

    def _read(self) -> None:
        dirty, self._dirty = self._dirty, set()
        held_bytes = self.held_bytes
        for path in dirty:
            journal = self._journals[path]
            if held_bytes >= _MOST_HELD_BYTES and not journal.outbox.has_lines:
                # The journals are the spool: what cannot go now is not held in memory either.
                self._dirty.add(path)
                continue
            held_bytes -= journal.outbox.held_bytes
            self._read_one(journal)
            held_bytes += journal.outbox.held_bytes

    def _read_one(self, journal: _Journal) -> None:
        outbox = journal.outbox
        if outbox.wants_rewind:
            journal.rewind()
            outbox.wants_rewind = False
        read_all = False
        while outbox.has_room and not read_all:
            try:
                entries = journal.reader.read(_CHUNK_BYTES)
            except OSError:  # removed, or not for us to read: what was read of it is sent
                entries = []
            read_all = not entries
            outbox.offer(journal.outgoing([entry for entry in entries if isinstance(entry, Line)]))
            for entry in entries:
                if not isinstance(entry, Line):
                    self._tell_of_damage(journal, entry)
        state, process = _SEEN.get(journal.state, "unknown"), (journal.header.pid, journal.header.pid_start)
        if state == "alive" and journal.is_near and liveness.process_is_halted(*process):
            state = "halted"
        outbox.seen(state, read_all=read_all, exit=self._exits.how(process) if state == "dead" else None)

    def _tell_of_damage(self, journal: _Journal, entry: Gap | Damage) -> None:
        name = Path(journal.path).name
        if isinstance(entry, Gap):
            self._tell(f"{name}: messages {entry.expected} to {entry.got - 1} are missing before byte {entry.byte}")
        else:
            self._tell(f"{name}: {entry.reason} at byte {entry.byte}; it is passed over, the rest is sent")

    # --- sending ---

    def _next(self) -> _Journal | None:
        """Whose turn it is.

        New lines and what else is due take turns; of each, who waited longest, and of those that never had a turn the
        newest: at the start there may be a thousand old journals to ask about, and one that grows.
        """
        now = self._clock()
        room = self._gate is None or not self._gate.wait_s(now)
        due = [journal for journal in self._journals.values() if journal.outbox.due(now, has_room=room) == 0.0]
        if not due:
            return None
        self._turns += 1
        has_lines = self._turns % 2 == 1
        return min(due, key=lambda one: (one.outbox.has_lines is not has_lines, one.sent_at, -one.changed_at))

    def _send(self, journal: _Journal) -> None:
        outbox = journal.outbox
        batch = outbox.batch(most=None if self._gate is None else self._gate.room(self._clock()))
        answer = self._handed_over(journal, batch)
        now = journal.sent_at = self._clock()
        self._next_send = now + self._pace_s
        if isinstance(answer, Away):
            if answer.is_busy:
                # It takes so many requests a second: what is written meanwhile goes in one.
                self._pace_s = _PACE_S
                self._busy_since = self._busy_since if self._busy_since is not None else now
                if now - self._busy_since < _BUSY_S:
                    self._retry_at = now + min(answer.wait_s or _RETRY_BUSY_S, _BUSY_S)
                    return
            self._retry_at = now + self._back_off.failed(answer.wait_s)
            if not self._is_away:
                self._is_away = True
                self._tell(f"{answer.words}; nothing is lost, it is tried again until it works")
            return
        self._busy_since = None
        if self._is_away:
            self._is_away = False
            self._tell("the server answers again")
        skips = outbox.skips
        outbox.take(answer, batch, now)
        self._back_off.worked()
        if outbox.rewinds > _REWINDS_IN_A_ROW:
            self._retry_at = now + self._back_off.failed()
        self._dirty.add(journal.path)
        if isinstance(answer, Acked) and batch.state == "alive" and self._obeys:
            self._heed(journal, answer.wish)
        if not isinstance(answer, Acked) and outbox.skips > skips:
            self._tell(f"{journal.name}: a message is left out, the server does not take it: {_words(answer)}")
        if outbox.life is not Life.OPEN and not journal.told:
            journal.told = True
            self._tell_end(journal)

    def _heed(self, journal: _Journal, wish: Wish | None) -> None:
        """Leave what the server wishes where the training looks for it; one that has ended is asked nothing."""
        if journal.state is not liveness.State.ALIVE:
            return
        try:
            told = self._left_here(journal.header.run_id, wish)
        except OSError as error:
            what = "go on" if wish is None or wish.what == "go_on" else wish.what
            self._tell(f"{journal.name} is asked to {what}, which cannot be left here ({error.strerror or error})")
            return
        if told is not None:
            by = wish.by if wish is not None and wish.by else "the server"
            reason = f": {wish.reason or 'no reason given'}" if wish is not None and wish.what != "go_on" else ""
            self._tell(f"{journal.name}: {told} by {by}{reason}")

    def _left_here(self, run_id: str, wish: Wish | None) -> str | None:
        """Write what is wished beside the journals, or take it away; what was done, where something was."""
        if wish is not None and wish.what == "stop":
            if cancel_path(self._directory, run_id).exists():
                return None
            request_cancel(self._directory, run_id, reason=wish.reason, by=wish.by)
            return "asked to stop"
        standing = pause_of(self._directory, run_id)
        if wish is not None and wish.what == "pause":
            self._waiting.add(run_id)
            if standing is not None:
                return None
            request_pause(self._directory, run_id, reason=wish.reason, by=wish.by, shipped=True)
            return "asked to wait"
        self._waiting.discard(run_id)
        # Who was asked to wait by somebody here waits for that somebody.
        if standing is None or not standing.shipped:
            return None
        go_on(self._directory, run_id, by=None if wish is None else wish.by)
        return "let go on"

    def _handed_over(self, journal: _Journal, batch: Batch) -> Answer:
        if journal.passage is not None and self._gate is not None:
            try:
                journal.passage.note(batch.lines)
            except OSError as error:
                return Away(f"what leaves cannot be noted ({error.strerror or error}), so it stays")
            self._gate.left(sum(not is_mark(line) for line in batch.lines))
        return self._transport.send(batch)

    def _tell_end(self, journal: _Journal) -> None:
        outbox = journal.outbox
        if outbox.is_gone:
            if outbox.sent:
                self._tell(f"{journal.name}: it was deleted at the server, and is not sent any more")
        elif outbox.life is Life.REFUSED:
            self._tell(f"{journal.name}: the server takes nothing of it: {_words(outbox.refusal)}")
        elif outbox.sent and outbox.life is Life.DEAD:
            self._tell(f"{journal.name}: its process died; all it wrote is there, up to message {outbox.acked}")
        elif outbox.sent:
            self._tell(f"{journal.name}: ended; all of it is there, up to message {outbox.acked}")


def _words(answer: object) -> str:
    return str(getattr(answer, "words", "it did not say why"))
