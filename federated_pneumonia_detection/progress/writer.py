"""What one process says about one run, or about one client in it: a journal, its document, and what waits for either."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import UNSET

from federated_pneumonia_detection.progress import clock, liveness
from federated_pneumonia_detection.progress.document import Document
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
from federated_pneumonia_detection.progress.upkeep import upkeep

__all__ = ["Identity", "Writer", "close_all", "writer_for"]

_log = logging.getLogger("federated_pneumonia_detection.progress")

MOST_WAITING: Final = 1000
"""How many lifecycle messages wait in memory for a journal that cannot be written."""

_RETRY_S: Final = 1.0
_LOOK_S: Final = 0.5
# The document is replaced at most a tenth of the time.
_DOCUMENT_SHARE: Final = 10.0
_ENDS: Final = frozenset({TrainingComplete, TrainingError, TrainingCancelled})
_NOW: Final = _ENDS | {RunStart}


class Identity(NamedTuple):
    """Whose writer it is: one of these has one writer in a process."""

    directory: str
    run_id: str
    client_id: str | None


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
    ) -> None:
        self.identity = identity
        self.total_epochs: int | None = None
        self.total_rounds: int | None = None
        self.round: int | None = None
        self._experiment_name = experiment_name
        self._mode = mode
        self._interval = broadcast_interval
        self._hears = hears
        self._keeps_document = keeps_document
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
        # Never to be recorded; how many of them nobody was told of yet; how many were written later than they were said.
        self._gone = self._gone_untold = self._late = 0
        self._reason = ""
        self._next_look = 0.0
        self._document_lock = threading.RLock()
        self._document_busy = self._document_again = False
        # Whether the document lacks something, and whether it should have it before the log call returns.
        self._document_stale = self._document_urgent = False
        self._document_last = self._document_cost = 0.0
        self._document: Document | None = None
        if self._keeps_document:
            self._document = Document(Path(self.identity.directory), self.identity.run_id, self.identity.client_id)

    def open(self) -> None:
        """Make the journal now, so that others see that this run has this client."""
        with self._lock:
            if self._journal is None and not self._busy:
                self._busy = True
                try:
                    self._recover()
                finally:
                    self._busy = False

    def seeds(self) -> tuple[int | None, int | None, int | None]:
        """What a further process has to know to go on from here: epochs, rounds, the present round."""
        return self.total_epochs, self.total_rounds, self.round

    def take_seeds(self, seeds: tuple[int | None, int | None, int | None]) -> None:
        """Go on from there, unless this writer knows better by now."""
        if self._journal is None:
            self.total_epochs, self.total_rounds, self.round = seeds

    def leave_to_the_parent(self) -> None:
        """What a forked child does first: it closes the inherited descriptor, and begins afresh when it logs."""
        if self._journal is not None:
            self._journal.close()
        self._start_afresh()

    @property
    def lost(self) -> int:
        """How many messages are not recorded: gone, still waiting, or in a file that somebody removed."""
        return self._gone + len(self._waiting) + (self._n - self._n_in_place if self._detached else 0)

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
                while self._deferred:
                    self._say(self._deferred.popleft(), now)
            finally:
                self._busy = False
        if type(message) is Step and not self._document_urgent:
            return
        if self._document is not None:
            self._keep_document(now)

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
            _log.warning("%s: %s", self.identity.run_id, text)

    def close(self) -> None:
        """End the journal with its last line, and complete the document."""
        with self._lock:
            if self._busy:  # from a signal handler in the middle of a message; the journal is ended at exit
                return
            self._busy = True
            try:
                while self._deferred:
                    self._say(self._deferred.popleft(), time.monotonic())
                if self._waiting or self._detached:
                    self._recover()
                self._end_journal()
            finally:
                self._busy = False
        self._replace_document(wait=True)
        upkeep.forget(self)

    def keep_up(self) -> None:
        """What is due by itself: the document, and what waits for a journal that can be written again."""
        try:
            with self._lock:
                self._busy = True
                try:
                    self._look(time.monotonic())
                    if (self._waiting or self._detached) and not self._recover():
                        upkeep.ask(self, time.monotonic() + _RETRY_S)
                finally:
                    self._busy = False
            if self._document_stale:
                self._replace_document(wait=True)
        except Exception as error:  # the thread serves all writers of the process: one must not end it for the others
            self.warn("upkeep", f"its upkeep failed ({type(error).__name__}: {error})")

    # -- the journal -------------------------------------------------------------------------------------------------

    def _say(self, message: Message | Custom, now: float) -> None:
        body = encode(message)
        if len(body) > LONGEST_MESSAGE:
            self._too_long(message, len(body))
            return
        if now >= self._next_look:
            self._look(now)
        kind = type(message)
        if (self._journal is None or self._waiting or self._detached) and not self._recover():
            self._n += 1
            self._hold(body, kind)
            return
        # Counted first: interrupted in between, a number is missing, which is told; never used twice, which is not.
        self._n += 1
        try:
            self._journal.append(body, self._n)  # type: ignore[union-attr]
        except OSError as error:
            self._failed(error)
            self._hold(body, kind)
            return
        if kind is not Step and (kind in _NOW or self._is_over(message)):
            self._document_urgent = True
            self._journal.sync()  # type: ignore[union-attr]
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
            self._journal.sync()
            self._end_journal()
            return self._recover()
        return True

    def _open(self) -> Journal:
        if _exiting:
            raise OSError("the process is ending")
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
        self._document_stale = True
        _opened(self)
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
        _closed(self)

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
        self._document_stale = True
        self.warn("put back", "its journal was removed or moved while it wrote; it was put back with everything in it")

    def _failed(self, error: OSError | ValueError) -> None:
        self._reason = getattr(error, "strerror", None) or str(error)
        where = getattr(error, "filename", None) or self.identity.directory
        self.warn(
            f"write {self._reason}",
            f"progress cannot be written ({self._reason}: {where}); training goes on, messages wait or are counted",
        )

    def _tell_lost(self, journal: Journal) -> None:
        text = f"{self._late} messages could only be written later, {self._gone_untold} are gone ({self._reason})."
        self._n += 1
        journal.append(encode(self._alert("warning", "Messages came late or are gone", text)), self._n)
        self._late = self._gone_untold = 0

    def _too_long(self, message: Message | Custom, size: int) -> None:
        self._gone += 1
        kind = type_of(message)
        text = f"A message of type {kind} has {size} bytes, {LONGEST_MESSAGE} are the most; it was not recorded."
        self.warn(f"too long {kind}", text)
        if ("too long", kind) not in self._told:
            self._told.add(("too long", kind))
            self._deferred.append(self._alert("warning", "A message was too long", text))

    def _alert(
        self, level: str, title: str, text: str, *, phase: str | None = None, metric: str | None = None
    ) -> Alert:
        return Alert(
            level,
            title,
            text,
            phase=UNSET if phase is None else phase,
            metric=UNSET if metric is None else metric,
            timestamp=clock.now(),
            client_id=UNSET if self.identity.client_id is None else self.identity.client_id,
            round=UNSET if self.round is None else self.round,
        )

    # -- the document ------------------------------------------------------------------------------------------------

    def _keep_document(self, now: float) -> None:
        due = self._document_last + _DOCUMENT_SHARE * self._document_cost
        if self._document_urgent:
            self._document_urgent = False
            self._replace_document(wait=True)
        elif now >= due:
            self._replace_document(wait=False)
        elif not self._document_stale:
            self._document_stale = True
            upkeep.ask(self, due)

    def _replace_document(self, *, wait: bool) -> None:
        if self._document is None:
            return
        if not self._document_lock.acquire(blocking=wait):
            self._document_stale = True
            upkeep.ask(self, time.monotonic() + self._document_cost)
            return
        try:
            self._document_again = True
            if self._document_busy:  # a signal handler in the middle of it; whoever is at it does it once more
                return
            self._document_busy = True
            try:
                while self._document_again:
                    self._document_again = False
                    self._write_document(self._document)
            finally:
                self._document_busy = False
        finally:
            self._document_lock.release()

    def _write_document(self, document: Document) -> None:
        started = time.monotonic()
        self._document_stale = False
        try:
            document.replace()
        except (OSError, ValueError) as error:
            self._failed(error)
            self._document_stale = True
            upkeep.ask(self, started + _RETRY_S)
        self._document_last = time.monotonic()
        self._document_cost = self._document_last - started


_writers: dict[Identity, Writer] = {}
_open: set[Writer] = set()
_registry_lock = threading.RLock()
_exiting = False
_finalizing_pid = 0


def writer_for(identity: Identity, make: Callable[[], Writer]) -> Writer:
    """The writer of this process for a run and client in a directory; made where there is none."""
    with _registry_lock:
        writer = _writers.get(identity)
        if writer is None:
            writer = _writers[identity] = make()
        return writer


def close_all() -> None:
    """End every journal of this process; what is said afterwards counts as lost. Runs at exit, and is harmless twice."""
    global _exiting
    _exiting = True
    for writer in list(_open):
        writer.close()


def _opened(writer: Writer) -> None:
    with _registry_lock:
        _open.add(writer)
        _writers.setdefault(writer.identity, writer)
    _end_with_this_process()


def _closed(writer: Writer) -> None:
    # The next logger of the run gets a writer that knows nothing of the round or epoch of this one.
    with _registry_lock:
        _open.discard(writer)
        if _writers.get(writer.identity) is writer:
            del _writers[writer.identity]


def _end_with_this_process() -> None:
    # A child of multiprocessing leaves by os._exit, past atexit, but not past the finalizers of multiprocessing.
    global _finalizing_pid
    util = sys.modules.get("multiprocessing.util")
    process = sys.modules.get("multiprocessing.process")
    if util is None or process is None or process.parent_process() is None or _finalizing_pid == os.getpid():
        return
    _finalizing_pid = os.getpid()
    util.Finalize(None, close_all, exitpriority=-100)


def _in_a_child() -> None:
    # The parent's journals are the parent's: their descriptors go, unmarked, and a log call opens a journal of its own.
    global _registry_lock
    _registry_lock = threading.RLock()
    for writer in set(_writers.values()) | _open:
        writer.leave_to_the_parent()
    _open.clear()


atexit.register(close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_a_child)
