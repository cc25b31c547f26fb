"""What the networks do with an image before they look at it: brightness and contrast of the device taken out."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

__all__ = ["local_contrast", "standardised"]


def _box_mean(images: Tensor) -> Tensor:
    """Mean over 7 x 7 pixels, edges reflected, twice: a smooth local mean without ringing."""
    for _ in range(2):
        images = functional.avg_pool2d(functional.pad(images, (3, 3, 3, 3), mode="reflect"), 7, stride=1)
    return images


def standardised(images: Tensor) -> Tensor:
    """Each image with mean 0 and standard deviation 1 (a flat image becomes 0)."""
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    std = images.std(dim=(1, 2, 3), keepdim=True, correction=0)
    return (images - mean) / std.clamp_min(0.02)


def local_contrast(images: Tensor) -> Tensor:
    """Each pixel against the mean and the spread of its neighbourhood: blind to how bright a device draws."""
    centred = images - _box_mean(images)
    variance = _box_mean(centred.square()).clamp_min(0)
    return centred / (variance.sqrt() + 0.05)
