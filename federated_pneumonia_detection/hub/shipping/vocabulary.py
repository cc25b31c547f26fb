"""What may stand in a message that leaves a site: words and ranges fixed here, so that nothing else travels in it."""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterable

__all__ = [
    "COUNTS",
    "ENUMERATED",
    "KNOWN_METRICS",
    "METRIC_FIELDS",
    "OF_NO_IMAGES",
    "error_class",
    "greatest",
    "is_share",
    "is_whole",
    "matching",
]

_SPLITS = ("train", "val", "test", "eval", "fit")
_RATES = (
    "accuracy",
    "acc",
    "recall",
    "precision",
    "specificity",
    "sensitivity",
    "f1",
    "auroc",
    "auc",
    "balanced_accuracy",
    "brier",
    "ece",
    "dice",
)
_LOSSES = ("loss",)
_NUMBERS = ("num_samples", "num_examples", "num-examples", "num_normal", "num_pneumonia", "num_clients")
_OTHERS = (
    "learning_rate",
    "lr",
    "grad_norm",
    "epsilon",
    "delta",
    "duration_seconds",
    "total_epochs",
    "total_rounds",
    "best_epoch",
    "best_val_recall",
    "best_val_loss",
)
_BARE = (*_RATES, *_LOSSES, *_NUMBERS)
_WHOLE = frozenset({"duration_seconds", "total_epochs", "total_rounds", "best_epoch", "num_clients"})
_COUNTS_IMAGES = re.compile(r"(?:^|_)num[_-]")

OF_NO_IMAGES: frozenset[str] = _WHOLE | {"learning_rate", "lr", "epsilon", "delta"}
"""Metrics that are not over images, whatever their number."""

KNOWN_METRICS: frozenset[str] = frozenset(
    {*_BARE, *_OTHERS} | {f"{split}_{name}" for split in _SPLITS for name in _BARE}
)
"""The names that a `*` in a policy can stand for: ours, and those of Flower's examples."""

METRIC_FIELDS = ("metrics", "fit_metrics", "eval_metrics", "final_metrics")
"""The fields that hold metrics by name."""

_FEW, _MANY, _BYTES = 10_000, 10_000_000, 2**50

COUNTS: dict[str, int] = {
    "epoch": _FEW,
    "total_epochs": _FEW,
    "round": _FEW,
    "total_rounds": _FEW,
    "local_epoch": _FEW,
    "attempt": _FEW,
    "from_epoch": _FEW,
    "from_round": _FEW,
    "num_clients": _FEW,
    "expected": _FEW,
    "step": _MANY,
    "total_steps": _MANY,
    "bytes_down": _BYTES,
    "bytes_up": _BYTES,
}
"""The fields that count something, and the most each may come to."""

ENUMERATED: dict[str, frozenset[str]] = {
    "phase": frozenset({"train", "val", "test", "fit", "eval", "final", "aggregated"}),
    "mode": frozenset({"centralized", "federated"}),
    "kind": frozenset({"centralized", "federated"}),
    "level": frozenset({"info", "warning", "error"}),
    "stage": frozenset({"waiting_for_clients", "training", "aggregating", "evaluating", "validating", "testing"}),
}
"""The fields that hold a word, and the words there are."""

_ERRORS = frozenset(
    name for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, BaseException)
) | {"OutOfMemoryError"}
_HEAD = re.compile(r"(?:[a-z_.]{1,40}\.)?([A-Z][A-Za-z]{1,40})(?=\W|$)")


def error_class(text: object) -> str:
    """What an error's text is replaced by: the name of a known exception where it begins with one, and no more."""
    found = _HEAD.match(text) if isinstance(text, str) else None
    name = found[1] if found is not None and found[1] in _ERRORS else None
    return f"{name or 'an error'} at the site; its text stays there"


def matching(patterns: Iterable[str]) -> frozenset[str]:
    """The names that a policy lets through: those it spells out, and for a pattern the known ones that fit it."""
    found: set[str] = set()
    for pattern in patterns:
        if "*" not in pattern:
            found.add(pattern)
            continue
        fits = re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.DOTALL)
        found.update(name for name in KNOWN_METRICS if fits.fullmatch(name))
    return frozenset(found)


def is_share(metric: str) -> bool:
    """Whether a metric lies between 0 and 1."""
    return any(metric == name or metric.endswith(f"_{name}") for name in _RATES)


def is_whole(metric: str) -> bool:
    """Whether a metric counts something: images, cases, epochs, seconds."""
    return metric in _WHOLE or _COUNTS_IMAGES.search(metric) is not None


def greatest(metric: str) -> float:
    """What the amount of a metric can come to at most."""
    if is_whole(metric):
        return float(_MANY)
    return 1.0 if is_share(metric) else 10_000.0
