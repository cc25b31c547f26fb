"""What pydantic found wrong, in words that say where, what and what would be right."""

from __future__ import annotations

import difflib
import re
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from federated_pneumonia_detection.config.errors import Problem
from federated_pneumonia_detection.config.strategies import Misfit

__all__ = ["explain"]


def explain(errors: Sequence[Mapping[str, Any]], model: type[BaseModel], *, where: str = "") -> list[Problem]:
    """Tell each of `errors` (as `ValidationError.errors()` gives them) in our words.

    Args:
        errors: pydantic's error dictionaries; FastAPI's, whose `loc` begins with `body`, fit too.
        model: what was validated, for the names of its keys.
        where: put in front of each key, as a file's name.
    """
    return [problem for error in errors for problem in _problems(error, model, where)]


def _problems(error: Mapping[str, Any], model: type[BaseModel], where: str) -> list[Problem]:
    misfit = (error.get("ctx") or {}).get("error")
    if not isinstance(misfit, Misfit):
        return [_problem(error, model, where)]
    # Of several keys at once: each is told at its own place.
    parents = [str(part) for part in error.get("loc", ()) if part != "body"]
    told = [(".".join([*parents, each.where]), each) for each in misfit.problems]
    return [Problem(f"{where}: {key}" if where else key, each.wrong, each.right) for key, each in told]


def _problem(error: Mapping[str, Any], model: type[BaseModel], where: str) -> Problem:
    loc = [str(part) for part in error.get("loc", ()) if part != "body"]
    key = ".".join(loc) or "the whole"
    place = f"{where}: {key}" if where else key
    kind = str(error.get("type", ""))
    if kind == "extra_forbidden":
        return Problem(place, "there is no such key", _nearest(loc, model))
    if kind == "missing":  # its input is whatever it is missing in
        return Problem(place, "it is missing", "give it")
    got = _shown(error.get("input"))
    if kind == "json_invalid":
        return Problem(
            where or "the body", f"it is no JSON ({error.get('ctx', {}).get('error', '')})", "send one object"
        )
    message = str(error.get("msg", "it is not valid")).removeprefix("Value error, ")
    if kind == "value_error":
        wrong, _, right = message.partition("; ")
        return Problem(place, f"{got}: {wrong}", right or "see `fpd config schema`")
    return Problem(place, f"it is {got}", _right(kind, error.get("ctx") or {}, message, loc, model, error.get("input")))


def _right(
    kind: str, ctx: Mapping[str, Any], message: str, loc: Sequence[str], model: type[BaseModel], got: Any
) -> str:
    limits = _limits(loc, model)
    if kind.startswith("int") or kind in {"greater_than_equal", "less_than_equal", "greater_than", "less_than"}:
        noun = "a whole number" if _is_int(loc, model) else "a number"
        return f"it must be {noun}{limits}"
    if kind.startswith("float") or kind == "finite_number":
        return f"it must be a number{limits}"
    if kind.startswith("bool"):
        return "it must be true or false"
    if kind == "literal_error":
        expected = str(ctx.get("expected", "one of the listed words"))
        near = difflib.get_close_matches(str(got).lower(), re.findall(r"'([^']*)'", expected), n=1)
        return f"did you mean {near[0]!r}? It must be {expected}" if near else f"it must be {expected}"
    if kind.startswith("string_too"):
        return f"it must be text{limits}" if limits else _decapitalised(message)
    if kind == "string_pattern_mismatch":
        return f"it must be one of: {_description(loc, model)}"
    if kind.startswith("string"):
        return "it must be text"
    if kind in {"model_type", "model_attributes_type", "dict_type"}:
        return "it must be an object of keys and values"
    return _decapitalised(message)


def _shown(value: object) -> str:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return "not a finite number"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, (int, float, str)):
        return (text := ascii(value)) if len(text := ascii(value)) <= 60 else f"{text[:57]}..."
    return f"a {type(value).__name__}"


def _nearest(loc: Sequence[str], model: type[BaseModel]) -> str:
    owner = _walk(loc[:-1], model)
    names = list(owner.model_fields) if owner else []
    near = difflib.get_close_matches(loc[-1], names, n=1, cutoff=0.5) if loc else []
    return f"did you mean {near[0]!r}?" if near else f"the keys are {', '.join(names)}"


def _walk(loc: Sequence[str], model: type[BaseModel]) -> type[BaseModel] | None:
    for part in loc:
        field = model.model_fields.get(part)
        inner = next((t for t in _types(field.annotation) if _is_model(t)), None) if field else None
        if inner is None:
            return None
        model = inner
    return model


def _types(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return typing.get_args(annotation)
    return (annotation,)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _field(loc: Sequence[str], model: type[BaseModel]) -> Any:
    owner = _walk(loc[:-1], model)
    return owner.model_fields.get(loc[-1]) if owner and loc else None


def _is_int(loc: Sequence[str], model: type[BaseModel]) -> bool:
    field = _field(loc, model)
    return field is not None and int in _types(field.annotation)


def _description(loc: Sequence[str], model: type[BaseModel]) -> str:
    field = _field(loc, model)
    return (field.description or "").rstrip(".") if field is not None else ""


def _limits(loc: Sequence[str], model: type[BaseModel]) -> str:
    field = _field(loc, model)
    if field is None:
        return ""
    found: dict[str, Any] = {}
    for rule in field.metadata:
        for name in ("ge", "gt", "le", "lt", "min_length", "max_length"):
            if (limit := getattr(rule, name, None)) is not None:
                found[name] = limit
    if "min_length" in found or "max_length" in found:
        return f" of {found.get('min_length', 0)} to {found.get('max_length', 'any number of')} characters"
    low = f"{found['ge']}" if "ge" in found else f"more than {found['gt']}" if "gt" in found else ""
    high = f"{found['le']}" if "le" in found else f"less than {found['lt']}" if "lt" in found else ""
    both = (
        f", {low} and {high if high.startswith('less') else 'at most ' + high}"
        if low.startswith("more") or high.startswith("less")
        else f", {low} to {high}"
    )
    return both if low and high else f", {low or high}" if low or high else ""


def _decapitalised(message: str) -> str:
    return message[:1].lower() + message[1:]
