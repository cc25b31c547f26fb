"""What can go wrong in a hub.

HubError
├── UnknownRun      no run of that name is known
├── RunActive       what was asked is only possible once the run has ended
└── StoreHeld       another process keeps this database
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["HubError", "RunActive", "StoreHeld", "UnknownRun"]


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
