"""Which errors a user can mend, the line each is told in, and exit codes."""

from __future__ import annotations

import sys

__all__ = ["CANCELLED", "FAILED", "MISUSED", "one_line"]

FAILED, MISUSED = 1, 2
CANCELLED = 130
"""What a shell expects of a program that Ctrl-C ended."""

_OURS = {
    "federated_pneumonia_detection.cli.client": ("ServerAway", "ServerRefused"),
    "federated_pneumonia_detection.cli.control": ("HasEnded",),
    "federated_pneumonia_detection.cli.journals": ("NoSuchRun",),
    "federated_pneumonia_detection.config.errors": ("ConfigError",),
    "federated_pneumonia_detection.data.errors": ("DataError",),
    "federated_pneumonia_detection.training.errors": ("TrainingError",),
    "federated_pneumonia_detection.federated.errors": ("FederatedError",),
    "federated_pneumonia_detection.server.errors": ("ServerError",),
    "federated_pneumonia_detection.hub.errors": ("HubError",),
    "federated_pneumonia_detection.neighbours.errors": ("NeighbourError",),
    "federated_pneumonia_detection.progress.errors": ("ProgressError",),
}
"""By module, so that telling an error of one part imports none of the others."""


def one_line(error: BaseException) -> str | None:
    """What to tell a user of `error` in one line; `None` for an error that is a defect of ours and must stay loud."""
    for module, names in _OURS.items():
        loaded = sys.modules.get(module)
        if loaded is not None and isinstance(error, tuple(getattr(loaded, name) for name in names)):
            return " ".join(str(error).split())
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed here; install federated-pneumonia-detection[all]"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, OSError) and error.strerror:
        # What is printed goes to a full disk, as a rule.
        return f"it cannot be written or read: {error.strerror}"
    return None
