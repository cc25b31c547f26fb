"""Follows directories of journals: one thread that reads what was written, in batches, merged and throttled.

What it reads goes to a `Sink` (the hub), which commits it; who lives it tells the sink twice a second.
"""

from __future__ import annotations

import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from federated_pneumonia_detection.hub.errors import LogReplaced
from federated_pneumonia_detection.hub.following import FollowedJournal, Reading
from federated_pneumonia_detection.hub.merge import merge
from federated_pneumonia_detection.hub.stores.store import Place
from federated_pneumonia_detection.hub.watch import NOTE_SUFFIX, Watch
from federated_pneumonia_detection.progress.liveness import State
from federated_pneumonia_detection.progress.reading import read_small

__all__ = ["NOTE_SUFFIX", "Follower", "Sink"]

logger = logging.getLogger(__name__)

_LOOK_EVERY_S = 1.0
_LIFE_EVERY_S = 0.5
_BREATHE_EVERY_S = 0.005
_RETRY_EVERY_S = 0.5
_LONGEST_NOTE = 4096
_BATCH_MESSAGES, _BATCH_BYTES = 500, 256 * 1024
# A file that was over this long before anybody followed its directory is no news.
_NEWS_SLACK_S = 2.0


class Sink(Protocol):
    """What a follower reads for."""

    def take(self, readings: Sequence[Reading], places: Sequence[Place]) -> None:
        """Commit what was read, all of it or nothing.

        Raises:
            Exception: It could not be committed; the same comes again a little later.
        """

    def judge(self, journals: Sequence[FollowedJournal], *, breathe: Callable[[], None]) -> None:
        """Draw conclusions from who lives; called each half second, when all that was there has been read.

        Args:
            journals: All there are.
            breathe: To be called now and then meanwhile: it commits what was written since, if that is due.

        Raises:
            LogReplaced: The log is another one; everything is read again.
        """

    def place(self, path: str) -> Place | None:
        """How far a journal had been read before."""


class _Directory:
    def __init__(self, path: str, *, followed_at: float, news_only: bool) -> None:
        self.path = path
        self.followed_at = followed_at
        # Whether what was over before it was followed is kept from viewers.
        self.news_only = news_only
        self.seen = False


class Follower:
    """Reads journals on a thread of its own.

    Args:
        sink: Where what was read goes.
        make_watch: Makes what wakes it; called on the thread.
        news_only: Journals that were over before their directory was followed go into the log, and not to viewers.
    """

    def __init__(self, sink: Sink, make_watch: Callable[[], Watch], *, news_only: bool = False) -> None:
        self._sink = sink
        self._make_watch = make_watch
        self._news_only = news_only
        self._directories: dict[str, _Directory] = {}
        self._asked: list[_Directory] = []
        self._journals: dict[str, FollowedJournal] = {}
        self._notes: set[str] = set()
        # Files that are no journals, of which that has been said.
        self._passed_over: set[str] = set()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._reset = False
        self.ready = threading.Event()
        """Set when everything there was at the start has been read once."""
        self._watch: Watch | None = None
        self._thread: threading.Thread | None = None
        # Journals of which something was read and may not go yet.
        self._held: set[FollowedJournal] = set()
        # Journals whose readings could not be committed, and when to try again.
        self._retry: set[str] = set()
        self._retry_at = 0.0
        self._next_look = self._next_life = self._next_breath = 0.0
        self.faults = 0
        """How often a turn failed in a way that nobody expected."""
        self.stuck_since: float | None = None
        """Since when the log takes nothing; `None` while all is well."""

    # --- from any thread ---

    def follow(self, directory: str) -> None:
        """Follow a directory from now on, also one that is not there yet."""
        with self._lock:
            if directory in self._directories or any(asked.path == directory for asked in self._asked):
                return
            self._asked.append(_Directory(directory, followed_at=time.time(), news_only=self._news_only))
        self.wake()

    def directories(self) -> list[str]:
        """What is followed, in the order it was asked for."""
        with self._lock:
            return [*self._directories, *(asked.path for asked in self._asked)]

    def journals(self) -> list[FollowedJournal]:
        """All journals known."""
        with self._lock:
            return list(self._journals.values())

    def drop(self, paths: set[str]) -> None:
        """Let go of journals whose files have been removed."""
        with self._lock:
            for path in paths:
                self._journals.pop(path, None)

    def wake(self) -> None:
        """Look now."""
        watch = self._watch
        if watch is not None:
            watch.wake()

    def hint(self) -> None:
        """Look now, unless the system tells it anyway."""
        watch = self._watch
        if watch is not None and not watch.is_prompt:
            watch.wake()

    def start(self) -> None:
        """Start the thread; twice is fine."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="journal follower", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop the thread, and wait for it."""
        self._stopping.set()
        self.ready.set()
        self.wake()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=10)

    # --- the thread ---

    def _run(self) -> None:
        watch = self._watch = self._make_watch()
        try:
            changed: set[str] | None = None
            while not self._stopping.is_set():
                try:
                    self._turn(changed)
                    changed = set() if self._reset else watch.wait(self._pause())
                except Exception:
                    # Without this thread nobody is told anything any more: say what happened, and go on.
                    logger.exception("following the journals failed; it goes on")
                    self.faults += 1
                    watch.wait(_RETRY_EVERY_S)
                    changed = None
        finally:
            self.ready.set()
            watch.close()

    def _turn(self, changed: set[str] | None) -> None:
        """Look at what has changed (`None`: at everything), read it, and twice a second judge who lives."""
        now = time.monotonic()
        dirty = self._dirty(changed or set())
        if self._adopt() or self._reset or changed is None or now >= self._next_look:
            dirty |= self._look()
            self._next_look = now + _LOOK_EVERY_S
        self._advance(dirty)
        if self._reset or now < self._next_life:
            return
        self._live()
        self._next_life = time.monotonic() + _LIFE_EVERY_S
        if not self._asked and not self._retry and not self._reset:
            self.ready.set()

    def _pause(self) -> float:
        now = time.monotonic()
        until = min(self._next_look, self._next_life)
        waits = [max(0.0, until - now), *(journal.throttle.due(now) or 0.0 for journal in self._held)]
        if self._asked or self._stopping.is_set():  # said while it breathed, which took the wake-up
            return 0.0
        if self._retry:
            waits = [max(0.0, self._retry_at - now)]
        return min(waits)

    def _adopt(self) -> bool:
        """Take in directories that were asked for since."""
        with self._lock:
            asked, self._asked = self._asked, []
            for directory in asked:
                self._directories[directory.path] = directory
        return bool(asked)

    def _look(self) -> set[str]:
        """Look at all sizes, find new journals and notes."""
        if self._reset:
            self._reset = False
            self._held.clear()
            self._retry.clear()
            with self._lock:
                self._journals.clear()
        dirty: set[str] = set()
        for directory in list(self._directories.values()):
            if self._watch is not None:
                # Each time: a directory that was removed and made again would not be watched any more.
                self._watch.add(directory.path)
            try:
                with os.scandir(directory.path) as entries:
                    for entry in entries:
                        if entry.name.startswith("."):
                            continue
                        if entry.name.endswith(".jsonl"):
                            dirty |= self._look_at(directory, entry)
                        elif entry.name.endswith(NOTE_SUFFIX) and entry.path not in self._notes:
                            self._read_note(entry.path)
            except (OSError, ValueError):  # not there yet, or gone, or no name: looked for again each second
                continue
            directory.seen = True
        return dirty

    def _look_at(self, directory: _Directory, entry: os.DirEntry[str]) -> set[str]:
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            return set()
        if not stat.S_ISREG(status.st_mode):  # no link out of the directory, no pipe
            return self._pass_over(entry.path, "it is no regular file")
        journal = self._journals.get(entry.path)
        if journal is None:
            journal = self._find(directory, entry.path, status)
        if (status.st_size, status.st_ino) == (journal.size, journal.inode):
            return set()
        if journal.over and (status.st_ino != journal.inode or status.st_size < journal.size):
            journal.over = False
        journal.size, journal.inode, journal.heard_at = status.st_size, status.st_ino, status.st_mtime
        return {entry.path}

    def _pass_over(self, path: str, why: str) -> set[str]:
        """Say once that a file of a journal's name is not followed, and why; nothing is to be read of it."""
        if path not in self._passed_over:
            self._passed_over.add(path)
            logger.warning("%s is not followed: %s", path, why)
        return set()

    def _find(self, directory: _Directory, path: str, status: os.stat_result) -> FollowedJournal:
        old = status.st_mtime < directory.followed_at - _NEWS_SLACK_S
        journal = FollowedJournal(path, place=self._sink.place(path))
        if directory.news_only and not directory.seen and old:
            try:
                journal.quiet = journal.look() in (State.CLOSED, State.DEAD)
            except OSError:
                journal.quiet = False
        with self._lock:
            self._journals[path] = journal
        return journal

    def _dirty(self, changed: set[str]) -> set[str]:
        """The journals among what has changed; a file or note not seen before asks for a look."""
        dirty: set[str] = set()
        for path in changed:
            if path.rpartition("/")[2].startswith("."):
                continue
            if path in self._journals:
                dirty.add(path)
            elif path.endswith((".jsonl", NOTE_SUFFIX)):
                dirty |= self._look_up(path)
        return dirty

    def _look_up(self, path: str) -> set[str]:
        directory = self._directories.get(str(Path(path).parent))
        if directory is None:
            return set()
        if path.endswith(NOTE_SUFFIX):
            self._read_note(path)
            if self._adopt():
                return self._look()
            return set()
        try:
            status = Path(path).stat(follow_symlinks=False)
        except OSError:
            return set()
        if not stat.S_ISREG(status.st_mode):
            return self._pass_over(path, "it is no regular file")
        journal = self._find(directory, path, status)
        journal.size, journal.inode, journal.heard_at = status.st_size, status.st_ino, status.st_mtime
        return {path}

    def _read_note(self, path: str) -> None:
        self._notes.add(path)
        try:
            directory = read_small(path, _LONGEST_NOTE).decode()
        except (OSError, UnicodeDecodeError):
            return
        if directory.startswith("/") or Path(directory).is_absolute():
            self.follow(directory)

    def _advance(self, dirty: set[str]) -> None:
        """Read what is new, commit what may go."""
        now = time.monotonic()
        if now < self._retry_at:
            self._retry |= dirty
            return
        for path in dirty | self._retry:
            journal = self._journals.get(path)
            if journal is not None:
                journal.fill()
                if journal.not_followed is not None:
                    self._pass_over(path, journal.not_followed)
                if len(journal.throttle):
                    self._held.add(journal)
        self._retry = set()
        due = [journal for journal in self._held if journal.throttle.due(now) == 0.0]
        if not due:
            return
        self._held.difference_update(due)
        stream = (
            due[0].take(now)
            if len(due) == 1
            else merge([((reading.timestamp, reading) for reading in journal.take(now)) for journal in due])
        )
        while batch := _batch(stream):
            if not self._commit(batch):
                if self._reset:
                    return
                # Nothing is kept in memory meanwhile: the journals are the spool.
                for journal in due:
                    journal.rewind()
                self._retry = {journal.path for journal in due}
                self._retry_at = time.monotonic() + _RETRY_EVERY_S
                return

    def _commit(self, batch: list[Reading]) -> bool:
        marks = {reading.journal: reading.mark for reading in batch if reading.mark is not None}
        places = [journal.place_at(mark) for journal, mark in marks.items()]
        try:
            self._sink.take(batch, places)
        except LogReplaced as error:
            logger.warning("%s", error)
            self._reset = True
            return False
        except Exception as error:  # noqa: BLE001 — whatever a database raises: nothing is lost, it is tried again
            if self.stuck_since is None:
                self.stuck_since = time.time()
                logger.warning("the log takes nothing for now (%s); nothing is lost, it is tried again", error)
            return False
        self.stuck_since = None
        for journal, mark in marks.items():
            journal.committed = mark
        return True

    def _breathe(self) -> None:
        """Between the pieces of a long look: see what was written meanwhile, so that it does not wait for the rest."""
        watch, now = self._watch, time.monotonic()
        if now < self._next_breath or watch is None or not watch.is_prompt:
            return
        changed = watch.wait(0.0)
        if changed is None:
            self._next_look = 0.0
        dirty = self._dirty(changed or set())
        if dirty or self._held:
            self._advance(dirty)
        self._next_breath = time.monotonic() + _BREATHE_EVERY_S

    def _live(self) -> None:
        """Look who lives, read to the end what is over, and let the sink judge."""
        for journal in list(self._journals.values()):
            self._breathe()
            if self._reset:
                return
            if journal.over or journal.header is None or journal in self._held:
                continue
            try:
                state = journal.look()
                journal.remote = state is State.UNKNOWN
                journal.alive = state in (State.ALIVE, State.UNKNOWN)
                if journal.alive:
                    continue
                # Its last words may have come after it was read, and before it was looked at.
                journal.fill()
                if state is State.DEAD:
                    journal.finish()
            except OSError:
                continue
            if len(journal.throttle):
                self._held.add(journal)
                self._advance(set())
            if self._reset:
                return
            if journal not in self._held and not self._retry:
                journal.over = True
                journal.died = state is State.DEAD
                journal.dead_since = time.monotonic()
        if self._retry:
            return
        try:
            self._sink.judge(list(self._journals.values()), breathe=self._breathe)
        except LogReplaced as error:
            logger.warning("%s", error)
            self._reset = True


def _batch(stream: Iterator[Reading]) -> list[Reading]:
    """The next readings to commit in one transaction, neither too many nor too large."""
    batch: list[Reading] = []
    size = 0
    for reading in stream:
        batch.append(reading)
        size += len(reading.arrival.body) if reading.arrival is not None else 0
        if len(batch) >= _BATCH_MESSAGES or size >= _BATCH_BYTES:
            break
    return batch
