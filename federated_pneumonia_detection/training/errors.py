"""What can go wrong in training, as errors with one clear line each.

TrainingError
├── BadModel           a network that cannot be built, or does not fit the images
├── BadCheckpoint      a checkpoint file that cannot be used
├── DeviceUnavailable  a device that this machine does not have
├── LossBecameNaN      the loss stopped being a number
└── TrainingCancelled  somebody asked the run to stop
"""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "BadCheckpoint",
    "BadModel",
    "DeviceUnavailable",
    "LossBecameNaN",
    "TrainingCancelled",
    "TrainingError",
    "one_line",
]


class TrainingError(Exception):
    """Base of all errors of this part; its text is one line made for the user."""


class BadModel(TrainingError):
    """The configured network cannot be built or does not fit the images.

    Args:
        model: The name that was configured.
        wrong: What is wrong with it.
        right: What would be right.
    """

    def __init__(self, model: str, wrong: str, right: str) -> None:
        super().__init__(f"model {model!r}: {wrong}; {right}")
        self.model = model
        self.wrong = wrong
        self.right = right


class BadCheckpoint(TrainingError):
    """A checkpoint file that cannot be used.

    Args:
        path: The file.
        wrong: What is wrong with it.
    """

    def __init__(self, path: Path, wrong: str) -> None:
        super().__init__(f"checkpoint {path}: {wrong}")
        self.path = path
        self.wrong = wrong


class DeviceUnavailable(TrainingError):
    """The configured device is not there.

    Args:
        device: The name that was configured.
        available: The devices that are there.
    """

    def __init__(self, device: str, available: list[str]) -> None:
        super().__init__(f"device {device!r} is not available here; available: auto, {', '.join(available)}")
        self.device = device
        self.available = available


class LossBecameNaN(TrainingError):
    """The training loss is NaN or infinite, so nothing can be learned any more.

    Args:
        epoch: The epoch (1-based) it happened in.
        step: The step (1-based) of that epoch.
    """

    def __init__(self, epoch: int, step: int) -> None:
        super().__init__(f"the training loss became NaN at epoch {epoch}, step {step}")
        self.epoch = epoch
        self.step = step


class TrainingCancelled(TrainingError):
    """Somebody asked the run to stop.

    Args:
        reason: Why, in the words of who asked.
        by: Who asked.
    """

    def __init__(self, reason: str, by: str) -> None:
        super().__init__(f"cancelled by {by}: {reason}")
        self.reason = reason
        self.by = by


def one_line(error: BaseException) -> str:
    """The first line of what an exception says, cut to 200 characters; its name if it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:200] if lines else type(error).__name__
