"""What one more message tells of one client (and of the pace of whoever leads the run)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from federated_pneumonia_detection.hub.fields import integer, mapping, text
from federated_pneumonia_detection.hub.state import ClientState, End, Pace, RunStatus
from federated_pneumonia_detection.hub.times import before, later, seconds

__all__ = ["HUB_SAYS", "client_after", "end_of", "paced"]

ENDS: dict[str, RunStatus] = {
    "training_complete": "completed",
    "training_error": "failed",
    "training_cancelled": "cancelled",
}
# Said by the hub (or a server through it) about a run: signs of a hub's life, not of the run's.
HUB_SAYS = frozenset({"run_queued", "run_edited", "alert", "client_failed"})
_KEPT_GAPS = 20
_KEPT_DURATIONS = 5


def client_after(client: ClientState, type_: str, message: Mapping[str, Any], time: str) -> ClientState:
    """The client after a message of it, or about it."""
    round_ = integer(message.get("round"))
    changes: dict[str, Any] = {}
    if type_ not in HUB_SAYS:
        changes["pace"] = paced(client.pace, time)
        changes["last_seen"] = later(client.last_seen, time)
        if before(time, client.first_seen):
            changes["first_seen"] = time
    if round_ is not None and round_ > client.round and type_ != "client_failed":
        changes.update(round=round_, local_epoch=0, step=None, total_steps=None, started=None)
    current = max(client.round, round_ or 0)
    if type_ == "round_start" and round_ == current:
        changes.update(started=time, total_rounds=integer(message.get("total_rounds")) or client.total_rounds)
    elif type_ == "local_epoch" and round_ in (None, current):
        known = changes.get("local_epoch", client.local_epoch)
        changes["local_epoch"] = max(known, integer(message.get("local_epoch")) or 0)
    elif type_ == "step" and round_ in (None, current):
        changes.update(step=integer(message.get("step")), total_steps=integer(message.get("total_steps")))
    elif type_ == "round_end" and round_ is not None:
        changes.update(_after_round_end(client, message, round_, time))
    elif type_ == "client_failed" or type_ == "training_error":
        error = text(message.get("error")) or "it did not say why"
        changes.update(failed_round=max(client.failed_round, round_ or current), error=error)
        went_on = round_ is not None and client.round > round_
        if not went_on and (client.end is None or before(time, client.end.time)):
            changes["end"] = End("failed", time, error=error, detail=text(message.get("detail")))
    elif type_ in ENDS and client.end is None:
        changes["end"] = end_of(message, time)
    came_back = type_ == "round_start" and round_ is not None and round_ > client.failed_round
    if came_back and client.end is not None and client.end.status == "failed":
        # It failed, and takes part in a later round: its part is not over.
        changes["end"] = None
    return replace(client, **changes)


def _after_round_end(client: ClientState, message: Mapping[str, Any], round_: int, time: str) -> dict[str, Any]:
    changes: dict[str, Any] = {"sent_round": max(client.sent_round, round_)}
    begun, done = seconds(client.started), seconds(time)
    if round_ == client.round and round_ > client.sent_round and begun is not None and done is not None:
        changes["durations"] = (*client.durations, max(0.0, done - begun))[-_KEPT_DURATIONS:]
    samples = integer(mapping(message.get("eval_metrics")).get("num_samples"))
    if samples is not None and round_ >= client.sent_round:
        changes["num_samples"] = samples
    if client.total_rounds is not None and round_ >= client.total_rounds and client.end is None:
        changes["end"] = End("completed", time)
    return changes


def paced(pace: Pace, time: str) -> Pace:
    """The pace after a message of that time."""
    last, now = seconds(pace.last), seconds(time)
    if now is None or (last is not None and now < last):
        return pace
    if last is None:
        return Pace(last=time)
    gap = now - last
    return Pace(last=time, gaps=(*pace.gaps, gap)[-_KEPT_GAPS:], longest=max(pace.longest, gap))


def end_of(message: Mapping[str, Any], time: str) -> End:
    """The end that a terminal message tells."""
    status = ENDS[message["type"]]
    if status == "failed":
        error = text(message.get("error")) or "it did not say why"
        return End(status, time, error=error, detail=text(message.get("detail")))
    if status == "cancelled":
        return End(status, time, by=text(message.get("by")), reason=text(message.get("reason")))
    return End(status, time)
