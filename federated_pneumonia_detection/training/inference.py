"""From images to logits with a finished network: in batches, without gradients, over one view or seven."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from federated_pneumonia_detection.training.augmentation import test_time_views

__all__ = ["as_batch", "predict_logits"]


def as_batch(images: Tensor | np.ndarray[Any, Any], device: torch.device | str = "cpu") -> Tensor:
    """Grey images as the networks take them.

    Args:
        images: uint8 ``(N, H, W)``, or already ``(N, 1, H, W)`` in 0…1.
        device: Where the result lies.

    Returns:
        float32, ``(N, 1, H, W)``, 0…1.
    """
    tensor = torch.as_tensor(images)
    if tensor.dtype == torch.uint8:
        # Moved as bytes: a quarter of what the floats would weigh.
        tensor = tensor.to(device).to(torch.float32).div_(255)
    else:
        tensor = tensor.to(device, torch.float32)
    return tensor.unsqueeze(1) if tensor.ndim == 3 else tensor


@torch.inference_mode()
def predict_logits(
    network: nn.Module,
    images: Tensor | np.ndarray[Any, Any],
    *,
    views: bool = False,
    batch_size: int = 256,
    device: torch.device | str = "cpu",
) -> Tensor:
    """One logit for each image.

    Args:
        network: From ``build_network`` or ``load_checkpoint``, on ``device``; its mode is restored afterwards.
        images: uint8 ``(N, H, W)``, or ``(N, 1, H, W)`` in 0…1; N may be 0.
        views: Whether to average over the seven views of ``test_time_views``.
        batch_size: Images at a time.
        device: Where to compute.

    Returns:
        ``(N,)`` on the CPU.
    """
    training = network.training
    network.eval()
    logits = []
    try:
        for start in range(0, len(images), batch_size):
            batch = as_batch(images[start : start + batch_size], device)
            if views:
                stacked = test_time_views(batch)
                each = network(stacked.flatten(0, 1)).unflatten(0, stacked.shape[:2]).mean(dim=0)
            else:
                each = network(batch)
            logits.append(each.float().cpu())
    finally:
        network.train(training)
    return torch.cat(logits) if logits else torch.empty(0)
