"""The log in memory: what a `ConnectionManager` keeps, and the double of the SQL store in tests."""

from __future__ import annotations

import bisect
import secrets
import threading
from collections.abc import Callable, Iterable

from federated_pneumonia_detection.hub.stores.store import (
    NOBODY,
    NOTHING,
    TO_SEE_TO,
    Arrival,
    Batch,
    News,
    Place,
    Step,
    Stored,
)

__all__ = ["MemoryStore"]


class MemoryStore:
    """A log that ends with its process, with a bound for each run.

    Args:
        max_messages: How many lifecycle messages, and how many steps, of one run are kept; the oldest go first.
    """

    is_shared = False

    def __init__(self, *, max_messages: int = 100_000) -> None:
        self._max_messages = max_messages
        self._lock = threading.RLock()
        self._log_id = secrets.token_hex(8)
        self._top = 0
        self._floor = 0
        self._floors: dict[str, int] = {}
        self._runs: dict[str, _Run] = {}
        self._log: list[Stored] = []
        self._places: dict[str, Place] = {}
        # The highest number stored of each writer, and the numbers below it that are missing.
        self._writers: dict[str, tuple[int, set[int]]] = {}

    @property
    def log_id(self) -> str:
        """Which log this is."""
        return self._log_id

    @property
    def top(self) -> int:
        """The newest offset."""
        return self._top

    def append(self, batch: Batch) -> list[Stored | Step]:
        """Take a batch in; see `Store.append`."""
        with self._lock:
            added = [self._add(arrival) for arrival in batch.arrivals if self._is_new(arrival)]
            for place in batch.places:
                self._places[place.path] = place
            for run_id in {arrival.run_id for arrival in batch.arrivals}:
                self._trim(run_id)
            return added

    def news(self) -> News:
        """Nobody else appends."""
        return NOTHING

    def listen(self, on_news: Callable[[], None]) -> None:
        """There is never any news."""

    def _is_new(self, arrival: Arrival) -> bool:
        highest, missing = self._writers.setdefault(arrival.writer, (0, set()))
        if arrival.n > highest:
            missing.update(range(highest + 1, min(arrival.n, highest + 1 + self._max_messages)))
            self._writers[arrival.writer] = (arrival.n, missing)
            return True
        if arrival.n in missing:
            missing.remove(arrival.n)
            return True
        return False

    def _add(self, arrival: Arrival) -> Stored | Step:
        run = self._runs.setdefault(arrival.run_id, _Run())
        if arrival.type == "step":
            steps = run.steps.setdefault((arrival.client_id, arrival.phase), [])
            row = run.rows.get((arrival.client_id, arrival.phase), 0) + 1
            run.rows[arrival.client_id, arrival.phase] = row
            step = Step(
                row=row,
                run_id=arrival.run_id,
                client_id=arrival.client_id,
                phase=arrival.phase,
                body=arrival.body,
                at=self._top,
                writer=arrival.writer,
                n=arrival.n,
            )
            steps.append(step)
            return step
        self._top += 1
        stored = Stored(
            offset=self._top,
            run_id=arrival.run_id,
            client_id=arrival.client_id,
            type=arrival.type,
            phase=arrival.phase,
            body=arrival.body,
            writer=arrival.writer,
            n=arrival.n,
        )
        run.messages.append(stored)
        run.newest[arrival.type, arrival.phase, arrival.client_id] = stored
        self._log.append(stored)
        return stored

    def _trim(self, run_id: str) -> None:
        run = self._runs.get(run_id)
        if run is None:
            return
        for steps in run.steps.values():
            if len(steps) > self._max_messages:
                del steps[: len(steps) - self._max_messages]
        excess = len(run.messages) - self._max_messages
        # A tenth at a time: each removal walks the whole log once.
        if excess > self._max_messages // 10:
            gone = {message.offset for message in run.messages[:excess]}
            self._floors[run_id] = max(gone)
            self._floor = max(self._floor, max(gone))
            del run.messages[:excess]
            self._log = [message for message in self._log if message.offset not in gone]

    def read(self, *, after: int, limit: int, run_id: str | None = None, client_id: str | None = None) -> list[Stored]:
        """Lifecycle messages above `after`; see `Store.read`."""
        with self._lock:
            if run_id is None:
                log = self._log
            else:
                run = self._runs.get(run_id)
                log = run.messages if run else []
            begin = bisect.bisect_right(log, after, key=lambda message: message.offset)
            if client_id is None:
                return log[begin : begin + limit]
            chosen: list[Stored] = []
            for message in log[begin:]:
                if (message.client_id or NOBODY) == client_id:
                    chosen.append(message)
                    if len(chosen) >= limit:
                        break
            return chosen

    def to_see_to(self, *, before: int, limit: int, run_id: str | None = None) -> list[Stored]:
        """What somebody should look at, the newest first; see `Store.to_see_to`."""
        with self._lock:
            run = self._runs.get(run_id) if run_id is not None else None
            log = self._log if run_id is None else run.messages if run else []
            chosen: list[Stored] = []
            for message in reversed(log):
                if message.type in TO_SEE_TO and message.offset < before:
                    chosen.append(message)
                    if len(chosen) >= limit:
                        break
            return chosen

    def newest(self, *, run_id: str, client_id: str | None = None) -> list[Stored]:
        """The newest message of each type, phase and client; see `Store.newest`."""
        with self._lock:
            run = self._runs.get(run_id)
            chosen: Iterable[Stored] = run.newest.values() if run else ()
            return sorted(
                (message for message in chosen if client_id is None or message.client_id == client_id),
                key=lambda message: message.offset,
            )

    def newest_steps(self, *, run_id: str, client_id: str | None = None) -> list[Step]:
        """The newest step of each client and phase; see `Store.newest_steps`."""
        with self._lock:
            run = self._runs.get(run_id)
            if run is None:
                return []
            return [
                steps[-1]
                for (client, _), steps in run.steps.items()
                if steps and (client_id is None or client == client_id)
            ]

    def steps(
        self, *, run_id: str, client_id: str | None = None, phase: str | None = None, since: int = 0
    ) -> list[Step]:
        """Steps above a row; see `Store.steps`."""
        with self._lock:
            run = self._runs.get(run_id)
            if run is None:
                return []
            chosen: list[Step] = []
            for client, its_phase in sorted(run.steps, key=lambda key: (key[0] or "", key[1])):
                if client_id not in (None, client or NOBODY) or phase not in (None, its_phase):
                    continue
                steps = run.steps[client, its_phase]
                chosen.extend(steps[bisect.bisect_right(steps, since, key=lambda step: step.row) :])
            return chosen

    def places(self) -> list[Place]:
        """How far each journal has been read."""
        with self._lock:
            return list(self._places.values())

    def floor(self, run_id: str | None = None) -> int:
        """The newest offset that is kept no more."""
        with self._lock:
            return self._floor if run_id is None else self._floors.get(run_id, 0)

    def forget(self, run_id: str, *, aged: bool = False) -> None:
        """Drop a run; see `Store.forget`.

        Args:
            run_id: The run.
            aged: Nobody asked for it, it is only too old: then a viewer that missed it must be told.
        """
        with self._lock:
            run = self._runs.pop(run_id, None)
            if run is None:
                return
            if aged and run.messages:
                self._floor = max(self._floor, run.messages[-1].offset)
            self._log = [message for message in self._log if message.run_id != run_id]

    def check(self) -> None:
        """Nobody can take it away."""

    def close(self) -> None:
        """Nothing to let go of."""


class _Run:
    """What is kept of one run."""

    def __init__(self) -> None:
        self.messages: list[Stored] = []
        self.newest: dict[tuple[str, str, str | None], Stored] = {}
        self.steps: dict[tuple[str | None, str], list[Step]] = {}
        self.rows: dict[tuple[str | None, str], int] = {}
