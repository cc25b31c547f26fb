"""Who is late and who is silent, each by its own usual pace. Pure; `lateness.ts` is the page's copy.

A moment is compared with the present only where this side's clock told both: what another machine wrote counts from
when it came.
"""

from __future__ import annotations

from statistics import median

from federated_pneumonia_detection.hub.state import ClientState, Pace, RunState
from federated_pneumonia_detection.hub.times import seconds

__all__ = ["is_silent", "late_by", "outlasts", "silent_for", "usual_gap", "usual_round"]

_SILENT_AT_LEAST_S = 30.0
_SILENT_UNKNOWN_S = 300.0
_USUAL_NEEDS_GAPS = 3
_LATE_AT_LEAST_S = 10.0
_LATE_NEEDS_ROUNDS = 2
_OUTLASTS_TIMES = 2.0


def silent_for(state: RunState, at: float) -> float | None:
    """Seconds since anybody of the run was heard, where that is long enough to mean something."""
    heard = seconds(state.heard)
    if heard is None:
        return None
    silent_s = at - heard
    return None if silent_s < _silent_after(_usual(state)) else silent_s


def usual_gap(state: RunState) -> float | None:
    """Seconds between two messages of the run, of whoever speaks most often; `None` where too few came."""
    usual = _usual(state)
    return min((median(pace.gaps) for pace in usual), default=None)


def is_silent(client: ClientState, at: float) -> bool:
    """Whether a client was not heard for so long that it means something."""
    heard = seconds(client.heard)
    usual = [client.pace] if len(client.pace.gaps) >= _USUAL_NEEDS_GAPS else []
    return heard is not None and at - heard >= _silent_after(usual)


def late_by(state: RunState, client: ClientState, at: float) -> float:
    """By how many seconds a client is past its own median, 0 where that is within what is usual."""
    elapsed, usual = _elapsed(state, client, at), usual_round(client)
    if elapsed is None or usual is None:
        return 0.0
    by = elapsed - usual
    return by if by > max(_LATE_AT_LEAST_S, 0.1 * usual) else 0.0


def usual_round(client: ClientState) -> float | None:
    """Seconds a client's rounds usually take; `None` before two have ended."""
    return median(client.durations) if len(client.durations) >= _LATE_NEEDS_ROUNDS else None


def outlasts(state: RunState, client: ClientState, at: float) -> tuple[float, float] | None:
    """How long a client has been at it and how long the slowest of the others took, where that is far longer.

    For the first rounds, in which nobody has a pace of its own yet; both in seconds.
    """
    elapsed = _elapsed(state, client, at)
    others = [c.durations[-1] for c in state.clients if c.sent_round >= state.round and c.durations]
    if elapsed is None or usual_round(client) is not None or not others:
        return None
    slowest = max(others)
    return (elapsed, slowest) if elapsed > max(_OUTLASTS_TIMES * slowest, slowest + _LATE_AT_LEAST_S) else None


def _elapsed(state: RunState, client: ClientState, at: float) -> float | None:
    began = seconds(client.began)
    if client.round < state.round or client.sent_round >= client.round or began is None:
        return None
    # Since it last went on, where it was asked to wait meanwhile.
    return at - max(began, seconds(client.resumed) or 0.0, seconds(state.resumed) or 0.0)


def _usual(state: RunState) -> list[Pace]:
    paces = [state.pace, *(client.pace for client in state.clients)]
    return [pace for pace in paces if len(pace.gaps) >= _USUAL_NEEDS_GAPS]


def _silent_after(usual: list[Pace]) -> float:
    """After how many seconds a silence means something: ten usual gaps, and at least thirty seconds.

    Twice the longest gap so far as well: who validates for a minute after each epoch is not silent then.
    """
    if not usual:
        return _SILENT_UNKNOWN_S
    ten_usual = 10 * min(median(pace.gaps) for pace in usual)
    return max(_SILENT_AT_LEAST_S, ten_usual, 2 * min(pace.longest for pace in usual))
