"""Random changes of the training images, and the fixed views that are averaged at test time.

Everything works on the whole batch at once with tensor operations: no Python per image.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["augment", "test_time_views"]


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Light random changes: turn, zoom, shift, sharpen or blur, contrast, brightness, noise.

    No flips: a chest is not symmetric, and flips made the small network worse in selection.

    Args:
        images: ``(N, 1, H, W)`` in 0…1.
        generator: The source of chance, on the device of the images: the same state gives the same result.

    Returns:
        New images of the same shape; values may lie a little outside 0…1 by the noise.
    """
    count = images.shape[0]

    def uniform(low: float, high: float) -> Tensor:
        chance = torch.rand((count, 1, 1, 1), generator=generator, device=images.device, dtype=images.dtype)
        return chance * (high - low) + low

    angle = uniform(-10.0, 10.0).flatten() * (math.pi / 180)
    scale = uniform(-0.1, 0.1).exp().flatten()
    # A shift of 6 % of the side; the coordinates of the grid run from -1 to 1, hence twice that.
    shift_x, shift_y = uniform(-0.12, 0.12).flatten(), uniform(-0.12, 0.12).flatten()
    images = _affine(images, angle, scale, shift_x, shift_y)

    strength = uniform(-1.0, 1.0) * (uniform(0.0, 1.0) < 0.3)
    images = images + strength * (images - _blur(_blur(images)))
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    images = (images - mean) * uniform(-0.2, 0.2).exp() + mean
    images = (images + uniform(-0.15, 0.15)).clamp_(0.0, 1.0)
    noise = torch.randn(images.shape, generator=generator, device=images.device, dtype=images.dtype)
    return images + noise * uniform(0.0, 0.04)


def test_time_views(images: Tensor) -> Tensor:
    """Seven views of each image: as it is, moved by a 28th of a side in four directions, and two zooms.

    Args:
        images: ``(N, 1, H, W)``.

    Returns:
        ``(7, N, 1, H, W)``. The mean logit over the first axis is a steadier verdict than one view's.
    """
    step = 2 / 28
    still = (1.0, 0.0, 0.0)
    moves = [still, (1.0, step, 0.0), (1.0, -step, 0.0), (1.0, 0.0, step), (1.0, 0.0, -step)]
    views = [images]
    for scale, x, y in [*moves[1:], (0.92, 0.0, 0.0), (1.08, 0.0, 0.0)]:
        ones = images.new_ones(images.shape[0])
        views.append(_affine(images, ones * 0, ones * scale, ones * x, ones * y))
    return torch.stack(views)


def _affine(images: Tensor, angle: Tensor, scale: Tensor, shift_x: Tensor, shift_y: Tensor) -> Tensor:
    """Turns by ``angle`` (radians), zooms and shifts each image; bilinear, the border continued outwards."""
    cos, sin = angle.cos() * scale, angle.sin() * scale
    theta = torch.stack((torch.stack((cos, -sin, shift_x), 1), torch.stack((sin, cos, shift_y), 1)), 1)
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _blur(images: Tensor) -> Tensor:
    """[1 2 1] x [1 2 1] / 16, the border continued outwards."""
    padded = functional.pad(images, (1, 1, 1, 1), mode="replicate")
    rows = padded[:, :, :-2] + 2 * padded[:, :, 1:-1] + padded[:, :, 2:]
    return (rows[..., :-2] + 2 * rows[..., 1:-1] + rows[..., 2:]) / 16
