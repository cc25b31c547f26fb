"""Fields of messages as anybody may have written them: what is not of the type it should be counts as not told."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["by_name", "integer", "mapping", "names", "number", "text"]

_NUMBERS = (int, float)
_DIGITS = re.compile("([0-9]+)")


def by_name(name: str) -> tuple[list[tuple[int, str]], str]:
    """What names are sorted by: `hospital_2` stands before `hospital_10`."""
    parts = _DIGITS.split(name)
    return [(len(part.lstrip("0")), part.lstrip("0")) if i % 2 else (0, part) for i, part in enumerate(parts)], name


def text(value: object) -> str:
    """A text; empty for what is none."""
    return value if isinstance(value, str) else ""


def integer(value: object) -> int | None:
    """A whole number, cut where it is not whole."""
    # Nearly every one there is, and what most messages lack.
    if type(value) is int and -1_000_000_000 < value < 1_000_000_000:
        return value
    if value is None or isinstance(value, bool) or not isinstance(value, _NUMBERS):
        return None
    return int(value) if value == value and abs(value) < 1e15 else None


def number(value: object) -> float | None:
    """A number; a truth is none."""
    if type(value) is float:  # nearly every one there is
        return value
    return float(value) if isinstance(value, _NUMBERS) and not isinstance(value, bool) else None


def names(value: object) -> tuple[str, ...] | None:
    """Names in a list, without what is none; `None` for what is no list."""
    return tuple(name for name in value if isinstance(name, str)) if isinstance(value, list) else None


def mapping(value: object) -> dict[str, Any]:
    """An object; empty for what is none."""
    return value if isinstance(value, dict) else {}
