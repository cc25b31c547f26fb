"""A run's state as a fold over its messages.

`fold` knows no clock and no order between writers: whatever two writers said, in either order, gives the same state. It
does so by comparing the messages' own times and numbers, never the order in which they came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from federated_pneumonia_detection.hub.fields import integer, mapping, number, text
from federated_pneumonia_detection.hub.fold_client import HUB_SAYS, client_after, end_of, paced
from federated_pneumonia_detection.hub.state import (
    Best,
    ClientState,
    End,
    Metrics,
    RunState,
    RunStatus,
    Span,
    last_heard,
)
from federated_pneumonia_detection.hub.times import before, earlier, later, seconds

__all__ = ["KEY_METRICS", "fold", "fold_all"]

KEY_METRICS = ("val_auroc", "val_recall", "val_accuracy", "val_loss")
"""What a sparkline shows: the first of these that the run reports."""

# Messages that only whoever leads a run writes: seen without a client, they prove that not only clients log.
_LEADS = frozenset(
    {"run_start", "epoch_start", "epoch_end", "step", "round_start", "round_end", "round_aggregated", "test_curves"}
)
_KEPT_SPANS = 20
_SETUP = ("model", "seed", "partition", "alpha", "strategy")


def fold_all(run_id: str, messages: Iterable[Mapping[str, Any]]) -> RunState:
    """The state after all these messages."""
    state = RunState(run_id)
    for message in messages:
        state = fold(state, message)
    return state


def fold(state: RunState, message: Mapping[str, Any]) -> RunState:
    """The state after one more message.

    Args:
        state: The state before; `RunState(run_id)` before the first message.
        message: One decoded message of this run; what is not of the type it should be counts as not told.
    """
    type_, time, client_id = text(message.get("type")), text(message.get("timestamp")), _client(message)
    if type_ == "run_start" and client_id is None and _is_next_attempt(state, message):
        state = _afresh(state, time)
    elif state.attempt > 1 and before(time, state.begun) and type_ not in ("run_edited", "run_queued"):
        # What an earlier attempt still had to say is history, and changes nothing of this one.
        return replace(state, updated_at=later(state.updated_at, time))
    if client_id is not None:
        state = _fold_client(state, type_, client_id, message, time)
    elif type_ in _LEADS and not state.led:
        state = replace(state, led=True)
    handler = _HANDLERS.get(type_)
    if handler is not None:
        state = handler(state, message, client_id, time)
    if client_id is None and type_ not in HUB_SAYS:
        state = replace(state, pace=paced(state.pace, time))
    changes: dict[str, Any] = {"updated_at": later(state.updated_at, time)}
    if state.begun is not None:
        changes["start_time"] = state.begun
    elif type_ not in HUB_SAYS:
        changes["start_time"] = earlier(state.start_time, time)
    about = message.get("about")
    if isinstance(about, str) and about not in state.told:
        changes["told"] = tuple(sorted((*state.told, about)))
    return _settled(replace(state, **changes))


def _is_next_attempt(state: RunState, message: Mapping[str, Any]) -> bool:
    return (integer(message.get("attempt")) or 1) > state.attempt


def _afresh(state: RunState, begun: str) -> RunState:
    """The same run before its next attempt: what people gave it stays, and what was said since it began."""
    return RunState(
        state.run_id,
        experiment_name=state.experiment_name,
        mode=state.mode,
        name=state.name,
        tags=state.tags,
        notes=state.notes,
        edited=state.edited,
        told=state.told,
        cancel_asked=None if before(state.cancel_asked, begun) else state.cancel_asked,
        lost=None if state.lost is None or before(state.lost[0], begun) else state.lost,
        updated_at=state.updated_at,
    )


def _settled(state: RunState) -> RunState:
    """The status that follows from what is known, and the fields that follow from the status."""
    end = state.end
    if end is None and not state.led:
        end = _end_of_clients(state)
    if end is not None:
        return replace(
            state,
            status=end.status,
            end_time=end.time,
            error=end.error,
            detail=end.detail,
            stopped_by=end.by,
            reason=end.reason,
        )
    status: RunStatus = "queued"
    if state.lost is not None and not before(state.lost[0], last_heard(state)):
        return replace(state, status="lost", end_time=None, error=state.lost[1], detail=None)
    if state.epoch or state.round or state.step is not None or state.spans:
        status = "running"
    elif state.led or state.clients:
        status = "started"
    return replace(state, status=status, end_time=None, error=None, detail=None, stopped_by=None, reason=None)


def _end_of_clients(state: RunState) -> End | None:
    """The end of a run in which only clients log: each has ended its last round, or failed."""
    ends = [client.end for client in state.clients]
    if not ends or any(end is None for end in ends):
        return None
    known = [end for end in ends if end is not None]
    newest = max(known, key=lambda end: seconds(end.time) or 0.0)
    if all(end.status == "failed" for end in known):
        first = min(known, key=lambda end: seconds(end.time) or 0.0)
        return End("failed", newest.time, error=first.error, detail=first.detail)
    if all(end.status in ("failed", "cancelled") for end in known):
        stop = next(end for end in known if end.status == "cancelled")
        return End("cancelled", newest.time, by=stop.by, reason=stop.reason)
    return End("completed", newest.time)


# --- one function for each type ---------------------------------------------------------------------------------


def _run_queued(state: RunState, message: Mapping[str, Any], client_id: str | None, time: str) -> RunState:
    return replace(
        state,
        experiment_name=state.experiment_name or text(message.get("experiment_name")) or "",
        mode=text(message.get("mode")) or state.mode,
        total_epochs=state.total_epochs or integer(message.get("total_epochs")),
        total_rounds=state.total_rounds or integer(message.get("total_rounds")),
    )


def _run_start(state: RunState, message: Mapping[str, Any], client_id: str | None, time: str) -> RunState:
    data = mapping(message.get("data"))
    config = mapping(message.get("config"))
    sizes = {
        name: size
        for name, split in mapping(data.get("splits")).items()
        if (size := integer(mapping(split).get("n"))) is not None
    }
    cases = {
        name: {label: n for label in ("normal", "pneumonia") if (n := integer(mapping(split).get(label))) is not None}
        for name, split in mapping(data.get("splits")).items()
    }
    setup = {name: config[name] for name in _SETUP if isinstance(config.get(name), str | int | float)}
    attempt = (integer(message.get("attempt")) or 1) if client_id is None else state.attempt
    return replace(
        state,
        experiment_name=text(message.get("experiment_name")) or state.experiment_name,
        mode=text(message.get("mode")) or state.mode,
        attempt=max(state.attempt, attempt),
        begun=state.begun if client_id is not None else earlier(state.begun, time),
        total_epochs=integer(message.get("total_epochs")) or state.total_epochs,
        total_rounds=integer(message.get("total_rounds")) or state.total_rounds,
        num_clients=integer(config.get("num_clients")) or state.num_clients,
        phantom=state.phantom or data.get("phantom") is True,
        split_sizes=sizes or state.split_sizes,
        split_cases=cases or state.split_cases,
        setup=setup or state.setup,
        n=state.n if state.n is not None else sizes.get("val"),
    )


def _epoch_start(state: RunState, message: Mapping[str, Any], client_id: str | None, time: str) -> RunState:
    epoch = integer(message.get("epoch"))
    if client_id is not None or epoch is None:
        return state
    newer = epoch > state.epoch
    return replace(
        state,
        epoch=max(state.epoch, epoch),
        total_epochs=integer(message.get("total_epochs")) or state.total_epochs,
        step=None if newer else state.step,
        total_steps=None if newer else state.total_steps,
        spans=_opened(state.spans, epoch, time),
    )


def _epoch_end(state: RunState, message: Mapping[str, Any], client_id: str | None, time: str) -> RunState:
    epoch = integer(message.get("epoch"))
    if client_id is not None or epoch is None:
        return state
    state = replace(
        state,
        epoch=max(state.epoch, epoch),
        total_epochs=integer(message.get("total_epochs")) or state.total_epochs,
        spans=_closed(state.spans, epoch, time),
    )
    if message.get("phase") != "val":
        return state
    metrics = mapping(message.get("metrics"))
    return _measured(state, metrics, epoch, state.split_sizes.get("val"))


def _step(state: RunState, message: Mapping[str, Any], client_id: str | None, time: str) -> RunState:
    if client_id is not None:
        return state
    epoch = integer(message.get("epoch")) or state.epoch
    if epoch < state.epoch:
        return state
    return replace(
        state,
        epoch=epoch,
        step=integer(message.get("step")),
        total_steps=integer(message.get("total_steps")) or state.total_steps,
    )


def _round_start(state: RunState, message: Mapping[str, Any], client_id: str | None, time: str) -> RunState:
    round_ = integer(message.get("round"))
    if round_ is None:
        return state
    return replace(
        state,
        mode="federated",
        round=max(state.round, round_),
        total_rounds=integer(message.get("total_rounds")) or state.total_rounds,
        spans=_opened(state.spans, round_, time),
    )


def _round_end(state: RunState, message: Mapping[str, Any], client_id: str | None, time: str) -> RunState:
    round_ = integer(message.get("round"))
    if round_ is None:
        return state
    state = replace(state, mode="federated", round=max(state.round, round_))
    if client_id is None:
        return state
    return replace(state, spans=_spanned(state.spans, round_, lambda span: replace(span, sent=later(span.sent, time))))


def _round_aggregated(state: RunState, message: Mapping[str, Any], client_id: str | None, time: str) -> RunState:
    round_ = integer(message.get("round"))
    if round_ is None:
        return state
    failed = message.get("failed_clients")
    state = replace(
        state,
        mode="federated",
        round=max(state.round, round_),
        aggregated_round=max(state.aggregated_round, round_),
        spans=_closed(state.spans, round_, time, exactly=True),
    )
    if isinstance(failed, list) and failed:
        state = _with_failure(state, round_)
    metrics = mapping(message.get("metrics"))
    return _measured(state, metrics, round_, integer(metrics.get("num_samples")))


def _client_failed(state: RunState, message: Mapping[str, Any], client_id: str | None, time: str) -> RunState:
    round_ = integer(message.get("round")) or next((c.round for c in state.clients if c.client_id == client_id), 0)
    return _with_failure(state, round_) if round_ else state


def _end(state: RunState, message: Mapping[str, Any], client_id: str | None, time: str) -> RunState:
    if client_id is not None:
        return state
    attempt = integer(message.get("attempt"))
    if attempt is not None and attempt < state.attempt:
        return state
    end = end_of(message, time)
    # Of two ends the earlier one holds, in whichever order they came.
    if state.end is None or before(time, state.end.time):
        state = replace(state, end=end)
    if message.get("type") == "training_complete":
        final = mapping(message.get("final_metrics"))
        state = replace(
            state, final_metrics=final, total_epochs=state.total_epochs or integer(final.get("total_epochs"))
        )
    return state


def _alert(state: RunState, message: Mapping[str, Any], client_id: str | None, time: str) -> RunState:
    about = text(message.get("about"))
    if about == "lost" or about.startswith("lost:"):
        newest = state.lost is None or before(state.lost[0], time)
        return replace(state, lost=(time, text(message.get("text")) or "")) if newest else state
    if about == "cancel":
        return replace(state, cancel_asked=later(state.cancel_asked, time))
    return state


def _run_edited(state: RunState, message: Mapping[str, Any], client_id: str | None, time: str) -> RunState:
    if before(time, state.edited):
        return state
    changes: dict[str, Any] = {"edited": time}
    if "name" in message:
        changes["name"] = text(message["name"]) or ""
    if "notes" in message:
        changes["notes"] = text(message["notes"]) or ""
    if isinstance(message.get("tags"), list):
        changes["tags"] = tuple(tag for tag in message["tags"] if isinstance(tag, str))
    return replace(state, **changes)


_HANDLERS = {
    "run_queued": _run_queued,
    "run_start": _run_start,
    "epoch_start": _epoch_start,
    "epoch_end": _epoch_end,
    "step": _step,
    "round_start": _round_start,
    "round_end": _round_end,
    "round_aggregated": _round_aggregated,
    "client_failed": _client_failed,
    "training_complete": _end,
    "training_error": _end,
    "training_cancelled": _end,
    "alert": _alert,
    "run_edited": _run_edited,
}


# --- clients ----------------------------------------------------------------------------------------------------


def _fold_client(state: RunState, type_: str, client_id: str, message: Mapping[str, Any], time: str) -> RunState:
    known = {client.client_id: client for client in state.clients}
    client = known.get(client_id) or ClientState(client_id, first_seen=time)
    client = client_after(client, type_, message, time)
    known[client_id] = client
    # By first appearance in the writers' own time, so that the order does not depend on who was read first.
    clients = tuple(sorted(known.values(), key=lambda c: (seconds(c.first_seen) or 0.0, c.client_id)))
    return replace(state, clients=clients)


# --- small things -----------------------------------------------------------------------------------------------


def _measured(state: RunState, metrics: Metrics, at: int, n: int | None) -> RunState:
    """Newer validation metrics, or an older epoch's that came late."""
    if state.metrics_at is None or at >= state.metrics_at:
        state = replace(state, metrics=metrics, metrics_at=at, n=n if n is not None else state.n)
    key = state.key_metric or next((name for name in KEY_METRICS if number(metrics.get(name)) is not None), None)
    if key is None or key not in metrics:
        return state
    series = dict(state.key_series)
    series[at] = number(metrics[key])
    return replace(state, key_metric=key, key_series=tuple(sorted(series.items())), best=_best(key, series))


def _best(key: str, series: Mapping[int, float | None]) -> Best | None:
    points = [(value, at) for at, value in series.items() if value is not None]
    if not points:
        return None
    sign = -1 if key.endswith("loss") else 1
    # Of two equal values the earlier epoch is the best one.
    value, at = max(points, key=lambda point: (sign * point[0], -point[1]))
    return Best(key, value, at)


def _with_failure(state: RunState, round_: int) -> RunState:
    return replace(state, rounds_with_failures=tuple(sorted({*state.rounds_with_failures, round_})))


def _opened(spans: tuple[Span, ...], number: int, time: str) -> tuple[Span, ...]:
    return _spanned(spans, number, lambda span: replace(span, opened=earlier(span.opened, time)))


def _closed(spans: tuple[Span, ...], number: int, time: str, *, exactly: bool = False) -> tuple[Span, ...]:
    return _spanned(spans, number, lambda span: replace(span, closed=time if exactly else later(span.closed, time)))


def _spanned(spans: tuple[Span, ...], number: int, change: Any) -> tuple[Span, ...]:
    known = {span.number: span for span in spans}
    known[number] = change(known.get(number) or Span(number))
    return tuple(known[key] for key in sorted(known)[-_KEPT_SPANS:])


def _client(message: Mapping[str, Any]) -> str | None:
    client_id = message.get("client_id")
    return str(client_id) if client_id is not None else None
