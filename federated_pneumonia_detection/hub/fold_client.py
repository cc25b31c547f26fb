"""What one more message tells of one client (and of the pace of whoever leads the run)."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from msgspec.structs import astuple

from federated_pneumonia_detection.hub.fields import integer, text
from federated_pneumonia_detection.hub.fold_part import ENDS, Part, end_of
from federated_pneumonia_detection.hub.fold_withheld import Withholding
from federated_pneumonia_detection.hub.state import ClientFields, ClientState, Pace
from federated_pneumonia_detection.hub.times import before, later, seconds
from federated_pneumonia_detection.hub.waits import with_wait

__all__ = ["HUB_SAYS", "ClientFolding", "Pacing", "end_of", "more", "newest"]

# Said by the hub (or a server through it) about a run: signs of a hub's life, not of the run's.
# What a site withholds is its shipper's word.
HUB_SAYS = frozenset({"run_queued", "run_edited", "alert", "client_failed", "withheld"})
_KEPT_GAPS = 20


class _Draft(ClientFields):
    """A client's fields while messages are folded into them."""


class ClientFolding:
    """One client's part of a run while messages are folded into it."""

    def __init__(self, state: ClientState) -> None:
        self._draft = _Draft(*astuple(state))
        self._pacing = Pacing(state.pace)
        self._withholding = Withholding(state.withheld)
        self._part = Part(state)
        # The times that each message is compared with, as numbers.
        self.first_seen_s = seconds(state.first_seen)
        self._last_seen_s, self._heard_s = seconds(state.last_seen), seconds(state.heard)
        # What it came to the last time somebody asked; None since a message came.
        self._frozen: ClientState | None = state

    def state(self) -> ClientState:
        """What it comes to so far."""
        if self._frozen is None:
            self._draft.pace = self._pacing.pace()
            self._draft.withheld = self._withholding.told()
            self._part.settle(self._draft)
            self._frozen = ClientState(*astuple(self._draft))
        return self._frozen

    def take(self, type_: str, message: Mapping[str, Any], time: str, time_s: float | None) -> None:
        """Go on by a message of this client, or about it."""
        self._frozen = None
        client = self._draft
        if time_s is not None and (self.first_seen_s is None or time_s < self.first_seen_s):
            client.first_seen, self.first_seen_s = time, time_s
        if "withheld" in message:
            self._withholding.take(message)
        if type_ not in HUB_SAYS:
            self._hear(time, time_s, waited=type_ == "training_resumed")
            received = message.get("received")
            if received is None:
                self._sign_of_life(time, time_s)
            else:
                self._sign_of_life(text(received), seconds(text(received)))
        elif type_ == "alert":
            self._judge(message, time, time_s)
        if type_ == "round_end" or type_ == "client_failed":
            client.bytes_down = more(client.bytes_down, message.get("bytes_down"))
            client.bytes_up = more(client.bytes_up, message.get("bytes_up"))
        round_ = integer(message.get("round"))
        if round_ is not None and round_ > client.round and type_ != "client_failed":
            client.round, client.local_epoch = round_, 0
            client.step = client.total_steps = None
        current = client.round if round_ is None or client.round > round_ else round_
        if type_ == "step":
            if round_ is None or round_ == current:
                client.step, client.total_steps = integer(message.get("step")), integer(message.get("total_steps"))
        elif type_ == "local_epoch":
            if round_ is None or round_ == current:
                client.local_epoch = max(client.local_epoch, integer(message.get("local_epoch")) or 0)
        elif type_ == "round_start":
            self._part.start(message, round_, time)
        elif type_ == "round_end":
            if round_ is not None:
                self._part.send(message, round_, time)
        elif type_ == "client_failed" or type_ in ENDS:
            self._part.end(message, round_, time)
            self._fell(message, type_, round_ or current, time)
        elif type_ == "training_paused":
            client.waits = with_wait(client.waits, time, False)
            if client.resumed is None or before(client.resumed, time):
                client.paused = later(client.paused, time)
        elif type_ == "training_resumed":
            client.waits = with_wait(client.waits, time, True)
            client.resumed = later(client.resumed, time)
            client.paused = None if not before(time, client.paused) else client.paused

    def _sign_of_life(self, time: str, time_s: float | None) -> None:
        if time_s is not None and (self._heard_s is None or time_s > self._heard_s):
            self._draft.heard, self._heard_s = time, time_s

    def _fell(self, message: Mapping[str, Any], type_: str, round_: int, time: str) -> None:
        """Who says that it failed: the hub, which saw its process gone, or the server, which counts on it no more."""
        client = self._draft
        if text(message.get("about")).startswith("death:"):
            seen = (text(message.get("received")) or time, text(message.get("error")))
            client.died = newest(client.died, seen)
        elif type_ == "client_failed":
            client.given_up = max(client.given_up, round_)

    def _judge(self, message: Mapping[str, Any], time: str, time_s: float | None) -> None:
        """What the hub has seen of it, or somebody's warning."""
        client = self._draft
        kind, has_kind, _ = text(message.get("about")).partition(":")
        seen = (text(message.get("received")) or time, text(message.get("text")))
        if has_kind and kind == "heard":
            self._sign_of_life(time, time_s)
        elif has_kind and kind == "lost":
            client.lost = newest(client.lost, seen)
        elif has_kind and kind == "halted":
            client.halted = newest(client.halted, seen)
        elif has_kind and kind == "death":
            client.died = newest(client.died, seen)
        elif message.get("level") == "error":
            client.trouble = newest(client.trouble, seen)

    def _hear(self, time: str, time_s: float | None, *, waited: bool) -> None:
        self._pacing.hear(time, time_s, waited=waited)
        client = self._draft
        if self._last_seen_s is None:
            client.last_seen, self._last_seen_s = time or client.last_seen, time_s
        elif time_s is not None and time_s > self._last_seen_s:
            client.last_seen, self._last_seen_s = time, time_s


class Pacing:
    """How often somebody is heard, while messages are folded."""

    def __init__(self, pace: Pace) -> None:
        self._last = pace.last
        self._last_s = seconds(pace.last)
        self._gaps = deque(pace.gaps, _KEPT_GAPS)
        self._longest = pace.longest

    def hear(self, time: str, time_s: float | None, *, waited: bool = False) -> None:
        """Go on by a message of that time; one of an earlier time than the last changes nothing.

        A gap in which somebody `waited` because it was asked to is nobody's usual one.
        """
        last_s = self._last_s
        if time_s is None:
            return
        if last_s is not None:
            gap = time_s - last_s
            if gap < 0:
                return
        if last_s is not None and not waited:
            self._gaps.append(gap)
            if gap > self._longest:
                self._longest = gap
        self._last, self._last_s = time, time_s

    def pace(self) -> Pace:
        """What it comes to so far."""
        return Pace(last=self._last, gaps=tuple(self._gaps), longest=self._longest)


def newest(known: tuple[str, str] | None, seen: tuple[str, str]) -> tuple[str, str]:
    """The later one of what was seen at two times."""
    return known if known is not None and not before(known[0], seen[0]) else seen


def more(before: int | None, told: Any) -> int | None:
    """A count after what a message adds to it; what is no count adds nothing."""
    added = integer(told)
    return before if added is None or added < 0 else (before or 0) + added
