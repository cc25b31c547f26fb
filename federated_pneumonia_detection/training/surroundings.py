"""What a training must leave as it found it: torch's chance, and who hears Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["seeded", "sigint_as_it_was"]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within it what draws from torch's global chance (dropout in networks of others) repeats."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield


@contextmanager
def sigint_as_it_was() -> Iterator[None]:
    """Lightning ignores Ctrl-C for ever after the first one; a caller wants it back."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        # None: a handler that was not set from Python, and cannot be set from it.
        if before is not None:
            signal.signal(signal.SIGINT, before)
