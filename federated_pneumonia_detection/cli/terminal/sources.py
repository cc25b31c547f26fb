"""Where the screen reads runs from, and whom it asks: a server, or a directory of journals without one.

Everything here may block, and is called from threads of its own (`reader.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any, Protocol

from federated_pneumonia_detection.cli.client import Client
from federated_pneumonia_detection.cli.control import HasEnded, user
from federated_pneumonia_detection.cli.feed import ENDED
from federated_pneumonia_detection.cli.journals import Journals
from federated_pneumonia_detection.cli.terminal.live import LineState, live_messages
from federated_pneumonia_detection.cli.terminal.views import fits, ordered

__all__ = ["Directory", "Server", "Source"]

SHOWN_RUNS = 100
"""How many runs a list holds; a filter finds the others."""

Runs = tuple[list[dict[str, Any]], int]
Tell = Callable[[LineState], None]


class Source(Protocol):
    """Runs, their messages, and somebody who can be asked to stop one."""

    where: str
    """What it reads, for the title."""

    def runs(self, wanted: str) -> Runs:
        """Runs that fit, live ones on top, and how many there are in all."""

    def run(self, run_id: str) -> dict[str, Any]:
        """One run's state."""

    def messages(self, run_id: str | None, stopped: Event, tell: Tell) -> Iterator[dict[str, Any] | None]:
        """A run's messages from the first on, or what comes of all; `None` when nothing came for a moment."""

    def stop(self, run_id: str) -> None:
        """Ask it to stop."""

    def pause(self, run_id: str) -> None:
        """Ask it to wait."""

    def go_on(self, run_id: str) -> str:
        """Let it go on; how, in a sentence."""

    def page_of(self, run_id: str | None) -> str:
        """The address of the page that shows it; empty without a server."""


class Server:
    """The runs of a server."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.where = client.url

    def runs(self, wanted: str) -> Runs:
        """Asked of the server, which knows them all."""
        return self._client.some_runs(wanted=wanted, limit=SHOWN_RUNS)

    def run(self, run_id: str) -> dict[str, Any]:
        """Its state, sentences made for now."""
        return self._client.run(run_id)

    def messages(self, run_id: str | None, stopped: Event, tell: Tell) -> Iterator[dict[str, Any] | None]:
        """By WebSocket or long poll, over restarts."""
        return live_messages(self._client, run_id, stopped, tell)

    def stop(self, run_id: str) -> None:
        """By the server, which may do more than ask."""
        self._client.cancel(run_id, by=user())

    def pause(self, run_id: str) -> None:
        """By the server."""
        self._client.pause(run_id, by=user())

    def go_on(self, run_id: str) -> str:
        """One that waits at once, one that has ended from its newest checkpoint."""
        answer = self._client.resume(run_id, by=user())
        if answer["how"] == "goes_on":
            return "It goes on."
        return f"It goes on from {answer['from_point']}, attempt {answer['attempt']}."

    def page_of(self, run_id: str | None) -> str:
        """The run on the server's page."""
        return f"{self._client.url}/runs/{run_id}" if run_id else f"{self._client.url}/"


class Directory:
    """The runs of a directory of journals."""

    def __init__(self, log_dir: Path) -> None:
        self._log_dir = log_dir
        self._of_list = Journals(log_dir)
        self._of_run = Journals(log_dir)
        self.where = str(log_dir)

    def runs(self, wanted: str) -> Runs:
        """Those that fit."""
        found = [run for run in ordered(self._of_list.runs()) if fits(run, wanted)]
        return found[:SHOWN_RUNS], len(found)

    def run(self, run_id: str) -> dict[str, Any]:
        """Its state, folded here."""
        return self._of_run.run(run_id)

    def messages(self, run_id: str | None, stopped: Event, tell: Tell) -> Iterator[dict[str, Any] | None]:
        """As they are written."""
        tell(LineState("journals", "Reading the journals"))
        if run_id is None:
            while not stopped.wait(0.5):
                yield None
            return
        self._of_run = Journals(self._log_dir, only=run_id)
        for message in self._of_run.messages(run_id):
            if stopped.is_set():
                return
            yield message

    def stop(self, run_id: str) -> None:
        """By a word beside its journal."""
        from federated_pneumonia_detection.progress.cancel import request_cancel

        self._goes_on(run_id, "stop")
        request_cancel(self._log_dir, run_id, reason="stopped by hand", by=user())

    def pause(self, run_id: str) -> None:
        """By a word beside its journal."""
        from federated_pneumonia_detection.progress.pause import request_pause

        self._goes_on(run_id, "pause")
        request_pause(self._log_dir, run_id, reason=None, by=user())

    def go_on(self, run_id: str) -> str:
        """One that waits; one that has ended would train in the terminal, which `fpd resume` does."""
        from federated_pneumonia_detection.progress.pause import go_on

        if self._status(run_id) in ENDED:
            return f"Without a server it goes on where you type: fpd resume {run_id} --log-dir {self._log_dir}"
        go_on(self._log_dir, run_id, by=user())
        return "It goes on."

    def page_of(self, run_id: str | None) -> str:
        """None: there is no server."""
        return ""

    def _goes_on(self, run_id: str, what: str) -> None:
        status = self._status(run_id)
        if status in ENDED:
            raise HasEnded(run_id, status, what)

    def _status(self, run_id: str) -> str:
        # Read anew: the others belong to the threads that follow.
        return str(Journals(self._log_dir, only=run_id).run(run_id)["status"])
