"""What one more message tells of one client (and of the pace of whoever leads the run)."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from msgspec.structs import astuple

from federated_pneumonia_detection.hub.fields import integer, mapping, text
from federated_pneumonia_detection.hub.fold_withheld import Withholding
from federated_pneumonia_detection.hub.state import ClientFields, ClientState, End, Pace, RunStatus
from federated_pneumonia_detection.hub.times import before, later, seconds

__all__ = ["HUB_SAYS", "ClientFolding", "Pacing", "end_of", "more"]

ENDS: dict[str, RunStatus] = {
    "training_complete": "completed",
    "training_error": "failed",
    "training_cancelled": "cancelled",
}
# Said by the hub (or a server through it) about a run: signs of a hub's life, not of the run's.
# What a site withholds is its shipper's word.
HUB_SAYS = frozenset({"run_queued", "run_edited", "alert", "client_failed", "withheld"})
_KEPT_GAPS = 20
_KEPT_DURATIONS = 5


class _Draft(ClientFields):
    """A client's fields while messages are folded into them."""


class ClientFolding:
    """One client's part of a run while messages are folded into it."""

    def __init__(self, state: ClientState) -> None:
        self._draft = _Draft(*astuple(state))
        self._pacing = Pacing(state.pace)
        self._withholding = Withholding(state.withheld)
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
            self._frozen = ClientState(*astuple(self._draft))
        return self._frozen

    def take(self, type_: str, message: Mapping[str, Any], time: str, time_s: float | None) -> None:
        """Go on by a message of this client, or about it."""
        self._frozen = None
        client = self._draft
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
            self._judge(text(message.get("about")), text(message.get("text")), time, time_s)
        if type_ == "round_end" or type_ == "client_failed":
            client.bytes_down = more(client.bytes_down, message.get("bytes_down"))
            client.bytes_up = more(client.bytes_up, message.get("bytes_up"))
        round_ = integer(message.get("round"))
        if round_ is not None and round_ > client.round and type_ != "client_failed":
            client.round, client.local_epoch, client.started = round_, 0, None
            client.step = client.total_steps = None
        current = client.round if round_ is None or client.round > round_ else round_
        if type_ == "step":
            if round_ is None or round_ == current:
                client.step, client.total_steps = integer(message.get("step")), integer(message.get("total_steps"))
        elif type_ == "local_epoch":
            if round_ is None or round_ == current:
                client.local_epoch = max(client.local_epoch, integer(message.get("local_epoch")) or 0)
        elif type_ == "round_start":
            self._start_round(message, round_, current, time)
        elif type_ == "round_end":
            if round_ is not None:
                self._end_round(message, round_, time, time_s)
        elif type_ == "client_failed" or type_ == "training_error":
            self._fail(message, round_, current, time)
        elif type_ in ENDS and client.end is None:
            client.end = end_of(message, time)
        elif type_ == "training_paused":
            if client.resumed is None or before(client.resumed, time):
                client.paused = later(client.paused, time)
        elif type_ == "training_resumed":
            client.resumed = later(client.resumed, time)
            client.paused = None if not before(time, client.paused) else client.paused

    def _sign_of_life(self, time: str, time_s: float | None) -> None:
        if time_s is not None and (self._heard_s is None or time_s > self._heard_s):
            self._draft.heard, self._heard_s = time, time_s

    def _judge(self, about: str, words: str, time: str, time_s: float | None) -> None:
        client = self._draft
        if about.startswith("heard:"):
            self._sign_of_life(time, time_s)
        elif about.startswith("lost:") and (client.lost is None or before(client.lost[0], time)):
            client.lost = (time, words)

    def _hear(self, time: str, time_s: float | None, *, waited: bool) -> None:
        self._pacing.hear(time, time_s, waited=waited)
        client = self._draft
        if self._last_seen_s is None:
            client.last_seen, self._last_seen_s = time or client.last_seen, time_s
        elif time_s is not None and time_s > self._last_seen_s:
            client.last_seen, self._last_seen_s = time, time_s
        if time_s is not None and self.first_seen_s is not None and time_s < self.first_seen_s:
            client.first_seen, self.first_seen_s = time, time_s

    def _start_round(self, message: Mapping[str, Any], round_: int | None, current: int, time: str) -> None:
        client = self._draft
        if round_ == current:
            client.started = time
            client.total_rounds = integer(message.get("total_rounds")) or client.total_rounds
        came_back = round_ is not None and round_ > client.failed_round
        if came_back and client.end is not None and client.end.status == "failed":
            # It failed, and takes part in a later round: its part is not over.
            client.end = None

    def _end_round(self, message: Mapping[str, Any], round_: int, time: str, time_s: float | None) -> None:
        client = self._draft
        begun = seconds(client.started)
        if round_ == client.round and round_ > client.sent_round and begun is not None and time_s is not None:
            client.durations = (*client.durations, max(0.0, time_s - begun))[-_KEPT_DURATIONS:]
        samples = integer(mapping(message.get("eval_metrics")).get("num_samples"))
        if samples is not None and round_ >= client.sent_round:
            client.num_samples = samples
        client.sent_round = max(client.sent_round, round_)
        if client.total_rounds is not None and round_ >= client.total_rounds and client.end is None:
            client.end = End("completed", time)

    def _fail(self, message: Mapping[str, Any], round_: int | None, current: int, time: str) -> None:
        client = self._draft
        error = text(message.get("error")) or "it did not say why"
        client.failed_round, client.error = max(client.failed_round, round_ or current), error
        went_on = round_ is not None and client.round > round_
        if not went_on and (client.end is None or before(time, client.end.time)):
            client.end = End("failed", time, error=error, detail=text(message.get("detail")))


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


def more(before: int | None, told: Any) -> int | None:
    """A count after what a message adds to it; what is no count adds nothing."""
    added = integer(told)
    return before if added is None or added < 0 else (before or 0) + added


def end_of(message: Mapping[str, Any], time: str) -> End:
    """The end that a terminal message tells."""
    status = ENDS[message["type"]]
    if status == "failed":
        error = text(message.get("error")) or "it did not say why"
        return End(status, time, error=error, detail=text(message.get("detail")))
    if status == "cancelled":
        return End(status, time, by=text(message.get("by")), reason=text(message.get("reason")))
    return End(status, time)
