"""What is minimised and how: loss, optimiser, one cycle of the learning rate, running average of the weights.

One definition for the centralised run and for a hospital's local epochs.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from federated_pneumonia_detection.config import TrainingConfig

__all__ = ["RunningAverage", "class_weights", "make_optimizer", "one_cycle", "smoothed_loss"]

# torch.optim.lr_scheduler.OneCycleLR's defaults, but for the longer fall.
_PCT_START = 0.25
_DIV_FACTOR = 25.0
_FINAL_DIV_FACTOR = 1e4
_BETA_HIGH, _BETA_LOW, _BETA2 = 0.95, 0.85, 0.999


def class_weights(labels: Tensor) -> tuple[float, float]:
    """Weights of the two classes, inverse to their frequency: ``N / (2 n)``.

    Args:
        labels: 0 (normal) and 1 (pneumonia), ``(N,)``.

    Returns:
        (normal, pneumonia); ``(1, 1)`` where a class has no image, since nothing could balance it.
    """
    total = labels.numel()
    positive = int((labels == 1).sum())
    if positive in (0, total):
        return (1.0, 1.0)
    return (total / (2 * (total - positive)), total / (2 * positive))


def smoothed_loss(logits: Tensor, labels: Tensor, *, smoothing: float, weights: tuple[float, float]) -> Tensor:
    """Weighted binary cross-entropy towards ``smoothing / 2`` and ``1 - smoothing / 2``, mean over the batch."""
    truth = labels.to(logits.dtype)
    targets = truth * (1 - smoothing) + smoothing / 2
    each = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return (each * (weights[0] + (weights[1] - weights[0]) * truth)).mean()


def make_optimizer(network: nn.Module, config: TrainingConfig) -> torch.optim.AdamW:
    """AdamW; the weight decay acts on matrices and filters, not on biases and normalisation."""
    decayed = [p for p in network.parameters() if p.requires_grad and p.ndim >= 2]
    others = [p for p in network.parameters() if p.requires_grad and p.ndim < 2]
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=config.learning_rate, betas=(_BETA_HIGH, _BETA2))


def one_cycle(step: int, total_steps: int, peak: float) -> tuple[float, float]:
    """Learning rate and first beta of Adam at ``step`` (0-based) of ``total_steps``.

    The learning rate rises from ``peak / 25`` to ``peak`` over the first quarter and falls to nearly nothing, both
    along a cosine; beta goes the other way. As torch's OneCycleLR, but a pure function of the step: nothing to restore
    after a pause, and a federated run can give each round its part of the one cycle.
    """
    start, end = peak / _DIV_FACTOR, peak / _DIV_FACTOR / _FINAL_DIV_FACTOR
    turn = _PCT_START * total_steps - 1
    last = total_steps - 1
    if turn > 0 and step <= turn:
        share = step / turn
        return _cosine(start, peak, share), _cosine(_BETA_HIGH, _BETA_LOW, share)
    share = min(1.0, (step - turn) / (last - turn)) if last > turn else 1.0
    return _cosine(peak, end, share), _cosine(_BETA_LOW, _BETA_HIGH, share)


def set_rate(optimizer: torch.optim.Optimizer, rate: float, beta1: float) -> None:
    """Puts a learning rate and first beta into all groups of an Adam optimiser."""
    for group in optimizer.param_groups:
        group["lr"] = rate
        group["betas"] = (beta1, group["betas"][1])


class RunningAverage:
    """A copy of a network that follows its weights and batch statistics slowly (an exponential moving average).

    Args:
        network: The network to follow.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        # Updates so far; the average follows quickly at first, when there is nothing worth keeping.
        self.updates = 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Takes in the present state of ``network`` with decay ``min(0.995, (1 + k) / (10 + k))``."""
        decay = min(0.995, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        mine, theirs = [], []
        for own, other in zip(_state(self.network), _state(network), strict=True):
            if own.is_floating_point():
                mine.append(own)
                theirs.append(other)
            else:
                own.copy_(other)
        torch._foreach_lerp_(mine, theirs, 1 - decay)


def _state(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))
