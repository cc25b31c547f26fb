"""How a run ended, in one word and in sentences."""

from __future__ import annotations

from federated_pneumonia_detection.hub.fields import integer, number
from federated_pneumonia_detection.hub.round_words import Told, ago
from federated_pneumonia_detection.hub.state import RunState
from federated_pneumonia_detection.hub.times import seconds
from federated_pneumonia_detection.hub.wording import (
    bare,
    capital,
    count_of,
    duration_words,
    joined,
    metric_words,
    of_total,
    progress_of,
    rate,
    shortened,
)

__all__ = ["outcome"]

_LAST_LINE_LETTERS = 160


def outcome(state: RunState, at: float) -> Told:
    """How a run ended; of one that is lost, since when.

    Args:
        state: A run of which nothing more is expected.
        at: The present, in seconds since 1970.
    """
    unit, done, total = progress_of(state)
    where = f" in {unit} {done}" if done else ""
    if state.status == "failed":
        if state.end is not None and state.end.died:
            return Told("dead", f"Died{where}: {_inner(bare(state.error))}.", joined(_output(state), _last_good(state)))
        return Told("failed", f"Failed{where}: {bare(state.error)}.", joined(_who_fell(state), _last_good(state)))
    if state.status == "lost":
        return Told("lost_contact", _lost(state, where, at), _last_good(state))
    if state.status == "cancelled":
        by = f" by {state.stopped_by}" if state.stopped_by else ""
        in_what = f" in {of_total(unit, done, total)}" if done else ""
        reason = capital(f"{bare(state.reason)}.") if state.reason else ""
        return Told("stopped", f"Stopped{by}{in_what}.", reason)
    began, finished = seconds(state.start_time), seconds(state.end_time)
    took = "" if began is None or finished is None else f" in {duration_words(max(0.0, finished - began))}"
    return Told("finished", f"Finished{took}{_finished_how(state)}.", joined(_results(state), _who_fell(state)))


def _lost(state: RunState, where: str, at: float) -> str:
    since, words = state.lost or (None, "")
    if since is None or not words.startswith("no word"):
        return f"Lost{where}: {bare(state.error)}."
    return f"Contact lost {ago((since, words), at)}{where}: {bare(words)}; it may still run."


def _inner(sentence: str) -> str:
    """A sentence as part of another one."""
    return sentence[:1].lower() + sentence[1:] if sentence.startswith(("The ", "Its ")) else sentence


def _output(state: RunState) -> str:
    """The last line that a process printed before it died."""
    lines = [line.strip() for line in (state.detail or "").splitlines() if line.strip()]
    return f"Its last line: {shortened(lines[-1], _LAST_LINE_LETTERS).rstrip('.')}." if lines else ""


def _who_fell(state: RunState) -> str:
    fallen = [client for client in state.clients if client.failed_round]
    if not 1 <= len(fallen) <= 2 or len(fallen) == len(state.clients):
        return ""
    return joined(
        *(f"{c.client_id} {'failed' if c.died is None else 'died'} in round {c.failed_round}." for c in fallen)
    )


def _finished_how(state: RunState) -> str:
    unit, at, total = progress_of(state)
    if unit == "round":
        failures = len(state.rounds_with_failures)
        said = f", {at} of {total} rounds" if at and total else (f", {count_of(at, 'round')}" if at else "")
        return said + (f", {failures} with a failure" if failures else "")
    # Whoever trained knows best which epoch it kept; ours is only the best of the key metric.
    best = integer((state.final_metrics or {}).get("best_epoch")) or (state.best.at if state.best else None)
    if best and total:
        return f"; best epoch {best} of {total}"
    return f", {at} of {total} epochs" if at and total else (f", {count_of(at, 'epoch')}" if at else "")


def _results(state: RunState) -> str:
    final = state.final_metrics or {}
    for name in ("test_auroc", "test_recall", "test_accuracy", "test_loss"):
        value = number(final.get(name))
        if value is not None:
            n = state.split_sizes.get("test") or integer(final.get("test_num_samples"))
            return f"{capital(metric_words(name))} {rate(value)}{'' if n is None else f', n {n}'}."
    if state.best is not None:
        unit, _, _ = progress_of(state)
        return f"Best {metric_words(state.best.metric)} {rate(state.best.value)} at {unit} {state.best.at}."
    return ""


def _last_good(state: RunState) -> str:
    if state.key_metric is None or state.metrics_at is None:
        return ""
    value = number(state.metrics.get(state.key_metric))
    unit, _, _ = progress_of(state)
    if value is None:
        return ""
    return f"Last good: {unit} {state.metrics_at}, {metric_words(state.key_metric)} {rate(value)}."
