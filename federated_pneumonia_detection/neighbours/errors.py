"""What goes wrong between us and a neighbour, in one line.

NeighbourError
├── NotReadable    a file is not what it should be: which, where, and what would be right
└── NotThere       the neighbour's package is not installed, or its place is taken
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["NeighbourError", "NotReadable", "NotThere"]


class NeighbourError(ValueError):
    """A run cannot go to, or come from, another tracker."""


class NotReadable(NeighbourError):
    """A file is not what it should be."""

    def __init__(self, path: Path, wrong: str, right: str) -> None:
        super().__init__(f"{path}: {wrong}; {right}")
        self.path = path


class NotThere(NeighbourError):
    """A neighbour's package is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"{package} is not installed here; `pip install federated-pneumonia-detection[{extra}]` brings it"
        )
