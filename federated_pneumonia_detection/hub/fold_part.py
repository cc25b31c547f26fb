"""A client's rounds, and how its part of the run ended: whatever order its journals and the server's are read in.

A client may have several journals (one for each process it was), and others speak of its failures. So nothing here goes
by what came last: rounds are kept by number, and what an end means follows from all that is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from federated_pneumonia_detection.hub.fields import integer, mapping, text
from federated_pneumonia_detection.hub.state import ClientFields, ClientRound, ClientState, End, Failure, RunStatus
from federated_pneumonia_detection.hub.times import before, earlier, later, seconds
from federated_pneumonia_detection.hub.waits import Waits, waited_s

__all__ = ["ENDS", "Part", "end_of"]

ENDS: dict[str, RunStatus] = {
    "training_complete": "completed",
    "training_error": "failed",
    "training_cancelled": "cancelled",
}
_KEPT_ROUNDS = 6
_KEPT_DURATIONS = 5


class Part:
    """One client's rounds and ends while messages are folded."""

    def __init__(self, state: ClientState) -> None:
        self._rounds = {one.number: one for one in state.rounds}
        self._failures = {failure.round is None: failure for failure in state.failures}
        self._said_end = state.said_end
        self._total_rounds = state.total_rounds
        # Also of rounds that are not kept any more.
        self._sent_round = state.sent_round
        self._samples = state.num_samples

    def start(self, message: Mapping[str, Any], round_: int | None, time: str) -> None:
        """It starts a round; of two processes that do, the later one."""
        total = integer(message.get("total_rounds"))
        if total is not None:
            self._total_rounds = max(self._total_rounds or 0, total)
        if round_ is not None:
            one = self._round(round_)
            if later(one.started, time) == time:
                self._put(replace(one, started=time, began=text(message.get("received")) or time))

    def send(self, message: Mapping[str, Any], round_: int, time: str) -> None:
        """It ends a round; told again (it has evaluated, too), the first time holds."""
        one = self._round(round_)
        samples = integer(mapping(message.get("eval_metrics")).get("num_samples"))
        known = [n for n in (one.samples, samples) if n is not None]
        self._put(replace(one, sent=earlier(one.sent, time), samples=max(known, default=None)))
        self._sent_round = max(self._sent_round, round_)
        told = [one.samples for _, one in sorted(self._rounds.items()) if one.samples is not None]
        self._samples = told[-1] if told else self._samples

    def end(self, message: Mapping[str, Any], round_: int | None, time: str) -> None:
        """A terminal message of its own, or somebody's word that it failed."""
        if message["type"] not in ("client_failed", "training_error"):
            said = end_of(message, time)
            if self._said_end is None or _first(said) < _first(self._said_end):
                self._said_end = said
            return
        error = text(message.get("error")) or "it did not say why"
        own = message["type"] == "training_error"
        died, seen = text(message.get("about")).startswith("death:"), text(message.get("received")) or time
        failure = Failure(round_, own, time, error, text(message.get("detail")), seen, died)
        known = self._failures.get(round_ is None)
        if known is None or _weight(known) < _weight(failure):
            self._failures[round_ is None] = failure

    def settle(self, client: ClientFields) -> None:
        """Put what it comes to into a client's fields; its newest round stands there already."""
        rounds = [one for _, one in sorted(self._rounds.items())]
        client.rounds = tuple(rounds)
        client.failures = tuple(failure for _, failure in sorted(self._failures.items()))
        client.said_end, client.total_rounds = self._said_end, self._total_rounds
        newest = self._rounds.get(client.round)
        client.started, client.began = (None, None) if newest is None else (newest.started, newest.began)
        client.sent_round = self._sent_round
        client.num_samples = self._samples
        taken = [_took(one, client.waits) for one in rounds]
        client.durations = tuple(s for s in taken if s is not None)[-_KEPT_DURATIONS:]
        failure = self._failure(client.round)
        client.failed_round = 0 if failure is None else failure.round or 0
        client.error, client.failed_at = (None, None) if failure is None else (failure.error, failure.seen)
        client.end = self._end(failure, client.round)

    def _failure(self, newest: int) -> Failure | None:
        """Its failure in the newest round it failed in; one that names no round is of the round it then was in."""
        placed = [
            failure if failure.round is not None else replace(failure, round=self._round_at(failure.time, newest))
            for failure in self._failures.values()
        ]
        return max(placed, key=_weight, default=None)

    def _round_at(self, time: str, newest: int) -> int:
        # By its own clock: it is the client itself that says so.
        begun = [one.number for one in self._rounds.values() if one.started is not None]
        later_ones = [number for number in begun if before(time, self._rounds[number].started)]
        return max((number for number in begun if number < min(later_ones)), default=0) if later_ones else newest

    def _end(self, failure: Failure | None, newest: int) -> End | None:
        """Its end: what it said itself, or its last round; else a failure after which it has begun no other round."""
        total = self._total_rounds
        last = [one for one in self._rounds.values() if one.sent is not None and total and one.number >= total]
        ends = [End("completed", one.sent or "") for one in last]
        if self._said_end is not None:
            ends.append(self._said_end)
        if ends:
            return min(ends, key=_first)
        if failure is None or newest > (failure.round or 0):
            return None
        return End("failed", failure.time, error=failure.error, detail=failure.detail, died=failure.died)

    def _round(self, number: int) -> ClientRound:
        return self._rounds.get(number) or ClientRound(number)

    def _put(self, one: ClientRound) -> None:
        self._rounds[one.number] = one
        # The newest by number: what is dropped comes back in no order.
        for old in sorted(self._rounds)[:-_KEPT_ROUNDS]:
            del self._rounds[old]


def end_of(message: Mapping[str, Any], time: str) -> End:
    """The end that a terminal message tells."""
    status = ENDS[message["type"]]
    if status == "failed":
        error = text(message.get("error")) or "it did not say why"
        died = text(message.get("about")).startswith("death:")
        return End(status, time, error=error, detail=text(message.get("detail")), died=died)
    if status == "cancelled":
        return End(status, time, by=text(message.get("by")), reason=text(message.get("reason")))
    return End(status, time)


def _first(end: End) -> tuple[float, str, str, str]:
    return seconds(end.time) or 0.0, end.status, end.by or "", end.reason or ""


def _weight(failure: Failure) -> tuple[int, bool, float, str, str]:
    # Of a round's failures the client's own word says most, and the first of several.
    return failure.round or 0, failure.own, -(seconds(failure.time) or 0.0), failure.error, failure.detail or ""


def _took(one: ClientRound, waits: Waits) -> float | None:
    started, sent = seconds(one.started), seconds(one.sent)
    return None if started is None or sent is None else max(0.0, sent - started - waited_s(waits, started, sent))
