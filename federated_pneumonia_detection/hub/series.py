"""A run's metrics as columns, for charts: steps, and what epochs and rounds ended with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import msgspec

from federated_pneumonia_detection.hub.attempts import CURRENT, Attempts, Wanted
from federated_pneumonia_detection.hub.axes import Axes, Axis, Place
from federated_pneumonia_detection.hub.fields import integer, mapping, number, text
from federated_pneumonia_detection.hub.stores.store import Step, Store, Stored

__all__ = ["columns", "keep_extremes", "measured_fields", "measurements"]

_PAGE = 2000
# Which fields of a message are metrics, and the phase each one is of where the message has none of its own.
_MEASURED = {
    "epoch_end": (("metrics", ""),),
    "local_epoch": (("metrics", "train"),),
    "round_end": (("fit_metrics", "fit"), ("eval_metrics", "eval")),
    "round_aggregated": (("metrics", "val"),),
}


_NUMBERS = ("epoch", "round", "local_epoch", "step", "total_steps")


class _Said(msgspec.Struct, gc=False):
    """What a chart wants of a message; of any type, since anybody may have written it."""

    timestamp: Any = None
    attempt: Any = None
    epoch: Any = None
    round: Any = None
    local_epoch: Any = None
    step: Any = None
    total_steps: Any = None
    phase: Any = None
    metrics: Any = None
    fit_metrics: Any = None
    eval_metrics: Any = None


_Measured = tuple[dict[str, Any], _Said]

_decode = msgspec.json.Decoder(_Said).decode


def columns(
    store: Store,
    run_id: str,
    *,
    metric: str | None = None,
    client_id: str | None = None,
    points: int | None = None,
    since: int | None = None,
    attempts: Attempts | None = None,
    attempt: Wanted = CURRENT,
    x: Sequence[Axis] = (),
) -> dict[str, Any]:
    """Metrics as columns of equal length; `null` is a gap.

    Args:
        store: The log.
        run_id: The run.
        metric: This one only.
        client_id: This client only.
        points: At most about so many points for each series, keeping each bucket's least and greatest.
        since: Steps with a greater row only, and no epochs: what a viewer's merged steps left out.
        attempts: The run's attempts.
        attempt: Which of these; by itself the run's curve, without what is superseded.
        x: On which axes to say where each point lies; see `axes`.

    Returns:
        `steps`: for each client and phase `row`, `epoch`, `round`, `step`, `total_steps`, `timestamp` and `metrics`;
        where not all are told also `thinned`: up to which row.
        `epochs`: for each type, client and phase `offset`, `epoch`, `round`, `local_epoch`, `timestamp` and `metrics`.
        Of a run that was begun more than once also `attempt`, and `current`: whether it is part of the run's curve.
        Where axes were asked for, each also has `x`: by axis a column, `null` where a point has no place on it.
    """
    axes = Axes(map(_decoded, _messages(store, run_id, None))) if x else None
    chosen = _Chosen(attempts, attempt) if attempts is not None and attempts.are_several else None
    steps = store.steps(run_id=run_id, client_id=client_id, since=since or 0)
    found: dict[str, Any] = {"run_id": run_id, "log_id": store.log_id, "steps": [], "epochs": []}
    for (client, phase), group in groupby(steps, key=lambda step: (step.client_id, step.phase)):
        series = _step_columns(list(group), metric, chosen)
        if axes is not None:
            series["x"] = _places(axes, x, client, series)
        if series["row"] or chosen is None:
            thin = _thinned(series, points)
            until = {"thinned": series["row"][-1]} if len(thin["row"]) < len(series["row"]) else {}
            found["steps"].append({"client_id": client, "phase": phase, **until, **thin})
    if since is None:
        for series in _epoch_columns(_messages(store, run_id, client_id), metric, chosen):
            if axes is not None:
                series["x"] = _places(axes, x, series["client_id"], series)
            found["epochs"].append(_thinned(series, points))
    return found


def keep_extremes(values: Sequence[float | None], points: int) -> list[int]:
    """Which points of a line to keep so that it looks the same: first, last, and each bucket's least and greatest."""
    if len(values) <= max(points, 2):
        return list(range(len(values)))
    buckets = max(1, (points - 2) // 2)
    inner = len(values) - 2
    kept = {0, len(values) - 1}
    for bucket in range(buckets):
        begin, end = 1 + bucket * inner // buckets, 1 + (bucket + 1) * inner // buckets
        told = [(value, index) for index in range(begin, end) if (value := values[index]) is not None]
        if told:
            kept.add(min(told)[1])
            kept.add(max(told)[1])
    return sorted(kept)


def measurements(message: Stored) -> Iterator[tuple[str, dict[str, Any], _Said]]:
    """Each set of metrics a lifecycle message carries, with the phase it is of, and the message."""
    fields = _MEASURED.get(message.type)
    if fields is None:
        return
    try:
        said = _decode(message.body)
    except msgspec.DecodeError:  # of our type's name, and nothing of ours
        return
    for field, phase in fields:
        metrics = mapping(getattr(said, field))
        if metrics or message.type == "epoch_end":
            yield (said.phase if isinstance(said.phase, str) else "") or phase, metrics, said


def measured_fields(message: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each set of metrics that a message carries, a step among them, with the phase it is of."""
    type_, phase = message.get("type"), text(message.get("phase"))
    fields = (("metrics", ""),) if type_ == "step" else _MEASURED.get(type_) if isinstance(type_, str) else None
    for field, its_phase in fields or ():
        yield phase or its_phase, mapping(message.get(field))


def step_measurement(step: Step) -> _Measured:
    """A step's metrics, and the step."""
    try:
        said = _decode(step.body)
    except msgspec.DecodeError:
        said = _Said()
    return mapping(said.metrics), said


def _messages(store: Store, run_id: str, client_id: str | None) -> Iterator[Stored]:
    after = 0
    while messages := store.read(after=after, limit=_PAGE, run_id=run_id, client_id=client_id):
        yield from messages
        after = messages[-1].offset


class _Chosen:
    """What somebody wants of a run that was begun more than once."""

    def __init__(self, attempts: Attempts, wanted: Wanted) -> None:
        self._attempts = attempts
        self._wanted = wanted

    def has(self, said: _Said) -> bool:
        attempt, is_current = self.place(said)
        return self._attempts.wants(self._wanted, attempt, is_current)

    def place(self, said: _Said) -> tuple[int, bool]:
        attempt = self._attempts.of(said.attempt, said.timestamp)
        return attempt, self._attempts.is_current(attempt, said.epoch, said.round)

    def columns(self, saids: Sequence[_Said]) -> dict[str, Any]:
        places = [self.place(said) for said in saids]
        return {"attempt": [attempt for attempt, _ in places], "current": [is_current for _, is_current in places]}


def _step_columns(steps: Sequence[Step], metric: str | None, chosen: _Chosen | None) -> dict[str, Any]:
    measured = [step_measurement(step) for step in steps]
    rows = [step.row for step in steps]
    if len({step.writer for step in steps}) > 1:
        order = _by_place([said for _, said in measured])
        rows, measured = [rows[i] for i in order], [measured[i] for i in order]
    if chosen is not None:
        kept = [(row, one) for row, one in zip(rows, measured, strict=True) if chosen.has(one[1])]
        rows, measured = [row for row, _ in kept], [one for _, one in kept]
    saids = [said for _, said in measured]
    return {
        "row": rows,
        **({} if chosen is None else chosen.columns(saids)),
        "epoch": [said.epoch for said in saids],
        "round": [said.round for said in saids],
        "step": [said.step for said in saids],
        "total_steps": [said.total_steps for said in saids],
        "timestamp": [said.timestamp for said in saids],
        "metrics": _metric_columns([metrics for metrics, _ in measured], metric),
    }


def _epoch_columns(messages: Iterable[Stored], metric: str | None, chosen: _Chosen | None) -> Iterator[dict[str, Any]]:
    groups: dict[tuple[str, str | None, str], list[tuple[int, dict[str, Any], _Said]]] = {}
    writers: dict[str | None, set[str]] = {}
    for message in messages:
        writers.setdefault(message.client_id, set()).add(message.writer)
        for phase, metrics, said in measurements(message):
            if chosen is not None and not chosen.has(said):
                continue
            groups.setdefault((message.type, message.client_id, phase), []).append((message.offset, metrics, said))
    for (type_, client_id, phase), rows in groups.items():
        if len(writers[client_id]) > 1:
            rows = [rows[i] for i in _by_place([said for _, _, said in rows])]
        yield {
            "type": type_,
            "client_id": client_id,
            "phase": phase,
            "offset": [offset for offset, _, _ in rows],
            **({} if chosen is None else chosen.columns([said for _, _, said in rows])),
            "epoch": [said.epoch for _, _, said in rows],
            "round": [said.round for _, _, said in rows],
            "local_epoch": [said.local_epoch for _, _, said in rows],
            "timestamp": [said.timestamp for _, _, said in rows],
            "metrics": _metric_columns([metrics for _, metrics, _ in rows], metric),
        }


def _decoded(message: Stored) -> dict[str, Any]:
    try:
        return mapping(msgspec.json.decode(message.body))
    except msgspec.DecodeError:
        return {}


def _places(
    axes: Axes, x: Sequence[Axis], client_id: str | None, series: dict[str, Any]
) -> dict[str, list[float | None]]:
    """Where the points of a series lie, by axis."""
    numbers = {name: series[name] for name in _NUMBERS if name in series}
    places = [
        Place(client_id, timestamp=text(at), **{name: integer(column[i]) for name, column in numbers.items()})
        for i, at in enumerate(series["timestamp"])
    ]
    return {axis: [axes.at(place, axis) for place in places] for axis in x}


def _by_place(saids: Sequence[_Said]) -> list[int]:
    """In which order several writers' measurements of one line stand: by where they are of, never by when they came."""

    def place(i: int) -> tuple[float, ...]:
        said = saids[i]
        at = (said.attempt or 1, said.round, said.epoch, said.local_epoch, said.step)
        return tuple(number(one) or 0.0 for one in at)

    return sorted(range(len(saids)), key=place)


def _metric_columns(rows: Sequence[dict[str, Any]], metric: str | None) -> dict[str, list[float | None]]:
    names = [metric] if metric is not None else list(dict.fromkeys(name for row in rows for name in row))
    found = {name: [number(row.get(name)) for row in rows] for name in names}
    # A metric that is never a number (a text, say) is no line.
    return {name: values for name, values in found.items() if any(value is not None for value in values) or metric}


def _thinned(series: dict[str, Any], points: int | None) -> dict[str, Any]:
    lines: dict[str, list[float | None]] = series["metrics"]
    length = max((len(values) for values in lines.values()), default=0)
    if points is None or length <= points:
        return series
    share = max(4, points // max(1, len(lines)))
    kept = sorted({index for values in lines.values() for index in keep_extremes(values, share)})
    thin = {
        name: [column[index] for index in kept] if isinstance(column, list) else column
        for name, column in series.items()
    }
    if "x" in series:
        thin["x"] = {axis: [places[index] for index in kept] for axis, places in series["x"].items()}
    thin["metrics"] = {name: [values[index] for index in kept] for name, values in lines.items()}
    return thin
