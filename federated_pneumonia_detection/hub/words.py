"""Words for states: pure functions of a run's state and a clock.

The page, the terminal and the API say the same sentence; the page's own copy of these rules (`words.ts`) is tested on
the same recordings (`tests/recordings`). `condition` says what the run does or waits for; here its hospitals get their
words, and the time left is put behind it.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from federated_pneumonia_detection.hub.condition import condition
from federated_pneumonia_detection.hub.lateness import is_silent, late_by
from federated_pneumonia_detection.hub.round_words import waiting_for
from federated_pneumonia_detection.hub.state import (
    ClientState,
    ClientStatus,
    RunState,
    ended,
    is_dead,
    is_federated,
    is_halted,
    is_lost,
)
from federated_pneumonia_detection.hub.time_left import time_left, time_left_words
from federated_pneumonia_detection.hub.wording import (
    bare,
    duration_words,
    expected,
    joined,
    short_cause,
    shortened,
)

__all__ = ["described", "status_word"]

WORDS = {
    "queued": "Waiting to start",
    "started": "Starting",
    "running": "Running",
    "completed": "Finished",
    "failed": "Failed",
    "cancelled": "Stopped",
    "lost": "Lost",
}
_ERROR_LETTERS = 28


def described(state: RunState, now: datetime) -> RunState:
    """The state with everything that needs a clock: its condition and sentences, and its clients' states in words.

    Args:
        state: The state that `fold` made.
        now: The present, by this side's clock: that of the hub, which also told when shipped messages came.
    """
    at = now.timestamp()
    clients = tuple(_with_status(state, client, at) for client in state.clients)
    state = replace(state, clients=clients, num_clients=expected(state) or None, n=_n(state), eta=time_left(state, at))
    clients = tuple(replace(client, words=_client_words(state, client, at)) for client in clients)
    state = replace(state, clients=clients)
    told = condition(state, at)
    left = time_left_words(state, state.eta) if told.has_time_left else ""
    is_round = is_federated(state)
    second = joined(told.second, left) if is_round else joined(left, told.second)
    return replace(state, condition=told.condition, sentence=told.first, detail_sentence=second)


def status_word(state: RunState) -> str:
    """The run's state in a word or two."""
    if state.status == "cancelled" and state.stopped_by:
        return f"Stopped by {state.stopped_by}"
    return WORDS[state.status]


def _with_status(state: RunState, client: ClientState, at: float) -> ClientState:
    round_ = state.round
    sent = client.sent_round >= round_ > 0
    failed = not sent and (
        client.failed_round >= round_ > 0
        or (client.end is not None and client.end.status == "failed")
        or is_dead(client)
    )
    status: ClientStatus = "waiting"
    if failed:
        status = "failed"
    elif ended(state) or (client.end is not None and not sent):
        status = "finished"
    elif sent:
        status = "sent"
    elif is_lost(client):
        status = "lost"
    elif client.round >= round_ > 0 or not round_:
        status = "training"
        if late_by(state, client, at) > 0:
            status = "late"
        elif is_halted(client) or (client.paused is None and is_silent(client, at)):
            status = "silent"
    return replace(client, status=status, sent=sent, failed=failed)


def _client_words(state: RunState, client: ClientState, at: float) -> str:
    if client.status == "failed":
        if is_dead(client) and client.died is not None:
            return f"Died: {shortened(short_cause(bare(client.died[1])), _ERROR_LETTERS)}"
        return f"Failed: {shortened(bare(client.error), _ERROR_LETTERS)}"
    if client.status == "finished":
        return "Finished"
    if client.status == "sent":
        if is_dead(client) and not ended(state):
            return "Sent, then died"
        if state.aggregated_round >= state.round:
            return "Sent"
        waiting = waiting_for(state)
        return f"Sent, waiting for {waiting}" if waiting else "Sent"
    if client.paused is not None and client.status in ("training", "late", "silent"):
        return "Paused"
    if is_halted(client) and client.status != "lost":
        return "Stopped by a signal"
    if client.status == "late":
        return f"Late by {duration_words(late_by(state, client, at))}"
    if client.status == "silent":
        return "Silent, may still run"
    if client.status == "lost":
        return "Lost: no word for a minute"
    return "Training, in time" if client.status == "training" else "Waiting to start"


def _n(state: RunState) -> int | None:
    if state.n is not None or not is_federated(state):
        return state.n
    told = [
        c.num_samples for c in state.clients if c.num_samples is not None and c.sent_round >= (state.metrics_at or 0)
    ]
    return sum(told) if told else None
