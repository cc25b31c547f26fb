"""Keeps Lightning's talk from a user who did not ask for it: tips, device lists, advice about workers."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quiet_lightning"]

_LOGGERS = ("pytorch_lightning", "lightning_fabric", "pytorch_lightning.utilities.rank_zero", "lightning.pytorch")
# Said about every small run; none of them is something the user of this package could or should act on.
_ADVICE = (
    r".*does not have many workers.*",
    r".*number of training batches .* is smaller than the logging interval.*",
    r".*`isinstance\(treespec, LeafSpec\)` is deprecated.*",
    r".*you defined a `validation_step` but have no `val_dataloader`.*",
    # No validation split: the newest network is kept then.
    r".*Total length of `list` across ranks is zero.*",
    r".*GPU available but not used.*",
    # The running average is in eval mode on purpose.
    r".*module\(s\) in eval mode at the start of training.*",
    r".*Checkpoint directory .* exists and is not empty.*",
)


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Within it Lightning logs errors only, and its routine advice is not shown; real warnings are."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        for pattern in _ADVICE:
            warnings.filterwarnings("ignore", message=pattern)
        try:
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
