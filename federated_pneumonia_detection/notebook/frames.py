"""Rows as data frames of pandas or polars: the same columns, in the same order, of the same types in both."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal

from federated_pneumonia_detection.hub.rows import Row
from federated_pneumonia_detection.notebook.errors import NoFrames

__all__ = ["METRIC_COLUMNS", "RUN_COLUMNS", "Library", "framed", "metrics_frame", "runs_frame"]

Library = Literal["pandas", "polars"]
Kind = Literal["text", "whole", "number", "time", "truth"]
Columns = dict[str, Kind]

RUN_COLUMNS: Final[Columns] = {
    "run_id": "text",
    "experiment_name": "text",
    "name": "text",
    "mode": "text",
    "status": "text",
    "attempt": "whole",
    "start_time": "time",
    "end_time": "time",
    "epoch": "whole",
    "total_epochs": "whole",
    "round": "whole",
    "total_rounds": "whole",
    "num_clients": "whole",
    "n": "whole",
    "phantom": "truth",
    "sentence": "text",
}
"""What `fpd.runs()` says of every run; behind these stands a column for each of the newest validation metrics."""

METRIC_COLUMNS: Final[Columns] = {
    "run_id": "text",
    "client_id": "text",
    "type": "text",
    "phase": "text",
    "epoch": "whole",
    "round": "whole",
    "local_epoch": "whole",
    "step": "whole",
    "total_steps": "whole",
    "row": "whole",
    "time": "time",
    "attempt": "whole",
    "current": "truth",
}
"""What `run.metrics()` says of every measurement; behind these stands a column for each metric, in order of coming."""

_PANDAS: Final = {"text": "str", "whole": "Int64", "number": "float64", "truth": "boolean"}


def runs_frame(states: Sequence[dict[str, Any]], library: Library | None) -> Any:
    """A row for each run's state."""
    names = dict.fromkeys(name for state in states for name in state.get("metrics") or {})
    columns: dict[str, list[Any]] = {name: [state.get(name) for state in states] for name in RUN_COLUMNS}
    columns["phantom"] = [bool(state.get("phantom")) for state in states]
    metrics: dict[str, list[Any]] = {name: [(s.get("metrics") or {}).get(name) for s in states] for name in names}
    return framed(columns, RUN_COLUMNS, metrics, library)


def metrics_frame(rows: Sequence[Row], library: Library | None) -> Any:
    """A row for each measurement."""
    names = dict.fromkeys(name for row in rows for name in row.metrics)
    columns: dict[str, list[Any]] = {name: [getattr(row, name) for row in rows] for name in METRIC_COLUMNS}
    metrics: dict[str, list[Any]] = {name: [row.metrics.get(name) for row in rows] for name in names}
    return framed(columns, METRIC_COLUMNS, metrics, library)


def framed(
    columns: dict[str, list[Any]], kinds: Columns, metrics: dict[str, list[Any]], library: Library | None
) -> Any:
    """A data frame of these columns, with the metrics behind them.

    Raises:
        NoFrames: the library is not installed; without one named, neither is.
    """
    # A metric that is called like a column of ours keeps its values under another name.
    named = {f"metric_{name}" if name in kinds else name: values for name, values in metrics.items()}
    kinds = {**kinds, **dict.fromkeys(named, "number")}
    columns = {**columns, **named}
    for name, kind in kinds.items():
        if kind == "time":
            columns[name] = [_time(value) for value in columns[name]]
    if _chosen(library) == "polars":
        return _polars(columns, kinds)
    return _pandas(columns, kinds)


def _chosen(library: Library | None) -> Library:
    if library not in (None, "pandas", "polars"):
        raise ValueError(f"frame={library!r}: that is no library we know; pandas or polars")
    for name in ("pandas", "polars") if library is None else (library,):
        if importlib.util.find_spec(name) is not None:
            return name
    raise NoFrames(library)


def _pandas(columns: dict[str, list[Any]], kinds: Columns) -> Any:
    import pandas as pd

    def series(name: str, kind: Kind) -> Any:
        if kind == "time":
            return pd.Series(pd.to_datetime(columns[name], utc=True)).astype("datetime64[us, UTC]")
        return pd.Series(columns[name], dtype=_PANDAS[kind])

    return pd.DataFrame({name: series(name, kind) for name, kind in kinds.items()})


def _polars(columns: dict[str, list[Any]], kinds: Columns) -> Any:
    import polars as pl

    types: dict[Kind, Any] = {
        "text": pl.String,
        "whole": pl.Int64,
        "number": pl.Float64,
        "time": pl.Datetime("us", "UTC"),
        "truth": pl.Boolean,
    }
    return pl.DataFrame({name: pl.Series(name, columns[name], dtype=types[kind]) for name, kind in kinds.items()})


def _time(text: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return at.astimezone(UTC) if at.tzinfo is not None else at.replace(tzinfo=UTC)
