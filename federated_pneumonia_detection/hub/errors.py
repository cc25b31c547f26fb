"""What can go wrong in a hub.

HubError
├── UnknownRun        no run of that name is known
├── RunActive         what was asked is only possible once the run has ended
├── RunElsewhere      what was asked is only possible where the run's journals lie
├── StoreHeld         another process keeps this database
├── DatabaseUnusable  the database cannot be opened
├── DatabaseAway      the database cannot be used for now
├── LogReplaced       the log is another one from now on: everything is to be read again
├── ShipmentRefused   lines from another machine are not taken
├── CannotShip        the other side will never take anything the way it is asked
└── ReleaseWrong      what says what may leave a site cannot be read as such
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

__all__ = [
    "CannotShip",
    "DatabaseUnusable",
    "HubError",
    "LogReplaced",
    "ReleaseWrong",
    "RunActive",
    "ShipmentRefused",
    "StoreHeld",
    "UnknownRun",
]


class HubError(Exception):
    """Base of what a hub raises on purpose."""


class UnknownRun(HubError, LookupError):
    """No run of that name is known."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"no run is called {run_id!r}")
        self.run_id = run_id


class RunActive(HubError):
    """The run has not ended yet, so it can be neither deleted nor forgotten."""

    def __init__(self, run_id: str, status: str) -> None:
        super().__init__(f"run {run_id!r} is {status}; cancel it or wait for its end first")
        self.run_id = run_id
        self.status = status


class RunElsewhere(HubError):
    """The run's journals lie with another server on the same database: here it is only read."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"the journals of run {run_id!r} lie with another server on the same database; ask that one")
        self.run_id = run_id


class StoreHeld(HubError):
    """Another process keeps this database; two would give the same offset twice."""

    def __init__(self, path: Path, holder: str) -> None:
        super().__init__(f"{path} is held by {holder}; stop it, or name another database")
        self.path = path
        self.holder = holder


class DatabaseUnusable(HubError):
    """The database cannot be opened: it is not there, not ours, or of a newer format."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"the database {url} cannot be used: {why}")
        self.url = url
        self.why = why


class DatabaseAway(HubError):
    """The database cannot be used for now: it restarts, is full, or too many read it at once. It may be tried again."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"the database {url} cannot be used for now: {why}")
        self.url = url
        self.why = why


class LogReplaced(HubError):
    """The database was deleted, replaced or damaged while it was in use; a new log has been begun in its place."""

    def __init__(self, url: str) -> None:
        super().__init__(f"the database {url} was deleted, replaced or damaged; its log is rebuilt from the journals")
        self.url = url


class ShipmentRefused(HubError):
    """Lines that another machine sent are not taken; nothing of them was.

    Attributes:
        why: `malformed` (they are no lines of ours), `not_allowed` (the sender may not), `jump` (lines before them are
            missing; `expected` says from which on), `conflict` (the journal is another one than before), `gone` (it was
            deleted here on purpose).
        right: what would be right.
        line: which line of the body is to blame, from 1.
        n: the number of the message that is to blame: without it the others may be taken.
        expected: the number that would be next.
        writer: whose journal it is, once that is known: without it nothing the sender sends would be taken.
    """

    def __init__(
        self,
        why: Literal["malformed", "not_allowed", "jump", "conflict", "gone"],
        wrong: str,
        right: str = "",
        *,
        line: int | None = None,
        n: int | None = None,
        expected: int | None = None,
    ) -> None:
        super().__init__(wrong)
        self.why = why
        self.right = right
        self.line = line
        self.n = n
        self.expected = expected
        self.writer: str | None = None


class CannotShip(HubError):
    """The other side will never take anything the way it is asked: a wrong token, no such path, another protocol."""


class ReleaseWrong(HubError):
    """A file that says what may leave a site is wrong: nothing leaves by it.

    Attributes:
        where: the file, and the key in it.
        wrong: what was found there.
        right: what would be right.
    """

    def __init__(self, where: str, wrong: str, right: str) -> None:
        super().__init__(f"{where}: {wrong}; {right}" if right else f"{where}: {wrong}")
        self.where = where
        self.wrong = wrong
        self.right = right
