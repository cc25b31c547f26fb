"""What is to be told of a run, as pure functions of its state and of what was measured.

A rule is a word (`finished`, `failed`, `stalled`, `stopped`) or a line that a metric crosses (`val_auroc > 0.95`). It
holds for all runs, or for those whose name, experiment or id fits a pattern, and is told once of each attempt of a run.
"""

from __future__ import annotations

import hashlib
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Literal, NamedTuple

import msgspec

from federated_pneumonia_detection.hub.alerts import RULE
from federated_pneumonia_detection.hub.fields import integer, mapping, number, text
from federated_pneumonia_detection.hub.state import RunState, ended
from federated_pneumonia_detection.hub.times import seconds
from federated_pneumonia_detection.hub.wording import metric_words, rate

__all__ = [
    "MEASURES",
    "WORDS",
    "Fired",
    "Line",
    "Measured",
    "Rule",
    "crossed",
    "fits",
    "happened",
    "line_of",
    "measured",
    "rule_of",
    "told_as",
]

WORDS = ("finished", "failed", "stalled", "stopped")
"""What can happen to a run as a whole."""
RIGHT = "one of finished, failed, stalled, stopped, or a metric and a line, as val_auroc > 0.95"
_LINE = re.compile(r"([A-Za-z][A-Za-z0-9_./-]{0,99}) ?(>=|<=|>|<) ?([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]{1,3})?)")
_BEYOND: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_HAPPENED = {
    "completed": "finished",
    "failed": "failed",
    "cancelled": "stopped",
    "lost": "stalled",
}
MEASURES = frozenset({"epoch_end", "round_aggregated", "training_complete"})
"""The types of messages that tell what a run has measured of its model as a whole."""
_LEVEL = {"finished": "info", "failed": "error", "stalled": "warning", "stopped": "info"}


class Line(NamedTuple):
    """A line that a metric may cross."""

    metric: str
    sign: str
    value: float


class Rule(msgspec.Struct, frozen=True):
    """What somebody wants to be told."""

    id: str
    when: str
    """A word of `WORDS`, or a line: `val_auroc > 0.95`."""
    runs: str = "*"
    """A pattern that name, experiment or id of a run must fit; `*` is any."""
    to: tuple[str, ...] = ()
    """The targets that hear of it; all where none is named."""
    source: Literal["file", "page"] = "page"
    """Who keeps it: the operator's file, or this server."""
    since: str = ""
    """What happened before is not told."""
    by: str = ""
    """Who made it."""


class Measured(NamedTuple):
    """A value that a run has told of the model as a whole."""

    run_id: str
    attempt: int
    metric: str
    value: float
    where: str
    """`epoch 7`, `round 3`, or `the end`."""
    time: str


class Fired(msgspec.Struct, frozen=True):
    """That a rule holds of a run, and how it is told."""

    rule: Rule
    run_id: str
    about: str
    level: str
    title: str
    text: str


def rule_of(when: str, runs: str = "*", **more: Any) -> Rule:
    """The rule in these words.

    Raises:
        ValueError: They are none; the text says what one looks like.
    """
    line = line_of(when)
    words = " ".join(when.split()).lower() if line is None else f"{line.metric} {line.sign} {line.value:g}"
    if line is None and words not in WORDS:
        raise ValueError(f"{when[:100]!r} is no rule; {RIGHT}")
    pattern = runs.strip() or "*"
    return Rule(hashlib.sha256(f"{words}|{pattern}".encode()).hexdigest()[:8], words, pattern, **more)


def line_of(when: str) -> Line | None:
    """The line in a rule's words; `None` where they name none."""
    found = _LINE.fullmatch(" ".join(when.split()))
    return None if found is None else Line(found[1], found[2], float(found[3]))


def fits(rule: Rule, state: RunState) -> bool:
    """Whether a rule is about a run."""
    return any(fnmatchcase(name, rule.runs) for name in (state.name, state.experiment_name, state.run_id) if name)


def told_as(rule: Rule, attempt: int) -> str:
    """What the alert that tells it is about, so that it is told once of each attempt."""
    return f"{RULE}{rule.id}" if attempt <= 1 else f"{RULE}{rule.id}:{attempt}"


def happened(rules: Iterable[Rule], state: RunState) -> Iterator[Fired]:
    """What is to be told of a run as a whole, and was not told before.

    Args:
        rules: All there are.
        state: The run, described: a rule looks at its condition too.
    """
    word = _HAPPENED.get(state.status)
    if word is None and state.condition == "lost_contact":
        word = "stalled"
    if word is None:
        return
    for rule in rules:
        about = told_as(rule, state.attempt)
        if rule.when != word or about in state.told or not fits(rule, state) or _is_old(rule, state):
            continue
        words = f"{state.sentence} {state.detail_sentence}".strip()
        yield Fired(rule, state.run_id, about, _LEVEL[word], word.capitalize(), words)


def _is_old(rule: Rule, state: RunState) -> bool:
    """Whether it ended before somebody asked to be told, by this side's clock."""
    since, heard = seconds(rule.since), seconds(state.heard or state.end_time)
    return ended(state) and since is not None and heard is not None and heard < since


def measured(message: Mapping[str, Any]) -> Iterator[Measured]:
    """The values of the model as a whole that a message tells; what a hospital measured of its own is none."""
    type_ = message.get("type")
    if type_ not in MEASURES or message.get("client_id") is not None:
        return
    if type_ == "training_complete":
        values, where = mapping(message.get("final_metrics")), "the end"
    else:
        unit = "epoch" if type_ == "epoch_end" else "round"
        values, where = mapping(message.get("metrics")), f"{unit} {integer(message.get(unit)) or '?'}"
    run_id, attempt = text(message.get("run_id")), integer(message.get("attempt")) or 1
    time = text(message.get("received")) or text(message.get("timestamp"))
    for name, value in values.items():
        known = number(value)
        if known is not None:
            yield Measured(run_id, attempt, name, known, where, time)


def crossed(rules: Iterable[Rule], state: RunState, values: Iterable[Measured]) -> Iterator[Fired]:
    """Which lines were crossed by what a run has measured, each with the first value that did.

    Args:
        rules: All there are.
        state: The run.
        values: What it has measured, in order.
    """
    lines = [(rule, line) for rule in rules if (line := line_of(rule.when)) is not None and fits(rule, state)]
    done = set(state.told)
    for value in values:
        for rule, line in lines:
            about = told_as(rule, value.attempt)
            since, at = seconds(rule.since), seconds(value.time)
            if value.metric != line.metric or about in done or (since is not None and at is not None and at < since):
                continue
            if _BEYOND[line.sign](value.value, line.value):
                done.add(about)
                words = f"{metric_words(value.metric)} {rate(value.value)} at {value.where}"
                said = f"{value.metric} is {value.value:.6g}, which is {line.sign} {line.value:g}."
                yield Fired(rule, state.run_id, about, "info", words[:1].upper() + words[1:], said)
