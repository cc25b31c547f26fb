"""What a benchmark tells: a figure beside its goal, as a line for people and as one for `docs/performance.json`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

__all__ = ["FIGURES_FILE", "figure", "goal", "is_met", "shown", "table", "verdict"]

FIGURES_FILE = "FPD_FIGURES"
"""The environment variable that names the file to which `python -m benchmarks` has figures appended."""


def figure(
    name: str,
    value: float,
    unit: str,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
    note: str = "",
) -> bool:
    """Tell one figure.

    Args:
        name: what was measured, unique in its benchmark.
        value: the figure.
        unit: what it counts, with the peer where it is a ratio (`× json.dumps + os.write`).
        at_most: the goal, where less is better.
        at_least: the goal, where more is better.
        note: what a reader should know beside it: the absolute value of a ratio, its interval.

    Returns:
        Whether the goal is met; a figure without a goal meets it.
    """
    record = {"name": name, "value": value, "unit": unit, "at_most": at_most, "at_least": at_least, "note": note}
    print(f"  {name:<58} {shown(value):>8} {unit}{f' ({note})' if note else ''}{verdict(record)}", flush=True)
    _keep({"figure": record})
    return is_met(record)


def table(name: str, columns: list[str], rows: list[dict[str, Any]], **beside: Any) -> None:
    """Keep a table for the page; printing it is the benchmark's. A cell is text, a number or `None`."""
    _keep({"table": {"name": name, "columns": columns, "rows": rows, **beside}})


def is_met(record: dict[str, Any]) -> bool:
    """Whether a figure is as good as its goal."""
    value, at_most, at_least = record["value"], record["at_most"], record["at_least"]
    return (at_most is None or value <= at_most) and (at_least is None or value >= at_least)


def verdict(record: dict[str, Any]) -> str:
    """The goal and whether it is met, in words; nothing where there is no goal."""
    if record["at_most"] is None and record["at_least"] is None:
        return ""
    return f"   goal {goal(record)}: {'met' if is_met(record) else 'MISSED'}"


def goal(record: dict[str, Any]) -> str:
    """The goal alone: a bound, or the range a figure should lie in; nothing where there is none."""
    at_most, at_least = record["at_most"], record["at_least"]
    if at_most is None and at_least is None:
        return ""
    if at_most is not None and at_least is not None:
        return f"{shown(at_least)} to {shown(at_most)}"
    return f"≤ {shown(at_most)}" if at_most is not None else f"≥ {shown(at_least)}"


def shown(value: float) -> str:
    """A number as a person writes it: three digits, no exponent, thousands apart."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.3g}"


def _keep(record: dict[str, Any]) -> None:
    if path := os.environ.get(FIGURES_FILE):
        with Path(path).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(record, ensure_ascii=False) + "\n")
