"""From the configured device to what torch and Lightning want."""

from __future__ import annotations

import torch

from federated_pneumonia_detection.training.errors import DeviceUnavailable

__all__ = ["available_devices", "choose_device", "lightning_device"]


def available_devices() -> list[str]:
    """Names of the devices of this machine that a configuration may give, the CPU first."""
    names = ["cpu"]
    if torch.cuda.is_available():
        names += ["cuda", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        names.append("mps")
    return names


def choose_device(name: str) -> torch.device:
    """The device for ``name``; ``auto`` is a GPU where there is one.

    Raises:
        DeviceUnavailable: If this machine does not have it.
    """
    available = available_devices()
    if name == "auto":
        return torch.device(next((d for d in ("cuda", "mps") if d in available), "cpu"))
    if name not in available:
        raise DeviceUnavailable(name, available)
    return torch.device(name)


def lightning_device(name: str) -> tuple[str, int | list[int]]:
    """``accelerator`` and ``devices`` of a Lightning trainer for one device.

    Raises:
        DeviceUnavailable: If this machine does not have it.
    """
    device = choose_device(name)
    accelerator = {"cuda": "gpu"}.get(device.type, device.type)
    return accelerator, 1 if device.index is None else [device.index]
