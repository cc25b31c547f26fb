"""What can go wrong here, for whoever reads journals or goes on with a run. A log call raises none of this.

ProgressError
├── NotAJournal
└── CannotGoOn
"""

from __future__ import annotations

__all__ = ["CannotGoOn", "NotAJournal", "ProgressError"]


class ProgressError(Exception):
    """The base of the errors of this part."""


class NotAJournal(ProgressError):
    """A file is not one of our journals, or its first line cannot be read."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class CannotGoOn(ProgressError):
    """A run cannot go on, or not from there; `why` says it in a clause."""

    def __init__(self, run_id: str, why: str) -> None:
        super().__init__(f"run {run_id!r} cannot go on: {why}")
        self.run_id = run_id
        self.why = why
