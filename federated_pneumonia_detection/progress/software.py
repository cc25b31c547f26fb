"""Which versions a run was made with, as far as that can be told without importing anything."""

from __future__ import annotations

import sys
from typing import Any

from federated_pneumonia_detection import __version__

__all__ = ["software"]

_NAMES = ("torch", "pytorch_lightning", "lightning", "monai", "torchmetrics", "flwr", "ray", "numpy")


def software() -> dict[str, Any]:
    """The versions of Python, of this project, and of those libraries that the process has imported."""
    versions: dict[str, Any] = {
        "python": ".".join(map(str, sys.version_info[:3])),
        "federated_pneumonia_detection": __version__,
    }
    for name in _NAMES:
        version = getattr(sys.modules.get(name), "__version__", None)
        if version is not None:
            versions[name] = str(version)
    return versions
