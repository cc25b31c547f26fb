"""What can be wrong with a configuration.

ConfigError
    one or more `Problem`s, each of which says where, what was wrong and what would be right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["ConfigError", "Problem"]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, told so that a reader can mend it.

    Attributes:
        where: the key (`federated.num_clients`), or the file and line.
        wrong: what was found there.
        right: what would have been accepted.
    """

    where: str
    wrong: str
    right: str

    def __str__(self) -> str:
        text = f"{self.where}: {self.wrong}; {self.right}"
        # A key may hold newlines and escapes that move a terminal's cursor.
        return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


class ConfigError(ValueError):
    """A configuration that cannot be used. `str()` is one line, made of the first problem and the number of others."""

    def __init__(self, where: str, wrong: str, right: str, *, more: Sequence[Problem] = ()) -> None:
        first = Problem(where, wrong, right)
        self.problems: tuple[Problem, ...] = (first, *more)
        others = f" (and {len(more)} more: {', '.join(p.where for p in more)})" if more else ""
        super().__init__(f"{first}{others}")

    @property
    def where(self) -> str:
        """The first problem's place."""
        return self.problems[0].where

    @property
    def wrong(self) -> str:
        """What was found there."""
        return self.problems[0].wrong

    @property
    def right(self) -> str:
        """What would have been accepted there."""
        return self.problems[0].right

    @classmethod
    def of(cls, problems: Sequence[Problem]) -> ConfigError:
        """The error for `problems`, of which there is at least one."""
        first, *more = problems
        return cls(first.where, first.wrong, first.right, more=more)
