"""What one process says about one run, or one client in it: a journal, its document, and what waits for either."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import UNSET

from federated_pneumonia_detection.progress import clock, liveness
from federated_pneumonia_detection.progress.document_keeper import DocumentKeeper, Identity
from federated_pneumonia_detection.progress.framing import FORMAT, LONGEST_MESSAGE, JournalHeader
from federated_pneumonia_detection.progress.journal import Journal, encode_end
from federated_pneumonia_detection.progress.messages import (
    Alert,
    Custom,
    Message,
    RoundEnd,
    RunStart,
    Step,
    TrainingCancelled,
    TrainingComplete,
    TrainingError,
    encode,
    type_of,
)
from federated_pneumonia_detection.progress.telling import tell
from federated_pneumonia_detection.progress.upkeep import upkeep

__all__ = ["Seeds", "Writer"]

MOST_WAITING: Final = 1000
"""How many lifecycle messages wait in memory for a journal that cannot be written."""

_RETRY_S: Final = 1.0
_LOOK_S: Final = 0.5
_ENDS: Final = frozenset({TrainingComplete, TrainingError, TrainingCancelled})
_NOW: Final = _ENDS | {RunStart}


class Seeds(NamedTuple):
    """What a further process has to know to go on where a writer is."""

    total_epochs: int | None
    total_rounds: int | None
    round: int | None
    attempt: int


class _Waiting(NamedTuple):
    n: int
    body: bytes
    is_end: bool


class Writer:
    """Appends messages to a journal and keeps its document; shared by the loggers of a process, used from any thread.

    Nothing here raises on a full disk or a directory that is gone: what cannot be written waits, or is counted.

    Attributes:
        total_epochs: the last one told, for `epoch_end`.
        total_rounds: the last one told, to know the last round.
        round: the round that the client is in, for its messages.
        attempt: the run's attempt that is told of; from the second on, every message says which.
    """

    def __init__(
        self,
        identity: Identity,
        *,
        experiment_name: str,
        mode: str,
        broadcast_interval: float = 0.0,
        hears: tuple[str, ...] = (),
        keeps_document: bool = True,
        on_open: Callable[[Writer], None] = lambda writer: None,
        on_close: Callable[[Writer], None] = lambda writer: None,
    ) -> None:
        self.identity = identity
        self.total_epochs: int | None = None
        self.total_rounds: int | None = None
        self.round: int | None = None
        self.attempt = 1
        self._experiment_name = experiment_name
        self._mode = mode
        self._interval = broadcast_interval
        self._hears = hears
        self._keeps_document = keeps_document
        # Told before a journal is made, and after it was ended.
        self._on_open = on_open
        self._on_close = on_close
        self._warned: set[str] = set()
        self._told: set[tuple[str, str]] = set()
        self._start_afresh()

    def _start_afresh(self) -> None:
        # Also what a forked child does: the journal, its lock and what waits are the parent's.
        self._lock = threading.RLock()
        # Whether a message is being written, and what a signal handler logged meanwhile.
        self._busy = False
        self._deferred: deque[Message | Custom] = deque()
        self._journal: Journal | None = None
        # The number of the last message of this journal, and of the last one known to lie where it should.
        self._n = self._n_in_place = 0
        # Whether the journal's file is not where it was made, so that nobody will read what is written.
        self._detached = False
        self._waiting: deque[_Waiting] = deque()
        # Never to be recorded; how many of these nobody was told of yet; how many were written later than said.
        self._gone = self._gone_untold = self._late = 0
        self._reason = ""
        self._next_look = 0.0
        # Whether the document should have what was said before the log call returns.
        self._is_urgent = False
        self._document = DocumentKeeper(self.identity, self._document_failed) if self._keeps_document else None

    def open(self) -> None:
        """Make the journal now, so that others see that this run has this client."""
        with self._lock:
            if self._journal is None and not self._busy:
                with self._alone():
                    self._recover()

    @property
    def attempt(self) -> int:
        """The run's attempt that is told of."""
        return self._attempt

    @attempt.setter
    def attempt(self, attempt: int) -> None:
        self._attempt = attempt
        # How a message ends that says it; made once, since it is added to each of them.
        self._mark = b',"attempt":%d}' % attempt if attempt > 1 else b""

    def seeds(self) -> Seeds:
        """What a further process has to know to go on from here."""
        return Seeds(self.total_epochs, self.total_rounds, self.round, self.attempt)

    def take_seeds(self, seeds: Seeds) -> None:
        """Go on from there, unless this writer knows better by now."""
        if self._journal is None:
            self.total_epochs, self.total_rounds, self.round, self.attempt = seeds

    def leave_to_the_parent(self) -> None:
        """What a forked child does first: it closes the inherited descriptor, and begins afresh when it logs."""
        if self._journal is not None:
            self._journal.close()
        self._start_afresh()

    @property
    def lost(self) -> int:
        """How many messages are not recorded: gone, still waiting, or in a file that somebody removed."""
        in_a_removed_file = self._n - self._n_in_place if self._detached else 0
        return self._gone + len(self._waiting) + len(self._deferred) + in_a_removed_file

    def say(self, message: Message | Custom) -> None:
        """Record a message. When this returns it is in the journal, or it counts in `lost`."""
        with self._lock:
            if self._busy:
                # A signal handler logs in the middle of a message of its own thread: right behind it, then.
                self._deferred.append(message)
                return
            self._busy = True
            try:
                now = time.monotonic()
                self._say(message, now)
            finally:
                self._busy = False
            if self._deferred:
                self._say_deferred()
            is_urgent, self._is_urgent = self._is_urgent, False
        if self._document is None:
            return
        if is_urgent:
            self._document.replace(wait=True)
        elif type(message) is not Step:
            self._document.touched(now)

    def tell_not_finite(self, phase: str, names: list[str]) -> None:
        """Alert, once for each phase and metric, that these were NaN or infinite."""
        for name in names:
            if (phase, name) not in self._told:
                self._told.add((phase, name))
                text = f"{name} ({phase}) was NaN or infinite; it is recorded as null."
                self.say(self._alert("warning", f"{name} is not a number", text, phase=phase, metric=name))

    def warn(self, cause: str, text: str) -> None:
        """Tell the process's log, once for each cause."""
        if cause not in self._warned:
            self._warned.add(cause)
            tell(f"{self.identity.run_id}: {text}")

    def close(self) -> None:
        """End the journal with its last line, and complete the document."""
        is_there = False
        with self._lock:
            if self._busy:  # from a signal handler in the middle of a message; the journal is ended at exit
                return
            if self._deferred:
                self._say_deferred()
            with self._alone():
                if self._waiting and not self._detached:
                    self._recover()
                # What somebody has removed is not made again at the end.
                is_there = self._journal is not None and self._journal.is_in_place()
                self._detached = self._journal is not None and not is_there
                self._end_journal()
        if is_there and self._document is not None:
            self._document.replace(wait=True)
        upkeep.forget(self)

    def keep_up(self) -> None:
        """What is due by itself: to see that the file is still there, and to write what waits."""
        with self._lock:
            with self._alone():
                self._look(time.monotonic())
                if (self._waiting or self._detached) and not self._recover():
                    upkeep.ask(self, time.monotonic() + _RETRY_S)
            is_urgent, self._is_urgent = self._is_urgent, False
        if is_urgent and self._document is not None:
            self._document.replace(wait=True)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        # With the lock held: what a signal handler, or a finalizer, logs in this thread meanwhile comes afterwards.
        self._busy = True
        try:
            yield
        finally:
            self._busy = False
        if self._deferred:
            self._say_deferred()

    def _say_deferred(self) -> None:
        while self._deferred:
            self._busy = True
            try:
                while self._deferred:
                    self._say(self._deferred.popleft(), time.monotonic())
            finally:
                self._busy = False

    # -- the journal -------------------------------------------------------------------------------------------------

    def _say(self, message: Message | Custom, now: float) -> None:
        body = encode(message)
        if self._mark and message.attempt is UNSET:
            body = body[:-1] + self._mark
        if len(body) > LONGEST_MESSAGE:
            self._too_long(message, len(body))
            return
        if now >= self._next_look:
            self._look(now)
        kind = type(message)
        # Twice where what waited was the end of a journal: then another one is opened.
        while self._journal is None or self._waiting or self._detached:
            if not self._recover():
                self._n += 1
                self._hold(body, kind)
                return
        # Counted first, so that no number is ever used twice, whatever interrupts this.
        self._n += 1
        try:
            self._journal.append(body, self._n)
        except OSError as error:
            self._failed(error)
            self._hold(body, kind)
            return
        except BaseException:
            # A signal handler or Ctrl-C; what was not written leaves no gap, which readers would take for a loss.
            if not self._journal.has(self._n):
                self._n -= 1
            raise
        if kind is not Step and (kind in _NOW or self._is_over(message)):
            self._is_urgent = True
            self._journal.sync()
            if kind is not RunStart:
                self._end_journal()

    def _is_over(self, message: Message | Custom) -> bool:
        # A client says nothing after its last round, and its process may be ended without a word.
        if type(message) is not RoundEnd or self.identity.client_id is None or self.total_rounds is None:
            return False
        return message.round is not None and message.round >= self.total_rounds

    def _hold(self, body: bytes, kind: type) -> None:
        # How it ended says more than the last thing before it.
        is_full = len(self._waiting) >= MOST_WAITING
        if kind is Step or (is_full and kind not in _ENDS):
            self._gone += 1
            self._gone_untold += 1
        else:
            if is_full:
                self._waiting.pop()
                self._gone += 1
                self._gone_untold += 1
            self._waiting.append(_Waiting(self._n, body, kind in _ENDS))
        upkeep.ask(self, time.monotonic() + _RETRY_S)

    def _recover(self) -> bool:
        # Open a journal where there is none, and write what waits; whether all of that worked.
        try:
            if self._journal is None:
                self._journal = self._open()
            elif self._detached:
                self._put_back(self._journal)
            ended = False
            while self._waiting:
                waiting = self._waiting[0]
                self._journal.append(waiting.body, waiting.n)
                self._waiting.popleft()
                self._late += 1
                ended |= waiting.is_end
            if self._late or self._gone_untold:
                self._tell_lost(self._journal)
        except (OSError, ValueError) as error:  # ValueError: a directory's name with a NUL in it
            self._failed(error)
            return False
        if ended:
            self._is_urgent = True
            self._journal.sync()
            self._end_journal()
        return True

    def _open(self) -> Journal:
        self._on_open(self)
        directory, run_id, client_id = self.identity
        pid = os.getpid()
        header = JournalHeader(
            format=FORMAT,
            writer=os.urandom(8).hex(),
            run_id=run_id,
            client_id=client_id,
            experiment_name=self._experiment_name,
            mode=self._mode,
            host=liveness.host_name(),
            boot=liveness.boot_id(),
            pid=pid,
            pid_start=liveness.pid_start(pid),
            start=clock.now(),
            broadcast_interval=self._interval,
            hears=list(self._hears),
        )
        journal = Journal.create(Path(directory), header)
        self._next_look = time.monotonic() + _LOOK_S
        return journal

    def _end_journal(self) -> None:
        journal = self._journal
        if journal is not None:
            try:
                journal.append(encode_end(clock.now()), self._n + 1)
            except OSError as error:
                self._failed(error)
            journal.close()
        self._gone += len(self._waiting) + (self._n - self._n_in_place if self._detached else 0)
        self._waiting.clear()
        self._journal = None
        self._n = self._n_in_place = 0
        self._detached = False
        self._on_close(self)

    def _look(self, now: float) -> None:
        # A file that somebody removed would swallow every message without a word.
        self._next_look = now + _LOOK_S
        if self._journal is None or self._detached:
            return
        if self._journal.is_in_place():
            self._n_in_place = self._n
            return
        self._detached = True

    def _put_back(self, journal: Journal) -> None:
        journal.put_back()
        self._detached = False
        self._n_in_place = self._n
        self.warn("put back", "its journal was removed or moved while it wrote; it was put back with everything in it")

    def _failed(self, error: OSError | ValueError) -> None:
        self._reason = getattr(error, "strerror", None) or str(error)
        where = getattr(error, "filename", None) or self.identity.directory
        self.warn(
            f"write {self._reason}",
            f"progress cannot be written ({self._reason}: {where}); training goes on, messages wait or are counted",
        )

    def _document_failed(self, error: OSError | ValueError) -> None:
        self._failed(error)
        # Perhaps the journal is gone, too.
        self._next_look = 0.0
        upkeep.ask(self, time.monotonic() + _RETRY_S)

    def _tell_lost(self, journal: Journal) -> None:
        text = f"{self._late} messages could only be written later, {self._gone_untold} are gone ({self._reason})."
        self._n += 1
        body = encode(self._alert("warning", "Messages came late or are gone", text))
        journal.append(body[:-1] + self._mark if self._mark else body, self._n)
        self._late = self._gone_untold = 0

    def _too_long(self, message: Message | Custom, size: int) -> None:
        self._gone += 1
        kind = type_of(message)
        text = f"A message of type {kind} has {size} bytes, {LONGEST_MESSAGE} are the most; it was not recorded."
        self.warn(f"too long {kind}", text)
        if ("too long", kind) not in self._told:
            self._told.add(("too long", kind))
            self._deferred.append(self._alert("warning", "A message was too long", text))

    def _alert(self, level: str, title: str, text: str, *, phase: str = "", metric: str = "") -> Alert:
        return Alert(
            level,
            title,
            text,
            phase=phase or UNSET,
            metric=metric or UNSET,
            timestamp=clock.now(),
            client_id=UNSET if self.identity.client_id is None else self.identity.client_id,
            round=UNSET if self.round is None else self.round,
        )
