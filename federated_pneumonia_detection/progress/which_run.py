"""Which run a logger belongs to, and whether it begins it: decided from the directory's journals, one at a time."""

from __future__ import annotations

import contextlib
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from federated_pneumonia_detection.progress import clock, liveness
from federated_pneumonia_detection.progress.document import hub_stem, journals_in
from federated_pneumonia_detection.progress.errors import NotAJournal
from federated_pneumonia_detection.progress.framing import JournalHeader, Line
from federated_pneumonia_detection.progress.journal import journal_names, journal_stem
from federated_pneumonia_detection.progress.messages import TERMINAL
from federated_pneumonia_detection.progress.reading import JournalReader, is_file, read_header

__all__ = ["OPEN_DOOR_S", "SILENT_S", "attempt_now", "attempt_of", "deciding", "run_for"]

OPEN_DOOR_S = 60.0
"""How long a run that has ended still takes in clients it has not seen, in seconds."""

SILENT_S = 600.0
"""A run without a sign of life for this long takes in nobody, in seconds."""

_LOCK_NAME = ".which-run.lock"
_PATIENCE_S = 2.0
_BETWEEN_TRIES_S = 0.005


class _Word(msgspec.Struct, gc=False):
    # What matters here of a message.
    type: str
    timestamp: str = ""
    client_id: Any = None
    round: Any = None
    total_rounds: Any = None
    attempt: Any = None


# What others say of a run, or of an attempt that they will start: nobody has begun anything by that.
_SAID_ABOUT = frozenset({"run_queued", "run_edited", "alert", "client_failed"})

_decode_word = msgspec.json.Decoder(_Word).decode


@contextlib.contextmanager
def deciding(directory: str) -> Iterator[None]:
    """Nobody else decides in this directory meanwhile; after two seconds of waiting, go on all the same.

    A stopped process must not stop the others: then two runs may be made where one was meant.
    """
    path = Path(directory, _LOCK_NAME)
    try:
        Path(directory).mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
    except (OSError, ValueError):  # the writer will say what is wrong with the directory
        yield
        return
    try:
        deadline = time.monotonic() + _PATIENCE_S
        while (taken := liveness.lock(fd)) is False and time.monotonic() < deadline:
            time.sleep(_BETWEEN_TRIES_S)
        with contextlib.nullcontext() if taken is not None else _exclusive_file(path.with_suffix(".held"), deadline):
            yield
    finally:
        os.close(fd)


@contextlib.contextmanager
def _exclusive_file(path: Path, deadline: float) -> Iterator[None]:
    # Where there are no locks: whoever makes the file has it; one that is old belongs to somebody who died.
    made = False
    while not made and time.monotonic() < deadline:
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL))
            made = True
        except FileExistsError:
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _PATIENCE_S:
                    path.unlink()
            time.sleep(_BETWEEN_TRIES_S)
        except OSError:  # the writer will say what is wrong with the directory
            break
    try:
        yield
    finally:
        if made:
            path.unlink(missing_ok=True)


def attempt_of(directory: str, run_id: str) -> int | None:
    """The number of the attempt that a run-level logger begins, or `None` where it joins a run that goes on."""
    part = _Part()
    states = []
    for stem, is_hub in ((journal_stem(run_id, None), False), (hub_stem(run_id), True)):
        for name in journal_names(stem):
            path = Path(directory, name)
            if not is_file(path):
                break
            with contextlib.suppress(NotAJournal, OSError):  # not one of ours, or gone by now
                header = read_header(path)
                if header.run_id != run_id or header.client_id is not None:
                    continue
                part.read(path, None)
                if not is_hub:
                    states.append(liveness.state(path))
    if not part.attempt:
        return _attempt_beside_clients(directory, run_id)
    if part.ended_at is not None:
        return part.attempt + 1
    if any(state in (liveness.State.ALIVE, liveness.State.UNKNOWN) for state in states):
        return None
    return part.attempt + 1 if liveness.State.DEAD in states else None


def attempt_now(directory: str, run_id: str) -> int:
    """The attempt that a run is in, as far as the journals of whoever leads it tell here; 1 where they tell nothing."""
    part = _Part()
    for name in journal_names(journal_stem(run_id, None)):
        path = Path(directory, name)
        if not is_file(path):
            break
        with contextlib.suppress(NotAJournal, OSError):  # not one of ours, or gone by now
            if read_header(path).run_id == run_id:
                part.read(path, None)
    return max(1, part.attempt)


def _attempt_beside_clients(directory: str, run_id: str) -> int | None:
    # Clients alone may have begun the run; those who were told of it, by whoever is to lead it, have not.
    run = _Run(run_id)
    prefix = f"{journal_stem(run_id, None)}."
    for path in journals_in(Path(directory)):
        if path.name.startswith(prefix):
            with contextlib.suppress(NotAJournal, OSError):  # not one of ours, or gone by now
                header = read_header(path)
                if header.run_id == run_id and header.client_id is not None:
                    run.add(path, header)
    attempt = run.attempt()
    if not attempt:
        return 1
    return attempt + 1 if run.is_over() else None


def run_for(directory: str, experiment_name: str, client_id: str, kind: str, round_num: int | None) -> str | None:
    """The newest run of this experiment that takes this client in, or `None` where a new one begins.

    Args:
        directory: where the journals lie.
        experiment_name: whose runs are looked at.
        client_id: who asks.
        kind: the type of the client's first message.
        round_num: the round that message is about, where it says one.
    """
    runs: dict[str, _Run] = {}
    for path in journals_in(Path(directory)):
        with contextlib.suppress(NotAJournal, OSError):  # not one of ours, or gone by now
            header = read_header(path)
            if header.experiment_name == experiment_name:
                runs.setdefault(header.run_id, _Run(header.run_id)).add(path, header)
    for run in sorted(runs.values(), key=lambda one: one.start, reverse=True):
        if run.takes_in(client_id, kind, round_num, time.time()):
            return run.run_id
    return None


class _Part(msgspec.Struct):
    # What one client, or the run itself, has said so far.
    attempt: int = 0
    started: int = 0
    ended_rounds: set[int] = msgspec.field(default_factory=set)
    total_rounds: int | None = None
    ended_at: float | None = None

    @property
    def is_in_a_round(self) -> bool:
        return self.started > 0 and self.started not in self.ended_rounds and self.ended_at is None

    def read(self, path: Path, client_id: str | None) -> None:
        # A writer that does not say so speaks of the attempt that it has begun, else of the first.
        attempt = 1
        for entries in JournalReader(path, steps=False).present():
            for entry in entries:
                if isinstance(entry, Line):
                    word = _decode_word(entry.body)
                    told = word.attempt if type(word.attempt) is int else None
                    if word.type == "run_start":
                        attempt = told or 1
                    self.take(word, told or attempt, client_id)

    def take(self, word: _Word, attempt: int, client_id: str | None) -> None:
        if word.client_id != client_id or attempt < self.attempt or word.type in _SAID_ABOUT:
            return
        if attempt > max(self.attempt, 1):
            self._begin(attempt)
        if word.type == "run_start":
            self.attempt = max(self.attempt, attempt)
            self.ended_at = None
        elif word.type in TERMINAL:
            self._end(word)
        elif word.type == "round_start" and isinstance(word.round, int):
            self.started = max(self.started, word.round)
            if isinstance(word.total_rounds, int):
                self.total_rounds = word.total_rounds
        elif word.type == "round_end" and isinstance(word.round, int):
            self.started = max(self.started, word.round)
            self.ended_rounds.add(word.round)
            if self.total_rounds is not None and word.round >= self.total_rounds:
                self._end(word)

    def _begin(self, attempt: int) -> None:
        self.attempt, self.started, self.ended_rounds, self.ended_at = attempt, 0, set(), None

    def _end(self, word: _Word) -> None:
        self.ended_at = max(self.ended_at or 0.0, clock.seconds_of(word.timestamp) or 0.0)


class _Run:
    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.start = ""
        self._paths: dict[str | None, list[Path]] = defaultdict(list)

    def add(self, path: Path, header: JournalHeader) -> None:
        self.start = min(self.start or header.start, header.start)
        self._paths[header.client_id].append(path)

    def takes_in(self, client_id: str, kind: str, round_num: int | None, now: float) -> bool:
        if not self._shows_life(now):
            return False
        parts = {one: self._part(one) for one in self._paths}
        ended_at = self._ended_at(parts)
        mine = parts.get(client_id)
        if mine is None or (None in parts and max(1, mine.attempt) < parts[None].attempt):
            # Not seen, in this attempt.
            return ended_at is None or now - ended_at <= OPEN_DOOR_S
        if kind == "round_start":
            return ended_at is None and (round_num is None or round_num > mine.started)
        if round_num is not None and round_num < mine.started:
            return False
        if mine.is_in_a_round or ended_at is None:
            return True
        # A last word about it begins nothing; an epoch does.
        return kind != "epoch_start" and now - ended_at <= OPEN_DOOR_S

    def attempt(self) -> int:
        """The last attempt that anybody in it has begun; 0 where nobody has."""
        return max((self._part(one).attempt for one in self._paths), default=0)

    def is_over(self) -> bool:
        """Whether each client in it has ended its part, or died."""
        return all(self._part(one).ended_at is not None or self._died(one) for one in self._paths)

    def _died(self, client_id: str | None) -> bool:
        states = set()
        for path in self._paths[client_id]:
            with contextlib.suppress(NotAJournal, OSError):  # gone by now
                states.add(liveness.state(path))
        return liveness.State.DEAD in states and states <= {liveness.State.DEAD, liveness.State.CLOSED}

    def _part(self, client_id: str | None) -> _Part:
        part = _Part()
        for path in self._paths[client_id]:
            part.read(path, client_id)
        return part

    def _ended_at(self, parts: dict[str | None, _Part]) -> float | None:
        if None in parts:
            return parts[None].ended_at
        ends = [part.ended_at for part in parts.values()]
        return None if None in ends else max(end for end in ends if end is not None)

    def _shows_life(self, now: float) -> bool:
        paths = [path for paths in self._paths.values() for path in paths]
        with contextlib.suppress(NotAJournal, OSError):  # gone by now
            return any(now - path.stat().st_mtime <= SILENT_S for path in paths) or any(
                liveness.state(path) is liveness.State.ALIVE for path in paths
            )
        return False
