"""What both kinds of training have in common when they are asked for: checked, written down, answered at once."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from federated_pneumonia_detection.config import (
    CentralizedRequest,
    FederatedConfig,
    FederatedRequest,
    Kind,
    TrainingConfig,
    dump_config,
)
from federated_pneumonia_detection.progress.slug import new_run_id
from federated_pneumonia_detection.server.bodies import read_body
from federated_pneumonia_detection.server.jobs import Job
from federated_pneumonia_detection.server.problems import Problem
from federated_pneumonia_detection.server.service import Service, service_of

__all__ = ["Accepted", "accept", "allowed_source", "is_allowed"]


class Accepted(msgspec.Struct, frozen=True):
    """The answer to a start: the run's id, known everywhere from now on."""

    run_id: str


def is_allowed(path: Path, roots: Iterable[Path]) -> bool:
    """Whether `path`, with every link followed, is one of `roots` or lies under one."""
    real = path.resolve()
    return any(real.is_relative_to(root.resolve()) for root in roots)


async def accept(request: Request, kind: Kind, model: type[CentralizedRequest] | type[FederatedRequest]) -> Response:
    """Answer a request to train: 202 with the run's id, or a problem document.

    Raises:
        Problem: the body is wrong (408, 413, 415, 422), or the job cannot be written down (503).
    """
    asked = await read_body(request, model)
    run_id = await run_in_threadpool(_submit, service_of(request), kind, asked)
    return Response(
        msgspec.json.encode(Accepted(run_id)),
        status_code=202,
        media_type="application/json",
        headers={"location": f"/api/runs/{run_id}"},
    )


def _submit(service: Service, kind: Kind, asked: CentralizedRequest | FederatedRequest) -> str:
    config: TrainingConfig | FederatedConfig = asked.resolved()
    if isinstance(config, FederatedConfig) and config.engine == "superlink" and service.settings.federation is None:
        raise _no_federation()
    source = None if asked.source_path is None else allowed_source(asked.source_path, service.settings.data_roots)
    run_id = new_run_id(asked.experiment_name)
    job = Job(
        run_id=run_id,
        kind=kind,
        experiment_name=asked.experiment_name,
        total=config.num_rounds if isinstance(config, FederatedConfig) else config.epochs,
        created=time.time(),
        command=(*_command(service, kind, run_id, source, asked.experiment_name), *_federation(service, config)),
    )
    try:
        service.supervisor.submit(job, dump_config(config))
    except OSError as error:
        raise Problem(
            503, f"The run cannot be written down: {error.strerror or error}.", "See to the log directory's disk."
        ) from error
    return run_id


def allowed_source(given: str, roots: Iterable[Path]) -> str:
    """`given` as the child shall be told it: the word for phantoms, or an absolute path under a data root.

    Raises:
        Problem: 422; whether something exists outside the roots is not told.
    """
    from federated_pneumonia_detection.data import DataError, find_source
    from federated_pneumonia_detection.data.sources import PHANTOMS

    if given == PHANTOMS:
        return given
    allowed = tuple(roots)
    try:
        path = Path(given).expanduser()
        inside = is_allowed(path, allowed)
    except (OSError, ValueError, RuntimeError):  # NUL in it, too long, a home or a loop of links that leads nowhere
        raise _bad_source(given, "it cannot be a path", "name an npz, a folder, a CSV or a zip") from None
    if not inside:
        shown = ", ".join(str(root) for root in allowed)
        raise _bad_source(
            given, "it lies under no data root", f"data roots are {shown}; fpd serve --data-root adds one"
        )
    try:
        find_source(path)
    except DataError as error:
        raise _bad_source(given, error.what, error.right) from None
    return str(path.resolve())


def _bad_source(given: str, wrong: str, right: str) -> Problem:
    return Problem(
        422,
        f"source_path: {wrong}.",
        right[:1].upper() + right[1:] + ".",
        errors=[{"where": "source_path", "wrong": f"{ascii(given)[:200]}: {wrong}", "right": right}],
    )


def _command(service: Service, kind: Kind, run_id: str, source: str | None, name: str) -> tuple[str, ...]:
    settings = service.settings
    job = service.supervisor.jobs.directory(run_id).path
    return (
        *settings.training_command,
        "train",
        kind,
        *(() if source is None else (source,)),
        "--config",
        str((job / "config.yaml").resolve()),
        "--experiment-name",
        name,
        "--run-id",
        run_id,
        "--log-dir",
        str(settings.log_dir.resolve()),
        "--checkpoint-dir",
        str((settings.checkpoints / run_id).resolve()),
    )


def _federation(service: Service, config: TrainingConfig) -> tuple[str, ...]:
    """Where the SuperLink is: this server's operator says it, no request does."""
    directory = service.settings.federation
    if directory is None or not isinstance(config, FederatedConfig) or config.engine != "superlink":
        return ()
    return ("--federation", str(directory.resolve()))


def _no_federation() -> Problem:
    wrong, right = "this server knows no SuperLink", "start it with fpd serve --federation DIR, or by fpd federation up"
    return Problem(
        422,
        f"engine: {wrong}.",
        right[:1].upper() + right[1:] + ".",
        errors=[{"where": "engine", "wrong": f"superlink: {wrong}", "right": right}],
    )


def accepted_doc() -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says a start is answered with."""
    return {
        202: {
            "description": "Accepted. The run is known everywhere from now on; it starts when there is room.",
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/Accepted"},
                    "example": {"run_id": "pneumonia-20261124-093245-1f2e"},
                }
            },
        }
    }
