"""Which versions made a run, for a ``run_start`` that names more than the process has imported so far."""

from __future__ import annotations

from importlib import metadata
from typing import Any

from federated_pneumonia_detection.progress.software import software

__all__ = ["software_versions"]

_DISTRIBUTIONS = ("torch", "pytorch-lightning", "torchmetrics", "monai", "numpy")


def software_versions(*more: str) -> dict[str, Any]:
    """Versions of Python, this project and what decides about results; what is not installed is left out.

    Args:
        *more: Further distributions, as ``flwr``.
    """
    versions = software()
    for name in (*_DISTRIBUTIONS, *more):
        try:
            versions[name.replace("-", "_")] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions
