"""What a LightningModule has logged, told apart by phase and named as our messages name it. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["changed", "named", "step_loss"]

# What people call the phases, longest first. A dash between phase and metric is ours.
_PREFIXES = {
    "train": ("training", "train", "tr"),
    "val": ("validation", "valid", "val"),
    "test": ("testing", "test"),
}
_SEPARATORS = ("_", "/", "-", ".")


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What stands in ``after`` and did not stand, as the very same object, in ``before``.

    ``trainer.callback_metrics`` keeps what was logged in any phase; Lightning makes new tensors for what is logged
    anew, so identity tells what the present phase has added, even where two phases use one name.
    """
    return {name: value for name, value in after.items() if before.get(name) is not value}


def named(metrics: Mapping[str, Any], phase: str) -> dict[str, Any]:
    """Metrics of one phase under the names our messages use.

    ``val_loss`` stays; ``valid/loss`` and ``loss`` become ``val_loss``. Of a metric that Lightning keeps for step and
    epoch (``train_loss``, ``train_loss_step``, ``train_loss_epoch``) the epoch's value stays, once. Whatever carries
    another phase's prefix is left out: it was not measured now.

    Args:
        metrics: As Lightning holds them.
        phase: ``train``, ``val`` or ``test``.
    """
    found: dict[str, Any] = {}
    for name, value in metrics.items():
        if name.endswith("_step") and f"{name[:-5]}_epoch" in metrics:
            continue
        if name.endswith("_epoch") and name[:-6] in metrics:
            continue
        owner, rest = _split(name)
        if owner in (None, phase):
            # Learning rates belong to no phase; LearningRateMonitor calls them lr-Adam and the like.
            plain = owner is None and (rest == "epoch" or rest.split("-")[0] in ("lr", "learning_rate"))
            found[rest if plain else f"{phase}_{rest}"] = value
    return found


def step_loss(outputs: Any, accumulated: int) -> Any:
    """The loss in what ``training_step`` gave back; None if there is none.

    Args:
        outputs: What Lightning hands to ``on_train_batch_end``: a tensor, a mapping with ``loss``, or None.
        accumulated: Batches whose gradients are added up; Lightning has divided the loss by it.
    """
    loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
    if loss is None or not hasattr(loss, "item") or getattr(loss, "numel", lambda: 1)() != 1:
        return None
    return loss.item() * accumulated


def _split(name: str) -> tuple[str | None, str]:
    """The phase a name begins with, if any, and the rest of it."""
    for phase, words in _PREFIXES.items():
        for word in words:
            rest = name[len(word) :]
            if name.lower().startswith(word) and rest[:1] in _SEPARATORS and len(rest) > 1:
                return phase, rest[1:]
    return None, name
