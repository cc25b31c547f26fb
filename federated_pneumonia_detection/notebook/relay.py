"""What a kernel sends to the cell that shows a run: each message once, a few times a second, steps thinned."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from federated_pneumonia_detection.hub.fields import mapping, number, text
from federated_pneumonia_detection.hub.fold import Folding
from federated_pneumonia_detection.hub.series import keep_extremes
from federated_pneumonia_detection.hub.state import RunState, ended
from federated_pneumonia_detection.notebook.source import opened

__all__ = ["Relay", "Told"]

EVERY_S: Final = 0.25
"""The least time between two sends."""
REPEATED_S: Final = 10.0
"""How long what was sent is sent again with what is new: for a cell that is still loading, and cannot ask while the
kernel is busy with another cell."""
STEPS_KEPT: Final = 2000
"""Of what was before, so many steps of each phase; each stretch keeps its least and greatest."""

Message = dict[str, Any]


class Told:
    """What a cell is told of a run so far: a list that only grows, numbered as a viewer's messages are. Pure."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._rows: Counter[tuple[str, str]] = Counter()

    def take(self, batch: Sequence[Message]) -> int:
        """Add what came; from which place on it is new.

        Of the steps among it the newest of each client and phase stays, or, of what was there before anything was told,
        enough of a run's own that its curve looks the same.
        """
        begin = len(self.messages)
        kept = _thinned(batch, 1 if self.messages else STEPS_KEPT)
        for message in kept:
            if message.get("type") == "step":
                line = _line_of(message)
                self._rows[line] += 1
                self.messages.append({**message, "row": self._rows[line]})
            else:
                self.messages.append({**message, "offset": message.get("offset", len(self.messages) + 1)})
        return begin


def _line_of(message: Message) -> tuple[str, str]:
    return text(message.get("client_id")), text(message.get("phase"))


def _thinned(batch: Iterable[Message], most: int) -> list[Message]:
    messages = list(batch)
    steps: dict[tuple[str, str], list[int]] = {}
    for place, message in enumerate(messages):
        if message.get("type") == "step":
            steps.setdefault(_line_of(message), []).append(place)
    left_out: set[int] = set()
    for (client, _), places in steps.items():
        # Of a hospital only the newest step is shown.
        if client or most == 1:
            kept = {places[-1]}
        else:
            values = [_first_value(messages[place]) for place in places]
            kept = {places[index] for index in keep_extremes(values, most)}
        left_out.update(place for place in places if place not in kept)
    return [message for place, message in enumerate(messages) if place not in left_out]


def _first_value(step: Message) -> float | None:
    return next((number(value) for value in mapping(step.get("metrics")).values()), None)


class Relay:
    """Follows a run on a thread of its own and hands on what is new, until the run has ended or nobody looks any more.

    Args:
        run_id: the run.
        where: a log directory, or the address of a server.
        send: given the place where it begins, and messages; called from the thread.
        whole: given all there is; called first, and whenever that has doubled.
    """

    def __init__(
        self,
        run_id: str,
        where: str | Path,
        *,
        send: Callable[[int, list[Message]], None],
        whole: Callable[[list[Message]], None],
    ) -> None:
        self._run_id = run_id
        self._where = where
        self._send, self._whole = send, whole
        self._lock = threading.Lock()
        self._told = Told()
        # When each place was sent first, for what is sent again.
        self._sent: list[tuple[float, int]] = []
        self._whole_at = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, name=f"fpd cell {run_id}", daemon=True)

    def start(self) -> None:
        """Begin, once."""
        if not self._thread.is_alive() and not self._over.is_set():
            self._thread.start()

    def stop(self) -> None:
        """Follow no longer."""
        self._over.set()

    def repeat(self, have: int) -> None:
        """Send again what a cell lacks that has so many messages."""
        with self._lock:
            if have < len(self._told.messages):
                self._send(have, self._told.messages[have:])

    def _follow(self) -> None:
        folding = Folding(RunState(self._run_id))
        waiting: list[Message] = []
        flushed = 0.0
        with opened(self._where) as feed:
            for message in _lasting(feed.messages(self._run_id)):
                if self._over.is_set():
                    return
                if message is not None:
                    waiting.append(message)
                    folding.take(message)
                now = time.monotonic()
                if waiting and (message is None or (flushed and now - flushed >= EVERY_S)):
                    self._flush(waiting, now)
                    waiting, flushed = [], now
                elif not flushed:
                    flushed = now
                if message is None and not waiting and ended(folding.state()):
                    return

    def _flush(self, batch: list[Message], now: float) -> None:
        with self._lock:
            begin = self._told.take(batch)
            messages = self._told.messages
            if len(messages) >= 2 * self._whole_at:
                self._whole_at = len(messages)
                self._whole(messages)
                return
            self._sent = [*((at, place) for at, place in self._sent if now - at < REPEATED_S), (now, begin)]
            begin = self._sent[0][1]
            self._send(begin, messages[begin:])


def _lasting(messages: Iterable[Message | None]) -> Iterable[Message | None]:
    """The same, ended where the server has gone for good: the cell then shows what it has."""
    try:
        yield from messages
    except ConnectionError:
        return
