"""What a run's server app is told by whoever submitted it, as files at the coordinator: no setting travels by Flower.

`<log_dir>/.jobs/<run>/` holds `superlink.json` (the ticket), and from the server app `superlink-process.json` and, at
the end, `superlink-result.json`.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from federated_pneumonia_detection.federated.errors import FederatedError
from federated_pneumonia_detection.progress.liveness import pid_start, process_lives
from federated_pneumonia_detection.progress.reading import read_small
from federated_pneumonia_detection.progress.slug import slug

__all__ = ["Desk", "Result", "Ticket"]

_LONGEST = 1 << 24
_T = TypeVar("_T")


class Ticket(msgspec.Struct, frozen=True):
    """A run that was asked for.

    Attributes:
        run_id: what programs call it.
        experiment_name: what people call it.
        config: plain values of a `FederatedConfig`.
        source: the coordinator's own images, to judge the global model by.
        log_dir: where the coordinator's journals lie.
        checkpoint_dir: where its models go.
        reply_timeout_s: after so long a hospital that has not answered counts as failed in its round.
        connect_timeout_s: how long the hospitals have to connect.
        federation_dir: the coordinator's directory, by which the run can go on later.
        from_round: the round after which an earlier attempt of the run is gone on from; `None` for a new run.
    """

    run_id: str
    experiment_name: str
    config: dict[str, Any]
    source: str | None
    log_dir: str
    checkpoint_dir: str
    reply_timeout_s: float
    connect_timeout_s: float
    federation_dir: str = ""
    from_round: int | None = None


class Result(msgspec.Struct, frozen=True):
    """How it ended: what `FederatedTrainer.train` returns, or an error in one line."""

    results: dict[str, Any] = {}
    error: str | None = None
    status: str = "failed"


class _Process(msgspec.Struct, frozen=True):
    pid: int
    start: int | None


class Desk:
    """Where the one who submits a run and its server app meet."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, log_dir: Path, run_id: str) -> Desk:
        """The desk of a run."""
        return cls(log_dir.absolute() / ".jobs" / slug(run_id))

    def write(self, ticket: Ticket) -> Path:
        """Leave a ticket; what an earlier attempt left is taken away. Returns the ticket's file.

        Raises:
            OSError: it cannot be written.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        for name in ("superlink-process.json", "superlink-result.json"):
            (self.path / name).unlink(missing_ok=True)
        _write(self.path / "superlink.json", ticket)
        return self.path / "superlink.json"

    def ticket(self) -> Ticket:
        """Read the ticket.

        Raises:
            FederatedError: there is none that can be read.
        """
        found = _read(self.path / "superlink.json", Ticket)
        if found is None:
            raise FederatedError(
                f"the run's ticket cannot be read at {self.path}; submit runs on the SuperLink's own machine and "
                "account, by `fpd train federated --engine superlink`"
            )
        return found

    def sit_down(self) -> None:
        """Say that this process is the run's server app."""
        _write(self.path / "superlink-process.json", _Process(os.getpid(), pid_start(os.getpid())))

    def server_lives(self) -> bool | None:
        """Whether the run's server app lives; `None` before it began."""
        process = _read(self.path / "superlink-process.json", _Process)
        return None if process is None else process_lives(process.pid, process.start)

    def end_server(self, number: int) -> None:
        """Send the run's server app a signal; nothing happens where it does not live."""
        process = _read(self.path / "superlink-process.json", _Process)
        if process is not None and process_lives(process.pid, process.start):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process.pid, number)

    def end(self, result: Result) -> None:
        """Say how it ended."""
        _write(self.path / "superlink-result.json", result)

    def result(self) -> Result | None:
        """How it ended, once it has."""
        return _read(self.path / "superlink-result.json", Result)


def _write(path: Path, value: object) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(msgspec.json.encode(value))
    temporary.replace(path)


def _read(path: Path, kind: type[_T]) -> _T | None:
    try:
        return msgspec.json.decode(read_small(path, _LONGEST), type=kind)
    except (OSError, ValueError, RecursionError):
        return None
