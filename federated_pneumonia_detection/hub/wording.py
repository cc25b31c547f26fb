"""The small words that sentences share; `wording.ts` is the page's copy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import floor

from federated_pneumonia_detection.hub.state import RunState, is_federated

__all__ = [
    "bare",
    "capital",
    "count_of",
    "duration_words",
    "expected",
    "gap_words",
    "joined",
    "listed",
    "metric_words",
    "of_total",
    "progress_of",
    "rate",
    "short_cause",
    "shortened",
    "within_brackets",
]

_NAMES = {"auroc": "AUROC", "f1": "F1"}
_SPLITS = {"val": "validation", "train": "training", "test": "test"}
_NAMED_AT_MOST = 4


def progress_of(state: RunState) -> tuple[str, int, int | None]:
    """What the run counts, where it is, and how many there will be."""
    if is_federated(state):
        return "round", state.round, state.total_rounds
    return "epoch", state.epoch, state.total_epochs


def expected(state: RunState) -> int:
    """How many hospitals take part: as many as were announced, or have been heard."""
    return max(state.num_clients or 0, len(state.clients))


def duration_words(duration_s: float) -> str:
    """A duration as people say it: `48 s`, `1 min 40 s`, `2 h 5 min`."""
    total = floor(max(0.0, duration_s))
    if total < 60:
        return f"{total} s"
    if total < 3600:
        minutes, rest = divmod(total, 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, rest = divmod(total // 60, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def gap_words(gap_s: float) -> str:
    """A short duration with its tenths: `1.0 s`."""
    return f"{floor(gap_s * 10 + 0.5) / 10:.1f} s" if gap_s < 10 else duration_words(gap_s)


def of_total(unit: str, at: int, total: int | None) -> str:
    """`round 3 of 5`; `round 3` where nobody said of how many."""
    return f"{unit} {at} of {total}" if total else f"{unit} {at}"


def count_of(many: int, unit: str) -> str:
    """`1 round`, `3 rounds`."""
    return f"{many} {unit}" if many == 1 else f"{many} {unit}s"


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`; of many the first few and how many more."""
    if len(names) > _NAMED_AT_MOST:
        names = [*names[: _NAMED_AT_MOST - 1], f"{len(names) - _NAMED_AT_MOST + 1} more"]
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def metric_words(name: str) -> str:
    """`validation AUROC` for `val_auroc`."""
    split, _, rest = name.partition("_")
    if split not in _SPLITS or not rest:
        return name
    return f"{_SPLITS[split]} {_NAMES.get(rest, rest.replace('_', ' '))}"


def rate(value: float) -> str:
    """Three decimals, and a real minus sign."""
    return f"{value:.3f}".replace("-", "\u2212")


def bare(sentence: str | None) -> str:
    """A sentence without its stop; of nothing, that nothing was said."""
    return (sentence or "it did not say why").strip().rstrip(".") or "it did not say why"


def shortened(line: str, letters: int) -> str:
    """At most so many letters, and a sign that there were more."""
    return line if len(line) <= letters else f"{line[:letters].rstrip()}…"


def short_cause(sentence: str) -> str:
    """Why somebody fell, without whose process it was: `killed by signal 9 (SIGKILL)`."""
    return re.sub(r"^Its process \([^()]*\) (?:was )?", "", sentence)


def within_brackets(sentence: str) -> str:
    """A cause as part of another sentence: without brackets in brackets."""
    return re.sub(r" \(([^()]*)\)", r", \1", short_cause(sentence))


def capital(line: str) -> str:
    """The same with a capital."""
    return line[:1].upper() + line[1:]


def joined(*sentences: str) -> str:
    """Sentences in a row, without those that are empty."""
    return " ".join(sentence for sentence in sentences if sentence)
