"""What can go wrong here, for whoever reads journals. A log call raises none of this.

ProgressError
└── NotAJournal
"""

from __future__ import annotations

__all__ = ["NotAJournal", "ProgressError"]


class ProgressError(Exception):
    """The base of the errors of this part."""


class NotAJournal(ProgressError):
    """A file is not one of our journals, or its first line cannot be read."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
