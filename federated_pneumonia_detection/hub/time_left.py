"""How long a run still takes, in figures and in words: what `forecast.py` needs, picked out of a run's state."""

from __future__ import annotations

from math import floor

from federated_pneumonia_detection.hub.forecast import EarlyStop, Forecast, Open, Seen, forecast
from federated_pneumonia_detection.hub.state import ClientState, RunState, ended, is_federated
from federated_pneumonia_detection.hub.times import seconds
from federated_pneumonia_detection.hub.waits import waited_s

__all__ = ["time_left", "time_left_words"]

_STEP_S = 5
"""What is left changes at most so often, in seconds."""


def time_left(state: RunState, at: float) -> Forecast | None:
    """The forecast of a run that is going on; `None` where there is nothing to go by, or while it is paused.

    Args:
        state: What is known of the run.
        at: The present, in seconds since 1970, by the clock of whoever leads it.
    """
    _, current, total = _counted(state)
    if ended(state) or state.paused is not None or not total or not current:
        return None
    is_over = is_federated(state) and state.aggregated_round >= current
    began = next((seconds(span.opened) for span in state.spans if span.number == current), None)
    elapsed = None if is_over or began is None else _at_work(state, began, _steady(at))
    left = total - current + (0 if is_over else 1)
    waiting = tuple(_open(state, client, at) for client in state.clients if _is_waited_for(state, client))
    return forecast(Seen(_durations(state, current), left, elapsed, waiting, _closings(state), _early_stop(state)))


def time_left_words(state: RunState, left: Forecast | None) -> str:
    """The time left in a sentence: a median, and a bound that holds for nine of ten runs."""
    unit, current, total = _counted(state)
    if left is None:
        return f"Time left after the first {unit}." if total and current and not ended(state) else ""
    middle, bound = _minutes(left.run_p50_s), _minutes(left.run_p90_s)
    words = "Less than a minute left" if middle == 0 else f"About {_spoken(middle)} left"
    if bound > max(middle, 1):
        words += f" (90 % within {_spoken(bound)})"
    last = _last_unit(state, left)
    return f"{words}." if last is None else f"{words}, as it may stop early at {unit} {last} or so."


def _last_unit(state: RunState, left: Forecast) -> int | None:
    """The epoch or round at which the run probably stops early; `None` where it probably goes all the way."""
    _, current, total = _counted(state)
    if left.units_p50 is None or not total:
        return None
    last = current + left.units_p50 - (0 if left.unit_p50_s is None else 1)
    return last if last < total else None


def _counted(state: RunState) -> tuple[str, int, int | None]:
    if is_federated(state):
        return "round", state.round, state.total_rounds
    return "epoch", state.epoch, state.total_epochs


def _steady(at: float) -> float:
    return floor(at / _STEP_S) * _STEP_S


def _minutes(duration_s: float) -> int:
    return floor(duration_s / 60 + 0.5)


def _spoken(minutes: int) -> str:
    if minutes < 120:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest and hours < 10 else f"{floor(minutes / 60 + 0.5)} h"


def _durations(state: RunState, current: int) -> tuple[float, ...]:
    """Seconds that each finished epoch (or round) took, from its beginning to the next one's where that is known."""
    spans = {span.number: span for span in state.spans}
    found: list[float] = []
    for span in state.spans:
        is_finished = span.number < current or state.aggregated_round >= span.number
        began, following = seconds(span.opened), spans.get(span.number + 1)
        closed = span.closed if state.led else span.closed or span.sent
        done = (seconds(following.opened) if following else None) or seconds(closed)
        if is_finished and began is not None and done is not None:
            found.append(_at_work(state, began, done))
    return tuple(found)


def _closings(state: RunState) -> tuple[float, ...]:
    """Seconds from a round's last sender to its aggregate."""
    times = ((seconds(span.sent), seconds(span.closed)) for span in state.spans)
    return tuple(_at_work(state, sent, closed) for sent, closed in times if sent is not None and closed is not None)


def _is_waited_for(state: RunState, client: ClientState) -> bool:
    done = max(client.sent_round, client.failed_round) >= state.round
    return client.round >= state.round > 0 and not done and client.end is None


def _open(state: RunState, client: ClientState, at: float) -> Open:
    began = seconds(client.began)
    return Open(client.durations, 0.0 if began is None else _at_work(state, began, _steady(at)))


def _at_work(state: RunState, since_s: float, until_s: float) -> float:
    """Seconds between two times, without those in which the run was paused."""
    return max(0.0, until_s - since_s - waited_s(state.waits, since_s, until_s))


def _early_stop(state: RunState) -> EarlyStop | None:
    if not state.patience:
        return None
    losses = tuple(span.loss for span in state.spans if span.loss is not None)
    return EarlyStop(state.patience, losses) if losses else None
