"""Lengths of time and sizes as people write them: `30d`, `12h`, `5GB`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from federated_pneumonia_detection.hub.retention import Policy

__all__ = ["bytes_of", "policy_of", "seconds_of", "shown_bytes"]

_LENGTHS = {"s": 1, "min": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400, "y": 365 * 86_400}
_SIZES = {"": 1, "b": 1} | {
    f"{letter}{end}": base**power
    for power, letter in enumerate("kmgt", start=1)
    for end, base in (("", 1000), ("b", 1000), ("ib", 1024))
}
_QUANTITY = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)\s*([a-z]*)", re.ASCII)


def seconds_of(text: str) -> float:
    """The seconds in a length of time such as `90min`, `12h`, `30d`, `4w` or `1y`.

    Raises:
        ValueError: it is none; the text says what one looks like.
    """
    number, unit = _parts(text)
    if number is None or unit not in _LENGTHS:
        raise ValueError(f"{text!r} is no length of time; one looks like 90min, 12h, 30d, 4w or 1y")
    return number * _LENGTHS[unit]


def bytes_of(text: str) -> int:
    """The bytes in a size such as `500MB`, `5GB` or `2TiB`.

    Raises:
        ValueError: it is none; the text says what one looks like.
    """
    number, unit = _parts(text)
    if number is None or unit not in _SIZES:
        raise ValueError(f"{text!r} is no size; one looks like 500MB, 5GB or 2TiB")
    return int(number * _SIZES[unit])


def policy_of(age: str | None, size: str | None) -> Policy:
    """What two options say is kept: an age, a size, both or neither.

    Raises:
        BadParameter: one of them is none.
    """
    from federated_pneumonia_detection.hub.retention import Policy

    try:
        return Policy(
            None if age is None else seconds_of(age),
            None if size is None else bytes_of(size),
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def shown_bytes(size: int) -> str:
    """A size in three digits or so."""
    amount = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def _parts(text: str) -> tuple[float | None, str]:
    found = _QUANTITY.fullmatch(text.strip().lower())
    return (float(found[1]), found[2]) if found else (None, "")
