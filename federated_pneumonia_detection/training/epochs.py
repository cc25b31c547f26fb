"""Plain epochs without Lightning: what a hospital does within a round.

Nothing here touches the global state of chance: two clients may train in two threads and still repeat bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from federated_pneumonia_detection.training.augmentation import augment
from federated_pneumonia_detection.training.errors import LossBecameNaN
from federated_pneumonia_detection.training.inference import as_batch, predict_logits
from federated_pneumonia_detection.training.metrics import binary_metrics
from federated_pneumonia_detection.training.optimisation import (
    class_weights,
    make_optimizer,
    one_cycle,
    set_rate,
    smoothed_loss,
)

if TYPE_CHECKING:
    from federated_pneumonia_detection.config import TrainingConfig

__all__ = ["LocalTraining", "evaluate_locally", "train_locally"]

OnStep = Callable[[int, int, int, dict[str, float]], None]
OnEpoch = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class LocalTraining:
    """What came of a call of ``train_locally``.

    Attributes:
        metrics: ``train_loss``, ``train_accuracy``, …, ``learning_rate`` of the last epoch.
        num_samples: Images trained on.
        steps: Steps of the optimiser.
    """

    metrics: dict[str, float]
    num_samples: int
    steps: int


def train_locally(
    network: nn.Module,
    images: np.ndarray[Any, Any] | Tensor,
    labels: np.ndarray[Any, Any] | Tensor,
    config: TrainingConfig,
    *,
    epochs: int,
    seed: int,
    span: tuple[float, float] = (0.0, 1.0),
    proximal_mu: float = 0.0,
    device: torch.device | str = "cpu",
    on_step: OnStep | None = None,
    on_epoch: OnEpoch | None = None,
) -> LocalTraining:
    """Trains ``network`` in place.

    Args:
        network: From ``build_network``, with the weights to start from.
        images: uint8 ``(N, H, W)``, N of at least 1.
        labels: 0 and 1, ``(N,)``.
        config: Batch size, learning rate and the rest; ``config.epochs`` is not read.
        epochs: How often the images are seen.
        seed: Of order and augmentation; with the same weights, images and seed the result is the same bit for bit.
        span: Which part of the one cycle of the learning rate this call is: ``(0, 1)`` all of it, ``(1/3, 2/3)`` the
            second of three rounds.
        proximal_mu: Strength of FedProx' pull back to the weights at the start (Li et al., 2020); 0 for none.
        device: Where to compute; the network is moved there.
        on_step: Called after each step with (epoch from 1, step from 1, steps of an epoch, metrics). May raise to stop.
        on_epoch: Called after each epoch with (epoch from 1, metrics).

    Raises:
        LossBecameNaN: When the loss is no number any more.
    """
    pixels, truth = torch.as_tensor(images), torch.as_tensor(labels).long()
    order_chance = torch.Generator().manual_seed(seed)
    pixel_chance = torch.Generator(device).manual_seed(seed)
    weights = class_weights(truth) if config.class_weights else (1.0, 1.0)
    network.to(device).train()
    optimizer = make_optimizer(network, config)
    anchor = [p.detach().clone() for p in network.parameters()] if proximal_mu > 0 else []
    count = len(pixels)
    # The last, smaller batch is dropped: statistics over a handful of images disturb the batch norm.
    steps = max(1, count // config.batch_size)
    whole = max(1, round(steps * epochs / max(span[1] - span[0], 1e-9)))
    first = round(span[0] * whole)
    metrics: dict[str, float] = {}
    for epoch in range(1, epochs + 1):
        order = torch.randperm(count, generator=order_chance)
        losses, logits, answers = [], [], []
        for step in range(1, steps + 1):
            chosen = order[(step - 1) * config.batch_size : step * config.batch_size]
            batch, target = as_batch(pixels[chosen], device), truth[chosen].to(device)
            if config.augment:
                batch = augment(batch, pixel_chance)
            rate, beta = one_cycle(min(first + (epoch - 1) * steps + step - 1, whole - 1), whole, config.learning_rate)
            set_rate(optimizer, rate, beta)
            output = network(batch)
            loss = smoothed_loss(output, target, smoothing=config.label_smoothing, weights=weights)
            optimizer.zero_grad()
            whole_loss = loss + _pull(network, anchor, proximal_mu) if anchor else loss
            whole_loss.backward()  # type: ignore[no-untyped-call]
            value = float(loss.detach())
            if not math.isfinite(value):
                raise LossBecameNaN(epoch, step)
            optimizer.step()
            losses.append(value)
            logits.append(output.detach())
            answers.append(target)
            if on_step is not None:
                on_step(epoch, step, steps, {"train_loss": value, "learning_rate": rate})
        metrics = binary_metrics(
            torch.cat(logits).cpu(),
            torch.cat(answers).cpu(),
            threshold=config.threshold,
            loss=sum(losses) / len(losses),
            prefix="train_",
        )
        metrics["learning_rate"] = optimizer.param_groups[0]["lr"]
        if on_epoch is not None:
            on_epoch(epoch, metrics)
    return LocalTraining(metrics, count, steps * epochs)


def evaluate_locally(
    network: nn.Module,
    images: np.ndarray[Any, Any] | Tensor,
    labels: np.ndarray[Any, Any] | Tensor,
    config: TrainingConfig,
    *,
    prefix: str = "val_",
    views: bool = False,
    device: torch.device | str = "cpu",
) -> tuple[dict[str, float], Tensor]:
    """Measures ``network`` on images.

    Args:
        network: The network, moved to ``device``.
        images: uint8 ``(N, H, W)``; N may be 0.
        labels: 0 and 1, ``(N,)``.
        config: Threshold, batch size; the loss is plain (no smoothing, no class weights), so that it can be compared.
        prefix: Put before each metric's name.
        views: Whether to average over seven views.
        device: Where to compute.

    Returns:
        The metrics (empty without images) and the logits ``(N,)``.
    """
    logits = predict_logits(network.to(device), images, views=views, device=device)
    truth = torch.as_tensor(labels).long()
    if len(truth) == 0:
        return {}, logits
    loss = float(smoothed_loss(logits, truth, smoothing=0.0, weights=(1.0, 1.0)))
    return binary_metrics(logits, truth, threshold=config.threshold, loss=loss, prefix=prefix), logits


def _pull(network: nn.Module, anchor: list[Tensor], mu: float) -> Tensor:
    distances = [(p - a).square().sum() for p, a in zip(network.parameters(), anchor, strict=True)]
    return mu / 2 * torch.stack(distances).sum()
