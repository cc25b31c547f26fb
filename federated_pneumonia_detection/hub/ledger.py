"""The log and what is known by it: what is committed is folded into the runs' states, then handed to viewers."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence, Set
from typing import Any

import msgspec
from msgspec.structs import replace

from federated_pneumonia_detection.hub.cursor import Selection, Start, due_steps, in_order, newest_only, start
from federated_pneumonia_detection.hub.errors import LogReplaced
from federated_pneumonia_detection.hub.fanout import Fanout
from federated_pneumonia_detection.hub.fold import Folding
from federated_pneumonia_detection.hub.following import Reading
from federated_pneumonia_detection.hub.frames import Frame, frame_of, subscribed
from federated_pneumonia_detection.hub.state import RunState, ended
from federated_pneumonia_detection.hub.stores.store import Batch, Place, Step, Store, Stored
from federated_pneumonia_detection.hub.times import seconds
from federated_pneumonia_detection.progress.clock import now

__all__ = ["Ledger"]

_PAGE = 500
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Ledger:
    """A store, the states of its runs, and its viewers. Thread-safe.

    Args:
        store: Where the log lies.
        fanout: Who hears of it.
    """

    def __init__(self, store: Store, fanout: Fanout) -> None:
        self.store = store
        self._fanout = fanout
        # Held from a commit until viewers have it: what others commit is told by another thread than what we do.
        self._committing = threading.Lock()
        self._lock = threading.RLock()
        self._foldings: dict[str, Folding] = {}
        # Runs of which something was told before their first message came.
        self._expected: dict[str, RunState] = {}
        self._places: dict[str, Place] = {}
        # Runs of which only journals are known that were over before they were followed.
        self._old_runs: set[str] = set()
        self.messages_committed = 0
        self.steps_committed = 0
        self.lag_s = 0.0
        """How old the newest message of the last commit was then, in seconds."""
        self.load()

    # --- states ---

    def load(self) -> None:
        """Fold what the store holds."""
        with self._lock:
            self._foldings = {}
            self._places = {place.path: place for place in self.store.places()}
            at = 0
            while messages := self.store.read(after=at, limit=_PAGE):
                for message in messages:
                    self._fold(message, _decoded(message.body))
                at = messages[-1].offset
            for run_id in self._foldings:
                for step in self.store.newest_steps(run_id=run_id):
                    self._fold(step, _decoded(step.body))

    def states(self) -> list[RunState]:
        """All runs, newest first."""
        with self._lock:
            known = self._expected | {run_id: folding.state() for run_id, folding in self._foldings.items()}
        return sorted(known.values(), key=_age, reverse=True)

    def state(self, run_id: str) -> RunState | None:
        """One run; `None` where nobody has said a word of it."""
        with self._lock:
            folding = self._foldings.get(run_id)
            return self._expected.get(run_id) if folding is None else folding.state()

    def expect(self, state: RunState) -> None:
        """A run will come: it is known from now on."""
        with self._lock:
            self._expected[state.run_id] = state

    def _fold(self, message: Stored | Step, said: Mapping[str, Any]) -> None:
        folding = self._foldings.get(message.run_id)
        if folding is None:
            expected = self._expected.pop(message.run_id, None)
            folding = self._foldings[message.run_id] = Folding(expected or RunState(message.run_id))
        folding.take(said)

    def _fold_all(self, added: Sequence[Stored | Step], readings: Sequence[Reading]) -> None:
        if len(added) != len(readings) or self.store.is_shared:
            for message in added:
                self._fold(message, _decoded(message.body))
            return
        # The rule: all of it was new, and nobody else's is among it. It was decoded when it was read.
        for message, reading in zip(added, readings, strict=True):
            said = reading.said
            self._fold(message, _decoded(message.body) if said is None else said)

    # --- what a follower reads goes here ---

    def take(self, readings: Sequence[Reading], places: Sequence[Place]) -> None:
        """Commit, fold, and only then hand to viewers.

        Raises:
            LogReplaced: Nothing was taken; the log is another one, and everything is to be read again.
        """
        told = [reading for reading in readings if reading.arrival is not None]
        arrivals = [reading.arrival for reading in told if reading.arrival is not None]
        with self._committing:
            try:
                added = self.store.append(Batch(arrivals, places))
            except LogReplaced:
                self._begin_anew()
                raise
            quiet = self._no_news(told)
            with self._lock:
                self._places.update((place.path, place) for place in places)
            self._tell(added, quiet, told)
        if told and (said_at := seconds(told[-1].timestamp)) is not None:
            self.lag_s = max(0.0, time.time() - said_at)

    def catch_up(self) -> None:
        """Fold and hand to viewers what other servers have committed to a log that is shared; from any thread.

        Raises:
            DatabaseAway: The log cannot be read for now.
        """
        told = self.store.is_shared
        while told:
            with self._committing:
                news = self.store.news()
                with self._lock:
                    for run_id in news.forgotten:
                        self._foldings.pop(run_id, None)
                self._tell(news.messages)
                told = bool(news.messages)

    def _tell(
        self, added: Sequence[Stored | Step], quiet: Set[str] = frozenset(), readings: Sequence[Reading] = ()
    ) -> None:
        """Fold what was committed, then hand it to viewers, the messages of `quiet` writers left out."""
        with self._lock:
            self._fold_all(added, readings)
        steps = sum(type(message) is Step for message in added)
        self.steps_committed += steps
        self.messages_committed += len(added) - steps
        # Whoever attaches from here on finds all of it in the log.
        if self._fanout.is_watched():
            news = [message for message in added if message.writer not in quiet] if quiet else added
            newest = newest_only(news)
            self._fanout.steps_merged += len(news) - len(newest)
            self._fanout.publish([frame_of(message) for message in newest])

    def _no_news(self, readings: Sequence[Reading]) -> set[str]:
        """Writers whose messages are history: done before they were followed, or a hub that speaks of such a run."""
        quiet: set[str] = set()
        said = {reading.journal: reading.arrival for reading in readings if reading.arrival is not None}
        for journal in sorted(said, key=lambda journal: journal.is_hubs) if len(said) > 1 else said:
            arrival = said[journal]
            if journal.quiet:
                self._old_runs.add(arrival.run_id)
            elif not journal.is_hubs:
                self._old_runs.discard(arrival.run_id)
            if journal.quiet or (journal.is_hubs and arrival.run_id in self._old_runs):
                quiet.add(arrival.writer)
        return quiet

    def check(self) -> None:
        """See that the log is still the same.

        Raises:
            LogReplaced: It is another one, and everything is to be read again.
        """
        with self._committing:
            try:
                self.store.check()
            except LogReplaced:
                self._begin_anew()
                raise

    def _begin_anew(self) -> None:
        self.load()
        self._fanout.each(lambda subscription: subscription.restart())

    def place(self, path: str) -> Place | None:
        """How far a journal has been read."""
        with self._lock:
            return self._places.get(path)

    def forget(self, run_id: str, *, aged: bool = False) -> None:
        """Drop a run from the log."""
        self.store.forget(run_id, aged=aged)
        with self._lock:
            self._foldings.pop(run_id, None)
            self._expected.pop(run_id, None)

    def forget_older_than(self, age_s: float) -> None:
        """Drop runs that ended longer ago than this."""
        limit = time.time() - age_s
        with self._lock:
            states = [folding.state() for folding in self._foldings.values()]
            old = [s.run_id for s in states if ended(s) and (seconds(s.updated_at) or limit) < limit]
        for run_id in old:
            self.forget(run_id, aged=True)

    # --- what a viewer reads comes from here ---

    def begin(self, selection: Selection, after: int | None, log_id: str | None) -> tuple[Frame, Start]:
        """The `subscribed` frame, and where reading begins."""
        begun = self.start(selection, after, log_id)
        frame = subscribed(log_id=self.store.log_id, top=self.store.top, recovered=begun.recovered, timestamp=now())
        return frame, begun

    def start(self, selection: Selection, after: int | None, log_id: str | None) -> Start:
        """Where a viewer with this cursor goes on; without one, at the top."""
        if after is None:
            return Start(self.store.top, recovered=True)
        if after > self.store.top:
            # Another server may have told it more than this one has heard of.
            self.catch_up()
        top = self.store.top
        floor = self.store.floor(selection.run_id)
        return start(after, log_id, current=self.store.log_id, top=top, floor=floor)

    def page(
        self, selection: Selection, after: int, began_at: int, limit: int = _PAGE
    ) -> tuple[list[Frame], int, bool]:
        """Frames after an offset, the offset they go up to, and whether that was the top."""
        messages, at_top = self._read(selection, after, limit)
        up_to = messages[-1].offset if messages else after
        steps = due_steps(
            self._newest_steps(selection, messages), after=after, up_to=None if at_top else up_to, began_at=began_at
        )
        return [frame_of(message) for message in in_order(messages, steps)], up_to, at_top

    def answer(self, selection: Selection, after: int, limit: int) -> list[bytes]:
        """Frames after an offset for whoever polls: at most `limit` messages, and all newest steps."""
        messages, _ = self._read(selection, after, limit)
        return [frame_of(message) for message in in_order(messages, self._newest_steps(selection, messages))]

    def present(self, selection: Selection) -> list[Frame]:
        """The present state of each active run, or of the one selected: the newest message of each kind, in order."""
        messages: list[Stored] = []
        steps: list[Step] = []
        for run_id in self._active(selection):
            messages += self.store.newest(run_id=run_id, client_id=selection.client_id)
            steps += self.store.newest_steps(run_id=run_id, client_id=selection.client_id)
        messages.sort(key=lambda message: message.offset)
        return [frame_of(message) for message in in_order(messages, steps)]

    def _read(self, selection: Selection, after: int, limit: int) -> tuple[list[Stored], bool]:
        # One more than asked for: whether there is more is known without another look.
        messages = self.store.read(after=after, limit=limit + 1, run_id=selection.run_id, client_id=selection.client_id)
        return messages[:limit], len(messages) <= limit

    def _newest_steps(self, selection: Selection, messages: Sequence[Stored]) -> list[Step]:
        runs = dict.fromkeys([*self._active(selection), *(message.run_id for message in messages)])
        found: list[Step] = []
        for run_id in runs:
            found += self.store.newest_steps(run_id=run_id, client_id=selection.client_id)
        return found

    def _active(self, selection: Selection) -> list[str]:
        if selection.run_id is not None:
            return [selection.run_id]
        with self._lock:
            return [run_id for run_id, folding in self._foldings.items() if not ended(folding.state())]


def _decoded(body: bytes) -> Mapping[str, Any]:
    try:
        return _decode(body)
    except ValueError:  # not an object: nobody's message, kept and shown as it is
        return {}


def expected(run_id: str, *, experiment_name: str, mode: str, total: int | None) -> RunState:
    """The state of a run of which no message has come yet."""
    state = RunState(run_id, experiment_name=experiment_name, mode=mode, updated_at=now())
    return replace(state, total_rounds=total) if mode == "federated" else replace(state, total_epochs=total)


def _age(state: RunState) -> tuple[float, str]:
    return seconds(state.start_time) or seconds(state.updated_at) or 0.0, state.run_id
