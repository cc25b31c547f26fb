"""What can be wrong with a source of images.

DataError
    the source as a whole, one of its files, or what is asked of it.
"""

from __future__ import annotations

__all__ = ["DataError"]


class DataError(ValueError):
    """A source that cannot be used; `str()` is one line: where, what was wrong, what would be right.

    Attributes:
        what: what was found; never a path or a file name.
        where: the source, file, column or entry it was found in.
        right: what would have been accepted, or what to do.
    """

    def __init__(self, what: str, where: str, right: str) -> None:
        super().__init__(what, where, right)
        self.what = what
        self.where = where
        self.right = right

    def __str__(self) -> str:
        return _printable(f"{self.where}: {self.what}; {self.right}")

    @property
    def public(self) -> str:
        """The same without `where`: file names can hold what names a patient, and must not leave a hospital."""
        return _printable(f"{self.what}; {self.right}")


def _printable(text: str) -> str:
    """`text` on one line: a file name may hold newlines and escapes that move a terminal's cursor."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
