"""What can go wrong in a hub.

HubError
├── UnknownRun        no run of that name is known
├── RunActive         what was asked is only possible once the run has ended
├── StoreHeld         another process keeps this database
├── DatabaseUnusable  the database cannot be opened
└── LogReplaced       the log is another one from now on: everything is to be read again
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["DatabaseUnusable", "HubError", "LogReplaced", "RunActive", "StoreHeld", "UnknownRun"]


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


class LogReplaced(HubError):
    """The database was deleted, replaced or damaged while it was in use; a new log has been begun in its place."""

    def __init__(self, url: str) -> None:
        super().__init__(f"the database {url} was deleted, replaced or damaged; its log is rebuilt from the journals")
        self.url = url
