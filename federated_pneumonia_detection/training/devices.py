"""From the configured device to what torch and Lightning want."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from federated_pneumonia_detection.training.errors import DeviceUnavailable

__all__ = ["available_devices", "choose_device", "default_threads", "lightning_device", "torch_threads"]

# A network as small as ours gains nothing from more.
_MOST_THREADS = 4


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


def default_threads() -> int:
    """CPU threads for a training nobody gave a number: half of the cores we may use, at most four.

    Torch's threads spin while they wait for each other. Measured on two cores with one other busy process: 121 ms a
    step with one thread, 1 721 ms with two (and 68 against 46 ms with nobody else there). Something else always runs
    beside a training here: the server, and the browser that shows it.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(_MOST_THREADS, cores // 2))


@contextmanager
def torch_threads(count: int | None) -> Iterator[None]:
    """Within it torch uses ``count`` threads; ``default_threads()`` for None."""
    before = torch.get_num_threads()
    torch.set_num_threads(default_threads() if count is None else count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
