"""A run that was begun more than once: what each attempt has measured, and the one curve that they make together.

An attempt goes on from an epoch (or a round): what the attempts before it said of later ones is superseded, which is
kept and no part of the curve any more. Whatever comes late of an earlier attempt is put where it belongs, so that no
order between writers matters, and no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from federated_pneumonia_detection.hub.fields import integer, mapping, number
from federated_pneumonia_detection.hub.state import Attempt, Best, Metrics, RunFields, RunStatus
from federated_pneumonia_detection.hub.times import before, earlier, seconds
from federated_pneumonia_detection.progress.messages import TERMINAL

__all__ = ["KEY_METRICS", "Curve", "Past", "begins_from", "put_together"]

KEY_METRICS = ("val_auroc", "val_recall", "val_accuracy", "val_loss")
"""What a sparkline shows: the first of these that the run reports."""

_STATUS: dict[str, RunStatus] = {
    "training_complete": "completed",
    "training_error": "failed",
    "training_cancelled": "cancelled",
}


class Curve:
    """What one attempt has measured, by epoch (or round).

    Args:
        key_metric: What the sparkline shows, once that is known.
        key_series: That metric by epoch or round.
        metrics: The newest validation metrics.
        metrics_at: The epoch or round they are of.
        n: How many images they are over.
        failures: The rounds in which a client failed.
    """

    def __init__(
        self,
        key_metric: str | None = None,
        key_series: Iterable[tuple[int, float | None]] = (),
        metrics: Metrics | None = None,
        metrics_at: int | None = None,
        n: int | None = None,
        failures: Iterable[int] = (),
    ) -> None:
        self.key_metric = key_metric
        self.series = dict(key_series)
        self.best = None if key_metric is None else _best(key_metric, self.series)
        self.metrics = {} if metrics is None else metrics
        self.metrics_at = metrics_at
        self.n = n
        self.failures = set(failures)
        self.is_new = False
        """Whether the series has changed since somebody last looked at it."""

    def measured(self, metrics: Metrics, at: int, n: int | None) -> None:
        """Newer validation metrics, or an older epoch's that came late."""
        if self.metrics_at is None or at >= self.metrics_at:
            self.metrics, self.metrics_at, self.n = metrics, at, n if n is not None else self.n
        key = self.key_metric or next((name for name in KEY_METRICS if number(metrics.get(name)) is not None), None)
        if key is None or key not in metrics:
            return
        value, is_told_again, best = number(metrics[key]), at in self.series, self.best
        self.key_metric, self.series[at], self.is_new = key, value, True
        if is_told_again:
            self.best = _best(key, self.series)
        elif value is not None and (best is None or _is_better(key, value, at, best)):
            self.best = Best(key, value, at)


class Past:
    """An attempt that another one has followed, while what comes late of it is folded.

    Args:
        attempt: What is known of it.
        curve: What it has measured, where that is at hand already.
    """

    def __init__(self, attempt: Attempt, curve: Curve | None = None) -> None:
        self.number = attempt.attempt
        self.from_ = attempt.from_
        self.reached = attempt.reached
        self.started = attempt.started
        self.ended, self.how = attempt.ended, attempt.how
        self.curve = curve or Curve(
            attempt.key_metric,
            attempt.key_series,
            attempt.metrics,
            attempt.metrics_at,
            attempt.n,
            attempt.rounds_with_failures,
        )

    @property
    def begun_s(self) -> float | None:
        """When it began, in seconds since 1970."""
        return seconds(self.started)

    def is_over(self, type_: str, time: str) -> None:
        """Whoever led it said how it ended; of two ends the earlier one holds."""
        if self.ended is None or before(time, self.ended):
            self.ended, self.how = time, _STATUS[type_]

    def take(self, type_: str, message: Mapping[str, Any], client_id: str | None, time: str) -> None:
        """Go on by a message of that attempt."""
        if type_ in ("round_start", "round_end", "round_aggregated"):
            self._round(type_, message)
        elif type_ == "client_failed":
            if round_ := integer(message.get("round")):
                self.curve.failures.add(round_)
        elif client_id is not None:
            return
        elif type_ == "run_start":
            self._start(message, time)
        elif type_ in ("epoch_start", "epoch_end", "step"):
            self._epoch(type_, message)
        elif type_ in TERMINAL:
            self.is_over(type_, time)

    def _start(self, message: Mapping[str, Any], time: str) -> None:
        self.started = earlier(self.started, time)
        self.from_ = begins_from(message, self.from_)
        if self.number > 1:
            self.reached = max(self.reached, self.from_ or 0)
        if self.curve.n is None:
            validated = mapping(mapping(mapping(message.get("data")).get("splits")).get("val"))
            self.curve.n = integer(validated.get("n"))

    def _epoch(self, type_: str, message: Mapping[str, Any]) -> None:
        epoch = integer(message.get("epoch"))
        if epoch is None:
            return
        self.reached = max(self.reached, epoch)
        if type_ == "epoch_end" and message.get("phase") == "val":
            self.curve.measured(mapping(message.get("metrics")), epoch, None)

    def _round(self, type_: str, message: Mapping[str, Any]) -> None:
        round_ = integer(message.get("round"))
        if round_ is None:
            return
        self.reached = max(self.reached, round_)
        if type_ == "round_aggregated":
            failed = message.get("failed_clients")
            if isinstance(failed, list) and failed:
                self.curve.failures.add(round_)
            metrics = mapping(message.get("metrics"))
            self.curve.measured(metrics, round_, integer(metrics.get("num_samples")))

    def known(self) -> bool:
        """Whether anything is known of it but that there must have been one."""
        return bool(self.started or self.reached or self.ended or self.curve.series or self.curve.failures)


def begins_from(message: Mapping[str, Any], known: int | None) -> int | None:
    """The last epoch or round that an attempt keeps of those before it, as `run_start` says; `None`: nobody said."""
    told = [integer(message.get(name)) for name in ("from_epoch", "from_round")]
    return max([max(0, each) for each in told if each is not None] + ([] if known is None else [known]), default=None)


def put_together(run: RunFields, own: Past, earlier_ones: Iterable[Past]) -> None:
    """Put the one curve of all attempts into a run's fields, and what is to be told of each attempt.

    Args:
        run: The fields, those of the newest attempt.
        own: The newest attempt.
        earlier_ones: Those before it, in any order.
    """
    newest_first = [own, *sorted((past for past in earlier_ones if past.known()), key=lambda past: -past.number)]
    attempts: list[Attempt] = []
    series: dict[int, float | None] = {}
    failures: set[int] = set()
    key: str | None = None
    metrics_at: int | None = None
    metrics: Metrics = {}
    n: int | None = None
    cut: int | None = None
    for past in newest_first:
        curve = past.curve
        kept = {at: value for at, value in curve.series.items() if cut is None or at <= cut}
        if kept and key is None:
            key = curve.key_metric
        if curve.key_metric == key:
            series = {**kept, **series}
        if metrics_at is None:
            if curve.metrics_at is not None and (cut is None or curve.metrics_at <= cut):
                metrics, metrics_at, n = curve.metrics, curve.metrics_at, curve.n
            elif kept and curve.key_metric is not None:
                # All else that was measured then is superseded by what that attempt measured later.
                metrics_at = max(kept)
                metrics, n = {curve.key_metric: kept[metrics_at]}, curve.n
        failures.update(round_ for round_ in curve.failures if cut is None or round_ <= cut)
        attempts.append(
            Attempt(
                attempt=past.number,
                from_=past.from_,
                reached=past.reached,
                kept=past.reached if cut is None else min(past.reached, cut),
                started=past.started,
                ended=past.ended,
                how=past.how,
                key_metric=curve.key_metric,
                key_series=tuple(sorted(curve.series.items())),
                metrics=curve.metrics,
                metrics_at=curve.metrics_at,
                n=curve.n,
                rounds_with_failures=tuple(sorted(curve.failures)),
            )
        )
        cut = (past.from_ or 0) if cut is None else min(cut, past.from_ or 0)
    run.attempts = tuple(reversed(attempts))
    run.key_metric, run.key_series = key, tuple(sorted(series.items()))
    run.best = None if key is None else _best(key, series)
    run.metrics, run.metrics_at, run.n = metrics, metrics_at, own.curve.n if n is None else n
    run.rounds_with_failures = tuple(sorted(failures))


def _best(key: str, series: Mapping[int, float | None]) -> Best | None:
    points = [(value, at) for at, value in series.items() if value is not None]
    if not points:
        return None
    value, at = max(points, key=lambda point: _rank(key, *point))
    return Best(key, value, at)


def _is_better(key: str, value: float, at: int, best: Best) -> bool:
    # As by `_rank`, for each message there is.
    if value == best.value:
        return at < best.at
    return value < best.value if key.endswith("loss") else value > best.value


def _rank(key: str, value: float, at: int) -> tuple[float, int]:
    # Of two equal values the earlier epoch is the best one.
    return (-value if key.endswith("loss") else value), -at
