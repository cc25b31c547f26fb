"""The hub: one log of everything that journals say, and a cursor in it for each viewer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import msgspec

from federated_pneumonia_detection.hub.state import RunState
from federated_pneumonia_detection.hub.store import Store

__all__ = ["ExitReport", "Frame", "Hub", "Page", "Subscription"]


class Frame(bytes):
    """One JSON object, ready to be sent: bytes, and as `text` the same as a string, decoded once for all viewers."""

    @property
    def text(self) -> str:
        """The frame as a string."""
        return self.decode()


class ExitReport(msgspec.Struct, frozen=True):
    """How a process of ours ended."""

    code: int | None = None
    """Its exit code; `None` when a signal ended it or nobody knows."""
    signal: int | None = None
    last_lines: tuple[str, ...] = ()


class Page(msgspec.Struct, frozen=True):
    """One answer of the polling fallback."""

    log_id: str
    top: int
    recovered: bool
    messages: list[bytes]
    """Each one JSON object."""


class Subscription:
    """An async iterator of frames; the first one is `subscribed`."""

    too_slow: bool = False
    """True when iteration ended because the viewer did not keep up: close with 4408."""

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Frame:
        raise StopAsyncIteration

    def close(self) -> None:
        """End the iteration, from the loop it runs on."""


class Hub:
    """The log of all journals in the directories it follows.

    Args:
        store: Where the log lies.
        death_report: Asked with a run's id once its process is known to be gone; what the supervisor of that process
            knows, or `None` (not ours, or not known yet: it is asked again for two seconds).
    """

    def __init__(self, store: Store, *, death_report: Callable[[str], ExitReport | None] | None = None) -> None:
        self._store = store
        self._death_report = death_report

    @property
    def log_id(self) -> str:
        """Which log offsets belong to."""
        return self._store.log_id

    @property
    def top(self) -> int:
        """The newest offset."""
        return self._store.top

    def follow(self, directory: str | None) -> str:
        """Follow the journals of a directory, also while running; `None` is a private temporary one."""
        raise NotImplementedError

    def start(self) -> None:
        """Start reading. Returns when what was there already has been read once."""

    def close(self) -> None:
        """Stop reading, end all subscriptions, let the store go."""

    def runs(self) -> list[RunState]:
        """All runs, newest first, sentences made for now."""
        return []

    def run(self, run_id: str) -> RunState | None:
        """One run (`latest` is one too), its sentences made for now."""
        return None

    def resolve(self, run_id: str) -> str | None:
        """The run a name means: `latest` is the newest. `None` where there is none."""
        return None

    def expect(self, run_id: str, *, experiment_name: str, mode: str, total: int | None = None) -> None:
        """Make a run known before its first message; it is `queued` until then."""

    def say(self, run_id: str, message: msgspec.Struct) -> None:
        """Say something about a run: into the hub's journal of it, then through the log like everything else."""

    def events(
        self,
        *,
        run_id: str | None = None,
        client_id: str | None = None,
        after: int | None = None,
        log_id: str | None = None,
        limit: int = 1000,
    ) -> Page:
        """What comes after a cursor, at most `limit` lifecycle messages, with the newest steps beside them."""
        raise NotImplementedError

    def subscribe(
        self,
        *,
        run_id: str | None = None,
        client_id: str | None = None,
        after: int | None = None,
        log_id: str | None = None,
    ) -> Subscription:
        """Follow the log from a cursor, then live. To be called on the event loop that will iterate."""
        raise NotImplementedError

    def document(self, run_id: str) -> tuple[bytes, str]:
        """The polled document of the whole run, and its ETag.

        Raises:
            UnknownRun: There is no such run.
        """
        raise NotImplementedError

    def series(
        self,
        run_id: str,
        *,
        metric: str | None = None,
        client_id: str | None = None,
        points: int | None = None,
        since: int | None = None,
    ) -> dict[str, Any]:
        """Step and epoch metrics as columns."""
        raise NotImplementedError

    def export(self, run_id: str, format: Literal["csv", "jsonl"]) -> Iterator[bytes]:
        """Metrics for a notebook, in pieces."""
        raise NotImplementedError

    def forget(self, run_id: str) -> None:
        """Delete an ended run, its journals and documents included.

        Raises:
            UnknownRun: There is no such run.
            RunActive: It has not ended.
        """
        raise NotImplementedError

    def stats(self) -> dict[str, float]:
        """Counts and gauges for `/metrics`."""
        return {}
