"""Which versions made a run, for its ``run_start``."""

from __future__ import annotations

import platform
from importlib import metadata

__all__ = ["software_versions"]

_DISTRIBUTIONS = ("federated-pneumonia-detection", "torch", "pytorch-lightning", "torchmetrics", "monai", "numpy")


def software_versions(*more: str) -> dict[str, str]:
    """Versions of Python and of what decides about results; what is not installed is left out.

    Args:
        *more: Further distributions, as ``flwr``.
    """
    versions = {"python": platform.python_version()}
    for name in (*_DISTRIBUTIONS, *more):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions
