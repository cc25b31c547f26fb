"""What the routes share: the hub, the supervisor, the settings, and whether the server is closing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

from msgspec.structs import replace
from starlette.requests import HTTPConnection

from federated_pneumonia_detection.hub.hub import Hub
from federated_pneumonia_detection.hub.shipping.mirrors import Mirrors
from federated_pneumonia_detection.hub.state import RunState
from federated_pneumonia_detection.hub.words import described
from federated_pneumonia_detection.server.access.admission import Admission, Refusals
from federated_pneumonia_detection.server.access.authority import Authority
from federated_pneumonia_detection.server.access.exposure import beyond_loopback
from federated_pneumonia_detection.server.connections import Doors
from federated_pneumonia_detection.server.keeping import Pruner
from federated_pneumonia_detection.server.logs import ServerLog
from federated_pneumonia_detection.server.problems import Problem
from federated_pneumonia_detection.server.settings import ServerSettings
from federated_pneumonia_detection.server.supervision import ENDED, Supervisor
from federated_pneumonia_detection.server.telling.notify_file import NOTHING, Notify
from federated_pneumonia_detection.server.telling.postman import Sender
from federated_pneumonia_detection.server.telling.teller import Teller

__all__ = ["Service", "no_run", "service_of"]


@dataclass
class Service:
    """One server's parts.

    Attributes:
        settings: what it was told.
        hub: the log of all runs.
        supervisor: the trainings this server starts.
        log: what the server tells of itself, where it keeps a log.
        authority: knows the tokens, where any are demanded.
        admission: lets callers through to what they may.
        refusals: counts and tells what was refused.
        doors: counts connections.
        notify: what the operator's file says of who is told of what.
        targets: who is told.
        mirrors: the journals of other machines that are shipped here.
        ingest_refused: how many deliveries of them were refused.
        teller: tells people what rules say of runs.
        pruner: lets ended runs go, where it was told to.
        closing: set when the server is told to stop: streams and long polls end at once.
    """

    settings: ServerSettings
    hub: Hub
    supervisor: Supervisor
    log: ServerLog | None = None
    authority: Authority = field(default_factory=Authority)
    refusals: Refusals = field(default_factory=Refusals)
    admission: Admission = field(init=False)
    doors: Doors = field(init=False)
    notify: Notify = NOTHING
    targets: Sequence[Sender] = ()
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    mirrors: Mirrors = field(init=False)
    pruner: Pruner = field(init=False)
    teller: Teller = field(init=False)
    ingest_refused: int = 0

    def __post_init__(self) -> None:
        self.mirrors = Mirrors(self.settings.log_dir)
        self.pruner = Pruner(self.hub, self.settings)
        self.teller = Teller(self.hub, self.settings.log_dir, self.notify, self.targets)
        counted = beyond_loopback(self.settings)
        self.admission = Admission(self.authority, counted=counted)
        exempt = frozenset(self.settings.proxy_addresses) if self.settings.behind_proxy else frozenset()
        self.doors = Doors(counted=counted, exempt=exempt)

    def start(self) -> None:
        """Begin to read journals, then take over the trainings of an earlier server."""
        self.authority.read()
        self.hub.start()
        self.supervisor.start()
        self.pruner.start()
        self.teller.start()

    def close(self) -> None:
        """Stop reading; trainings go on."""
        self.authority.close()
        self.pruner.close()
        self.teller.close()
        self.supervisor.close()
        self.hub.close()

    def stats(self) -> dict[str, float]:
        """Counts and gauges for `/metrics`, beside the hub's."""
        return {
            "trainings_running": float(len(self.supervisor.running())),
            "trainings_waiting": float(len(self.supervisor.waiting())),
            "ingested_lines_total": float(self.mirrors.lines_added),
            "ingest_refused_total": float(self.ingest_refused),
            "refused_requests_total": float(self.refusals.count + self.doors.turned_away),
            **self.teller.stats(),
            "log_lines_unwritten_total": float(self.log.unwritten if self.log is not None else 0),
        }

    def has_ended(self, run_id: str) -> bool:
        """Whether the run's last word has been said (its process may take a moment longer)."""
        state = self.hub.run(run_id)
        return state is not None and state.status in ENDED

    def run(self, run_id: str) -> RunState:
        """The run called `run_id` (or `latest`).

        Raises:
            Problem: 404, there is none.
        """
        known = self.hub.resolve(run_id)
        state = None if known is None else self.hub.run(known)
        if state is None:
            raise no_run(run_id)
        return self._in_queue(state)

    def runs(self) -> list[RunState]:
        """All runs, newest first."""
        return [self._in_queue(state) for state in self.hub.runs()]

    def _in_queue(self, state: RunState) -> RunState:
        """The state with what only the supervisor knows: which runs go before one that waits."""
        ahead = self.supervisor.ahead_of(state.run_id) if state.status == "queued" else ()
        return described(replace(state, waits_behind=ahead), datetime.now(UTC)) if ahead else state


def service_of(connection: HTTPConnection) -> Service:
    """The parts of the server that got `connection`."""
    return cast(Service, connection.app.state.service)


def no_run(run_id: str) -> Problem:
    """What is answered to who asks for a run that is not there."""
    return Problem(404, f"There is no run {run_id[:200]!r}.", "GET /api/runs lists those there are.")
