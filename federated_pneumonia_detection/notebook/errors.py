"""What a notebook is told in one line.

NotebookError
├── NoFrames      neither pandas nor polars is installed, or not the one that was asked for
└── NoCell        what shows a run in a cell is not installed, or was not built
"""

from __future__ import annotations

__all__ = ["NoCell", "NoFrames", "NotebookError"]


class NotebookError(RuntimeError):
    """A notebook asked for what cannot be had here."""


class NoFrames(NotebookError):
    """There is no library for data frames."""

    def __init__(self, wanted: str | None) -> None:
        name = "neither pandas nor polars" if wanted is None else f"no {wanted}"
        super().__init__(f"there is {name} here; `pip install {wanted or 'pandas'}` brings it")


class NoCell(NotebookError):
    """There is nothing to show a run in a cell with."""
