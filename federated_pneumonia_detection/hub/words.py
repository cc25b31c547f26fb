"""Words for states: pure functions of a run's state and a clock.

The page, the terminal and the API say the same sentence; the page's own copy of these rules (`words.ts`) is tested on
the same recordings (`tests/recordings`). The first half says what the run waits for: the reason of a failure, else a
trainer that is silent, else the latest straggler, else aggregating, else training. The second half counts the hospitals
and gives the time left.
"""

from __future__ import annotations

from datetime import datetime
from math import floor
from statistics import median

from msgspec.structs import replace

from federated_pneumonia_detection.hub.fields import integer, number
from federated_pneumonia_detection.hub.state import (
    ClientState,
    ClientStatus,
    Pace,
    RunState,
    ended,
    is_lost,
)
from federated_pneumonia_detection.hub.time_left import time_left, time_left_words
from federated_pneumonia_detection.hub.times import seconds

__all__ = ["described", "duration_words", "status_word"]

WORDS = {
    "queued": "Waiting to start",
    "started": "Starting",
    "running": "Running",
    "completed": "Finished",
    "failed": "Failed",
    "cancelled": "Stopped",
    "lost": "Lost",
}
_SILENT_AT_LEAST_S = 30.0
_SILENT_UNKNOWN_S = 300.0
_USUAL_NEEDS_GAPS = 3
_LATE_AT_LEAST_S = 10.0
_LATE_NEEDS_ROUNDS = 2
_LEFT_STEP_S = 5
_ERROR_LETTERS = 28
_NAMES = {"auroc": "AUROC", "f1": "F1"}
_SPLITS = {"val": "validation", "train": "training", "test": "test"}


def described(state: RunState, now: datetime) -> RunState:
    """The state with everything that needs a clock: its sentences, and its clients' states in words.

    Args:
        state: The state that `fold` made.
        now: The present, by the clock of whoever wrote the messages.
    """
    at = now.timestamp()
    clients = tuple(_described_client(state, client, at) for client in state.clients)
    state = replace(state, clients=clients, num_clients=_expected(state) or None, n=_n(state), eta=time_left(state, at))
    first, second = _sentences(state, at)
    return replace(state, sentence=first, detail_sentence=second)


def status_word(state: RunState) -> str:
    """The run's state in a word or two."""
    if state.status == "cancelled" and state.stopped_by:
        return f"Stopped by {state.stopped_by}"
    return WORDS[state.status]


# --- the sentence -----------------------------------------------------------------------------------------------


def _sentences(state: RunState, at: float) -> tuple[str, str]:
    if ended(state):
        return _ended_sentences(state)
    if state.status == "queued":
        return "Waiting to start.", ""
    if state.cancel_asked is not None:
        return "Stopping, as somebody asked.", _last_words(state)
    if state.paused is not None:
        return f"Paused{f' by {state.paused_by}' if state.paused_by else ''}.", _last_words(state)
    silence = _silence(state, at)
    if silence is not None:
        return silence, _last_words(state)
    if state.status == "started":
        return "Starting; nothing is trained yet.", ""
    if _is_federated(state):
        return _round_sentence(state, at), _joined(_hospitals(state), time_left_words(state, state.eta))
    left, best = time_left_words(state, state.eta), state.best
    so_far = "" if best is None else f"Best {_metric(best.metric)} so far {_rate(best.value)} at epoch {best.at}."
    return f"Training {_of('epoch', state.epoch, state.total_epochs)}.", _joined(left, so_far)


def _ended_sentences(state: RunState) -> tuple[str, str]:
    unit, at, total = _progress(state)
    where = f" in {unit} {at}" if at else ""
    if state.status == "failed":
        return f"Failed{where}: {_bare(state.error)}.", _last_good(state)
    if state.status == "lost":
        return f"Lost{where}: {_bare(state.error)}.", _last_good(state)
    if state.status == "cancelled":
        by = f" by {state.stopped_by}" if state.stopped_by else ""
        done = f" in {_of(unit, at, total)}" if at else ""
        return f"Stopped{by}{done}.", _joined(_capital(f"{_bare(state.reason)}.") if state.reason else "")
    began, finished = seconds(state.start_time), seconds(state.end_time)
    took = "" if began is None or finished is None else f" in {duration_words(max(0.0, finished - began))}"
    return f"Finished{took}{_finished_how(state)}.", _results(state)


def _finished_how(state: RunState) -> str:
    unit, at, total = _progress(state)
    if unit == "round":
        failures = len(state.rounds_with_failures)
        said = f", {at} of {total} rounds" if at and total else (f", {_count(at, 'round')}" if at else "")
        return said + (f", {failures} with a failure" if failures else "")
    # Whoever trained knows best which epoch it kept; ours is only the best of the key metric.
    best = integer((state.final_metrics or {}).get("best_epoch")) or (state.best.at if state.best else None)
    if best and total:
        return f"; best epoch {best} of {total}"
    return f", {at} of {total} epochs" if at and total else (f", {_count(at, 'epoch')}" if at else "")


def _results(state: RunState) -> str:
    final = state.final_metrics or {}
    for name in ("test_auroc", "test_recall", "test_accuracy", "test_loss"):
        value = number(final.get(name))
        if value is not None:
            n = state.split_sizes.get("test") or integer(final.get("test_num_samples"))
            return f"{_capital(_metric(name))} {_rate(value)}{'' if n is None else f', n {n}'}."
    if state.best is not None:
        unit, _, _ = _progress(state)
        return f"Best {_metric(state.best.metric)} {_rate(state.best.value)} at {unit} {state.best.at}."
    return ""


def _last_good(state: RunState) -> str:
    if state.key_metric is None or state.metrics_at is None:
        return ""
    value = number(state.metrics.get(state.key_metric))
    unit, _, _ = _progress(state)
    if value is None:
        return ""
    return f"Last good: {unit} {state.metrics_at}, {_metric(state.key_metric)} {_rate(value)}."


def _last_words(state: RunState) -> str:
    unit, at, _ = _progress(state)
    if not at:
        return ""
    step = f", step {state.step}" if unit == "epoch" and state.step is not None else ""
    return f"Last: {unit} {at}{step}."


def _silence(state: RunState, at: float) -> str | None:
    """The sentence of a trainer that nobody has heard for too long."""
    paces = [state.pace, *(client.pace for client in state.clients)]
    heard = seconds(state.heard)
    if heard is None:
        return None
    silent_s = at - heard
    usual = [pace for pace in paces if len(pace.gaps) >= _USUAL_NEEDS_GAPS]
    if silent_s < _silent_after(usual):
        return None
    said = f"No message for {duration_words(silent_s)}"
    if not usual:
        return f"{said}; it may still run."
    return f"{said}; messages usually come every {_gap_words(min(median(pace.gaps) for pace in usual))}."


def _silent_after(usual: list[Pace]) -> float:
    """After how many seconds a silence means something: ten usual gaps, and at least thirty seconds.

    Twice the longest gap so far as well: who validates for a minute after each epoch is not silent then.
    """
    if not usual:
        return _SILENT_UNKNOWN_S
    ten_usual = 10 * min(median(pace.gaps) for pace in usual)
    return max(_SILENT_AT_LEAST_S, ten_usual, 2 * min(pace.longest for pace in usual))


def _round_sentence(state: RunState, at: float) -> str:
    name = _of("round", state.round, state.total_rounds).capitalize()
    if state.aggregated_round >= state.round:
        return f"{name} is done."
    late = [(_late_by(state, client, at), client.client_id) for client in state.clients if client.status == "late"]
    if late:
        by, client_id = max(late)
        return f"{name} is waiting for {client_id}, late by {duration_words(by)}."
    lost = [client.client_id for client in state.clients if client.status == "lost"]
    if lost:
        return f"{name} is waiting for {lost[0]}, of which nothing is heard."
    waiting = _waiting_for(state)
    if waiting == 0 and any(client.status == "sent" for client in state.clients):
        return f"{name} is being aggregated." if state.led else f"{name} is done."
    return f"{name} is training."


def _hospitals(state: RunState) -> str:
    total = _expected(state)
    if not total or state.aggregated_round >= state.round:
        return ""
    by_status = [client.status for client in state.clients]
    sent = by_status.count("sent") + by_status.count("finished")
    training = by_status.count("training") + by_status.count("late") + by_status.count("silent")
    failed, lost = by_status.count("failed"), by_status.count("lost")
    waiting = total - sent - training - failed - lost
    hospitals = "hospital" if total == 1 else "hospitals"
    parts = [f"{sent} of {total} {hospitals} {'has' if sent == 1 else 'have'} sent"]
    if training:
        parts.append(f"{training} {'is' if training == 1 else 'are'} training")
    if waiting:
        parts.append(f"{waiting} {'has' if waiting == 1 else 'have'} not started")
    if failed:
        parts.append(f"{failed} failed")
    if lost:
        parts.append(f"nothing is heard of {lost}")
    return f"{', '.join(parts)}."


# --- clients ----------------------------------------------------------------------------------------------------


def _described_client(state: RunState, client: ClientState, at: float) -> ClientState:
    round_ = state.round
    sent = client.sent_round >= round_ > 0
    failed = not sent and (
        client.failed_round >= round_ > 0 or (client.end is not None and client.end.status == "failed")
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
        if _late_by(state, client, at) > 0:
            status = "late"
        elif _is_silent(client, at):
            status = "silent"
    described_client = replace(client, status=status, sent=sent, failed=failed)
    return replace(described_client, words=_client_words(state, described_client, at))


def _client_words(state: RunState, client: ClientState, at: float) -> str:
    if client.status == "failed":
        return f"Failed: {_shortened(_bare(client.error))}"
    if client.status == "finished":
        return "Finished"
    if client.status == "sent":
        if state.aggregated_round >= state.round:
            return "Sent"
        waiting = _waiting_for(state)
        return f"Sent, waiting for {waiting}" if waiting else "Sent"
    if client.status == "late":
        return f"Late by {duration_words(_late_by(state, client, at))}"
    if client.status == "silent":
        return "Silent, may still run"
    if client.status == "lost":
        return "Lost: no word for a minute"
    return "Training, in time" if client.status == "training" else "Waiting to start"


def _late_by(state: RunState, client: ClientState, at: float) -> float:
    """By how many seconds a client is past its own median, 0 where that is within what is usual."""
    started = seconds(client.started)
    if client.round < state.round or client.sent_round >= client.round or started is None:
        return 0.0
    if len(client.durations) < _LATE_NEEDS_ROUNDS:
        return 0.0
    usual = median(client.durations)
    by = at - started - usual
    return by if by > max(_LATE_AT_LEAST_S, 0.1 * usual) else 0.0


def _is_silent(client: ClientState, at: float) -> bool:
    heard = seconds(client.heard)
    usual = [client.pace] if len(client.pace.gaps) >= _USUAL_NEEDS_GAPS else []
    return heard is not None and at - heard >= _silent_after(usual)


def _waiting_for(state: RunState) -> int:
    """How many hospitals have neither sent nor failed in the open round."""
    done = sum(
        1
        for client in state.clients
        if client.sent_round >= state.round or client.failed_round >= state.round or _gave_up(client)
    )
    return max(0, _expected(state) - done)


# --- small things -----------------------------------------------------------------------------------------------


def _is_federated(state: RunState) -> bool:
    return state.mode == "federated" or bool(state.clients)


def _gave_up(client: ClientState) -> bool:
    return client.end is not None and client.end.status == "failed"


def _progress(state: RunState) -> tuple[str, int, int | None]:
    """What the run counts, where it is, and how many there will be."""
    if _is_federated(state):
        return "round", state.round, state.total_rounds
    return "epoch", state.epoch, state.total_epochs


def _expected(state: RunState) -> int:
    return max(state.num_clients or 0, len(state.clients))


def _n(state: RunState) -> int | None:
    if state.n is not None or not _is_federated(state):
        return state.n
    told = [
        c.num_samples for c in state.clients if c.num_samples is not None and c.sent_round >= (state.metrics_at or 0)
    ]
    return sum(told) if told else None


def duration_words(duration_s: float) -> str:
    """A duration as people say it: `48 s`, `1 min 40 s`, `2 h 5 min`."""
    total = floor(max(0.0, duration_s))
    if total < 60:
        return f"{total} s"
    if total < 3600:
        minutes, rest = divmod(total, 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, rest = divmod(total // 60, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def _gap_words(gap_s: float) -> str:
    return f"{floor(gap_s * 10 + 0.5) / 10:.1f} s" if gap_s < 10 else duration_words(gap_s)


def _of(unit: str, at: int, total: int | None) -> str:
    return f"{unit} {at} of {total}" if total else f"{unit} {at}"


def _count(many: int, unit: str) -> str:
    return f"{many} {unit}" if many == 1 else f"{many} {unit}s"


def _metric(name: str) -> str:
    split, _, rest = name.partition("_")
    if split not in _SPLITS or not rest:
        return name
    return f"{_SPLITS[split]} {_NAMES.get(rest, rest.replace('_', ' '))}"


def _rate(value: float) -> str:
    return f"{value:.3f}".replace("-", "\u2212")


def _bare(sentence: str | None) -> str:
    return (sentence or "it did not say why").strip().rstrip(".") or "it did not say why"


def _shortened(line: str) -> str:
    return line if len(line) <= _ERROR_LETTERS else f"{line[:_ERROR_LETTERS].rstrip()}…"


def _capital(line: str) -> str:
    return line[:1].upper() + line[1:]


def _joined(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)
