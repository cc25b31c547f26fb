"""Why is nothing moving? From what is known of a run to its condition and the sentence a person needs first.

One pure function; page, terminal and API say what it says, and `condition.ts` is the page's copy, held to the same
recordings. It is made of the messages, folded; of what the hub has seen of life and death (lock and process, or a
shipper's word for them), which are messages too; and of the present by this side's clock.
"""

from __future__ import annotations

from federated_pneumonia_detection.hub.lateness import silent_for, usual_gap
from federated_pneumonia_detection.hub.outcome import outcome
from federated_pneumonia_detection.hub.round_words import Told, ago, round_told
from federated_pneumonia_detection.hub.state import RunState, ended, is_federated, is_halted
from federated_pneumonia_detection.hub.times import seconds
from federated_pneumonia_detection.hub.wording import (
    bare,
    capital,
    count_of,
    duration_words,
    gap_words,
    joined,
    listed,
    metric_words,
    of_total,
    progress_of,
    rate,
)

__all__ = ["Told", "condition"]


def condition(state: RunState, at: float) -> Told:
    """What a run does or waits for, in one word and in sentences.

    Args:
        state: What is known of it; its clients are described already.
        at: The present, in seconds since 1970, by the clock that gave the times of this side.
    """
    if ended(state):
        return outcome(state, at)
    if state.status == "queued":
        return Told("queued", _queue(state))
    if state.cancel_asked is not None:
        return Told("stopping", "Stopping, as somebody asked.", _last_words(state))
    if state.paused is not None:
        return Told("paused", _pause(state, at), _last_words(state))
    told = _at_work(state, at)
    if state.disk_full is not None:
        # Nothing newer than this can be seen, whatever else was so until then.
        since = ago(state.disk_full, at)
        first = f"{capital(bare(state.disk_full[1]))}: nothing new is seen ({since}), the training goes on."
        return told._replace(first=first, second=joined(told.first, told.second))
    return told


def _at_work(state: RunState, at: float) -> Told:
    if is_halted(state) and state.halted is not None:
        since = ago(state.halted, at)
        first = f"{capital(bare(state.halted[1]))} ({since}); nothing is trained until it is continued."
        return Told("paused", first, _last_words(state))
    wait = _wait_for_clients(state, at)
    if wait is not None:
        return wait
    in_round = round_told(state, at) if is_federated(state) and state.round else None
    if in_round is not None and in_round.is_trouble:
        return in_round
    silent_s = silent_for(state, at)
    if silent_s is not None:
        return Told("lost_contact", _silence(state, silent_s), _last_words(state))
    if state.stage is not None and state.stage.name == "testing":
        return Told("evaluating", "Testing the best model.", _best_so_far(state))
    if state.status == "started":
        return Told("starting", _starting(state))
    return in_round if in_round is not None else _epoch(state)


def _starting(state: RunState) -> str:
    kept = (state.attempts[-1].from_ or 0) if state.attempts else 0
    if kept == 0:
        return "Starting; nothing is trained yet."
    return f"Starting; attempt {state.attempt} goes on from {'round' if is_federated(state) else 'epoch'} {kept}."


def _pause(state: RunState, at: float) -> str:
    since = seconds(state.paused)
    by = f" by {state.paused_by}" if state.paused_by else ""
    return f"Paused{by}{'' if since is None or at - since < 1 else f' {duration_words(at - since)} ago'}."


def _queue(state: RunState) -> str:
    first = state.waits_behind
    if not first:
        return "Waiting to start."
    if len(first) == 1:
        return f"Waiting to start: {first[0]} goes first."
    return f"Waiting to start: {count_of(len(first), 'run')} go first, {first[0]} at the front."


def _wait_for_clients(state: RunState, at: float) -> Told | None:
    """The server waits for hospitals to connect: how many are here, which, and which are not."""
    stage = state.stage
    if stage is None or stage.name != "waiting_for_clients" or stage.expected is None:
        return None
    here = stage.connected or ()
    if len(here) >= stage.expected:
        return None
    what = f"{of_total('Round', stage.round, state.total_rounds)} is waiting" if stage.round else "Waiting"
    are = "is" if len(here) == 1 else "are"
    first = f"{what} for hospitals: {len(here)} of {stage.expected} {are} here"
    first += f" ({listed(here)})" if here else ""
    missing = [client for client in state.clients if client.client_id not in here]
    if missing:
        first += f", {listed([client.client_id for client in missing])} {'is' if len(missing) == 1 else 'are'} not"
    why = [f"{c.client_id}: {bare(c.trouble[1])}." for c in missing if c.trouble is not None]
    since = seconds(stage.since)
    waited = "" if since is None or at - since < 1 else f"It has waited for {duration_words(at - since)}."
    return Told("waiting_for_clients", f"{first}.", joined(*why, waited), is_trouble=True)


def _silence(state: RunState, silent_s: float) -> str:
    gap_s = usual_gap(state)
    usually = "" if gap_s is None else f" (usually one every {gap_words(gap_s)})"
    return f"No message for {duration_words(silent_s)}{usually}; it may still run."


def _epoch(state: RunState) -> Told:
    stage, name = state.stage, of_total("epoch", state.epoch, state.total_epochs)
    validates = stage is not None and stage.name == "evaluating" and stage.epoch == state.epoch
    if validates and (state.metrics_at is None or state.metrics_at < state.epoch):
        return Told("evaluating", f"Validating {name}.", _best_so_far(state), has_time_left=True)
    return Told("training", f"Training {name}.", _best_so_far(state), has_time_left=True)


def _best_so_far(state: RunState) -> str:
    best = state.best
    if best is None:
        return ""
    unit, _, _ = progress_of(state)
    return f"Best {metric_words(best.metric)} so far {rate(best.value)} at {unit} {best.at}."


def _last_words(state: RunState) -> str:
    unit, at, _ = progress_of(state)
    if not at:
        return ""
    step = f", step {state.step}" if unit == "epoch" and state.step is not None else ""
    return f"Last: {unit} {at}{step}."
