"""What others call a metric, in our words where they say the same; any other name stays as it is."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

__all__ = ["Named", "named"]

_PHASES: Final = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}
_SAME: Final = {
    "loss": "loss",
    "acc": "accuracy",
    "accuracy": "accuracy",
    "recall": "recall",
    "sensitivity": "recall",
    "precision": "precision",
    "specificity": "specificity",
    "f1": "f1",
    "f1score": "f1",
    "auroc": "auroc",
    "auc": "auroc",
    "rocauc": "auroc",
}


class Named(NamedTuple):
    """A metric as we call it."""

    name: str
    phase: str | None
    """`train`, `val` or `test`, where the name says so."""
    of: str | None
    """`step` or `epoch`, where the name says so, as Lightning's do."""


def named(name: str) -> Named:
    """`Loss/validation` and `valid_loss` are `val_loss`; what is not known is kept, with what it says of its phase."""
    words = [word for word in re.split(r"[/_.\-\s]+", name.lower()) if word]
    of = words.pop() if len(words) > 1 and words[-1] in ("step", "epoch") else None
    phases = [word for word in words if word in _PHASES]
    phase = _PHASES[phases[0]] if len(phases) == 1 else None
    rest = _SAME.get("".join(word for word in words if word not in phases))
    if phase is None or rest is None:
        return Named(name, phase, of)
    return Named(f"{phase}_{rest}", phase, of)
