"""What becomes of a value that somebody logs: tensors and NumPy scalars to numbers, the rest to what JSON can tell."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from federated_pneumonia_detection.progress.framing import LONGEST_NAME
from federated_pneumonia_detection.progress.messages import Metrics, Value

__all__ = ["Warn", "column", "metrics_of", "name", "names", "plain", "seconds", "text", "whole"]

Warn = Callable[[str, str], None]
"""Takes the cause (told once) and what to say about it."""

_DEEPEST = 20
_BIGGEST = 2**63 - 1
_MOST_POINTS = 200
_MOST_IN_AN_ARRAY = 16_384
_LONGEST_INTERVAL_S = 60.0


def metrics_of(raw: Any, warn: Warn) -> tuple[Metrics, list[str]]:
    """Metrics as a message has them, and the names of those that are NaN or infinite (they are `None` in it).

    Names become text, nested dicts are flattened with `/`, what cannot be told becomes `None`. Never raises.
    """
    if type(raw) is dict:
        for name, value in raw.items():
            # value - value is NaN for a NaN and for an infinity.
            if type(value) is not float or value - value != 0.0 or type(name) is not str or not name.isascii():
                break
        else:
            return raw, []
    if raw is None:
        return {}, []
    if not isinstance(raw, Mapping):
        warn("metrics", f"metrics are a {type(raw).__name__}, not a dict; none of them was recorded")
        return {}, []
    metrics: Metrics = {}
    not_finite: list[str] = []
    _flatten(raw, "", metrics, not_finite, warn, ())
    return metrics, not_finite


def whole(value: Any, name: str, warn: Warn) -> int | None:
    """A count (an epoch, a round, a step), or `None` where the value is no whole number. Never raises."""
    if type(value) is int and -_BIGGEST <= value <= _BIGGEST:
        return value
    if value is None:
        return None
    number = _scalar(value)
    if isinstance(number, (int, float)) and math.isfinite(number) and number == int(number):
        return int(number) if abs(number) <= _BIGGEST else None
    warn(f"{name} is no whole number", f"{name} is {_shown(value)}, not a whole number; it is recorded as null")
    return None


def text(value: Any) -> str:
    """The value as text that UTF-8 can tell. Never raises."""
    if type(value) is str:
        if value.isascii():
            return value
        # Lone surrogates have no UTF-8.
        return value.encode("utf-8", "replace").decode("utf-8")
    try:
        return text(str.__str__(value) if isinstance(value, str) else str(value))
    except Exception:  # noqa: BLE001 - anybody's __str__ may raise anything, and a log call may not
        return f"<{type(value).__name__}>"


def name(value: Any) -> str:
    """The value as a text that something can be known by (see `framing.LONGEST_NAME`). Never raises.

    A longer one is cut, and ends in a hash of the whole, so that two of them stay two.
    """
    told = text(value)
    if "\0" in told:
        told = told.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if len(told) <= LONGEST_NAME:
        return told
    from hashlib import sha256

    return f"{told[: LONGEST_NAME - 17]}~{sha256(told.encode()).hexdigest()[:16]}"


def seconds(value: Any, name: str, fallback: float, warn: Warn) -> float:
    """A length of time between none and a minute; `fallback` for what is none. Never raises."""
    number = _scalar(value)
    if isinstance(number, str) or number is None or not math.isfinite(number):
        warn(f"{name} is no number", f"{name} is {_shown(value)}, not a number of seconds; {fallback:g} is taken")
        return fallback
    return min(max(float(number), 0.0), _LONGEST_INTERVAL_S)


def plain(value: Any, warn: Warn, within: tuple[int, ...] = ()) -> Any:
    """Any value as JSON can tell it, nested as it is; what cannot be told becomes `None`. Never raises.

    Args:
        value: anything.
        warn: told what cannot be told.
        within: what the value lies in, so that what contains itself ends.
    """
    if value is None or type(value) is bool:
        return value
    if type(value) is str:
        return text(value)
    if len(within) < _DEEPEST and id(value) not in within:
        inside = (*within, id(value))
        if isinstance(value, Mapping):
            return {text(name): plain(inner, warn, inside) for name, inner in _items(value, warn)}
        if isinstance(value, list | tuple | set | frozenset):
            return [plain(inner, warn, inside) for inner in value]
        array = _array(value)
        if array is not None:
            return plain(array, warn, inside)
    return _told(value, warn)


def column(values: Any, warn: Warn) -> list[float | None]:
    """A curve's numbers, at most 200 evenly spread, the first and last kept; `None` for what is none. Never raises."""
    plained = plain(values, warn)
    if not isinstance(plained, list):
        return []
    last = len(plained) - 1
    if last >= _MOST_POINTS:
        plained = [plained[round(i * last / (_MOST_POINTS - 1))] for i in range(_MOST_POINTS)]
    return [float(one) if isinstance(one, int | float) else None for one in plained]


def names(values: Any, warn: Warn) -> list[str]:
    """A list of names as text; one name alone is a list of one. Never raises."""
    plained = plain(values, warn)
    if not isinstance(plained, list):
        return [] if plained is None else [text(plained)]
    return [text(one) for one in plained]


def _flatten(
    raw: Mapping[Any, Any], prefix: str, metrics: Metrics, not_finite: list[str], warn: Warn, within: tuple[int, ...]
) -> None:
    inside = (*within, id(raw))
    for name, value in _items(raw, warn):
        key = prefix + text(name)
        if isinstance(value, Mapping) and len(inside) < _DEEPEST and id(value) not in inside:
            _flatten(value, f"{key}/", metrics, not_finite, warn, inside)
            continue
        number = value if type(value) is float else _scalar(value)
        if isinstance(number, float) and not math.isfinite(number):
            metrics[key] = None
            not_finite.append(key)
        else:
            metrics[key] = _told(value, warn) if number is None and value is not None else number


def _items(raw: Mapping[Any, Any], warn: Warn) -> list[tuple[Any, Any]]:
    try:
        return list(raw.items())
    except Exception as error:  # noqa: BLE001 - a mapping of somebody's own, or changed by another thread meanwhile
        warn("mapping", f"a {type(raw).__name__} could not be read ({type(error).__name__}); it is recorded as empty")
        return []


def _told(value: Any, warn: Warn) -> Value:
    number = _scalar(value)
    if isinstance(number, float) and not math.isfinite(number):
        return None
    if number is None and value is not None:
        kind = type(value).__name__
        warn(f"a {kind}", f"a value of type {kind} cannot be told in JSON; it is recorded as null")
    return number


def _scalar(value: Any) -> Value:
    # A number, a truth, a text, or None where the value is none of these.
    if value is None or type(value) in (bool, float):
        return value  # type: ignore[no-any-return]
    if isinstance(value, str):
        return text(value)
    try:
        if isinstance(value, int):
            number: int | float = int(value)
        elif isinstance(value, float):
            number = float(value)
        else:
            # A tensor (on any device), a NumPy scalar or array of one element: `item` fetches it.
            item = value.item() if callable(getattr(value, "item", None)) else float(value)
            if type(item) is bool:
                return item
            number = item if type(item) in (int, float) else float(item)
        return number if type(number) is float or abs(number) <= _BIGGEST else float(number)
    except Exception:  # noqa: BLE001 - anybody's __float__ or item may raise anything, and a log call may not
        return None


def _array(value: Any) -> Any:
    try:
        # No picture and no dataset belongs into a progress message.
        return value.tolist() if value.ndim and math.prod(value.shape) <= _MOST_IN_AN_ARRAY else None
    except Exception:  # noqa: BLE001 - no array at all, a tensor on a device that is gone, somebody's own class
        return None


def _shown(value: Any) -> str:
    shown = text(value)
    return shown if len(shown) <= 40 else f"{shown[:40]}…"
