"""Lets a run go on: one that waits at once, one that has ended from a checkpoint, as another attempt of itself."""

from __future__ import annotations

import time
from typing import Literal

import msgspec
from fastapi import APIRouter, Request
from pydantic import ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from federated_pneumonia_detection.config import ConfigError, dump_config, make_config
from federated_pneumonia_detection.hub.state import RunState
from federated_pneumonia_detection.progress.asked import Asked, choose_point, find_asked, points
from federated_pneumonia_detection.progress.errors import CannotGoOn
from federated_pneumonia_detection.progress.pause import go_on
from federated_pneumonia_detection.server.bodies import StrictModel, body_doc, read_body
from federated_pneumonia_detection.server.cancelling import SOMEBODY, by_whom, refuse_elsewhere
from federated_pneumonia_detection.server.events import RunId
from federated_pneumonia_detection.server.jobs import Job
from federated_pneumonia_detection.server.openapi import Answers, answers, refuses
from federated_pneumonia_detection.server.problems import Problem
from federated_pneumonia_detection.server.runs import ENDS_WITHIN_S, LIVE
from federated_pneumonia_detection.server.service import Service, service_of

__all__ = ["Checkpoints", "ResumeAnswer", "ResumeRequest", "router"]

router = APIRouter(prefix="/api/runs", tags=["runs"])


class ResumeRequest(StrictModel):
    """From where, and who lets it. All may be left out."""

    model_config = ConfigDict(populate_by_name=True)

    from_: int | None = Field(
        None,
        alias="from",
        ge=0,
        le=1_000_000_000,
        description="The last epoch (or round) that is kept; null: the newest there is a checkpoint of; 0 starts over.",
    )
    by: str = Field(SOMEBODY, min_length=1, max_length=200, description="Who lets it; a token's name wins.")


class ResumeAnswer(msgspec.Struct, frozen=True):
    """What became of the wish.

    Attributes:
        run_id: the run.
        how: `goes_on` for one that waited, `again` for one that had ended.
        attempt: the attempt that goes on.
        from_point: the last epoch (or round) that is kept, of one that had ended.
    """

    run_id: str
    how: Literal["goes_on", "again"]
    attempt: int
    from_point: int | None = None


class Checkpoints(msgspec.Struct, frozen=True):
    """From where a run could go on.

    Attributes:
        run_id: the run.
        unit: what is counted: `epoch` or `round`.
        points: those there is a checkpoint of, in order; 0, the very start, is always one more.
        total: how many the run was to have.
        why_not: why it cannot go on now, in a sentence; `None` where it can.
    """

    run_id: str
    unit: Literal["epoch", "round"]
    points: list[int]
    total: int | None
    why_not: str | None = None


_ANSWER: Answers = {
    202: {
        "description": "It goes on: at once where it waited, else as soon as there is room for its process.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ResumeAnswer"}}},
    }
}


@router.post(
    "/{run_id}/resume",
    status_code=202,
    summary="Let a run go on",
    response_class=Response,
    responses=_ANSWER | refuses(403, 404, 408, 409, 413, 415, 422, 503),
    openapi_extra=body_doc(ResumeRequest, {"from": 5, "by": "Ada"}),
)
async def resume_run(request: Request, run_id: RunId) -> Response:
    """A run that waits goes on; one that was stopped, failed or was lost goes on from a checkpoint, in the same run."""
    service = service_of(request)
    run = service.run(run_id)
    asked = await read_body(request, ResumeRequest)
    answer = await run_in_threadpool(_resume, service, run, asked.from_, by_whom(request, asked.by))
    return Response(msgspec.json.encode(answer), status_code=202, media_type="application/json")


@router.get(
    "/{run_id}/checkpoints",
    summary="From where a run could go on",
    response_class=Response,
    responses=answers(Checkpoints, "Its checkpoints, and why it cannot go on where it cannot.") | refuses(403, 404),
)
def run_checkpoints(request: Request, run_id: RunId) -> Response:
    """What a dialog asks before it offers to go on."""
    service = service_of(request)
    run = service.run(run_id)
    unit: Literal["epoch", "round"] = "round" if run.mode == "federated" else "epoch"
    total = run.total_rounds if run.mode == "federated" else run.total_epochs
    found = Checkpoints(run.run_id, unit, [], total)
    try:
        _may_begin_again(service, run)
        asked, folder = find_asked(run.run_id, service.settings.log_dir, service.settings.checkpoints)
        found = Checkpoints(run.run_id, asked.unit, points(folder, asked.unit), asked.total or total)
        _see_to_source(asked)
    except CannotGoOn as error:
        found = msgspec.structs.replace(found, why_not=_sentence(error.why))
    except Problem as problem:
        found = msgspec.structs.replace(found, why_not=problem.title)
    return Response(msgspec.json.encode(found), media_type="application/json", headers={"cache-control": "no-store"})


def _resume(service: Service, run: RunState, wanted: int | None, by: str) -> ResumeAnswer:
    log_dir = service.settings.log_dir
    if run.status in LIVE and run.status != "queued":
        if wanted is not None and run.paused is not None:
            raise Problem(
                409,
                f"Run {run.run_id!r} waits where it is and goes on from there.",
                "Leave `from` out, or stop it first to go back to a checkpoint.",
            )
        try:
            waited = go_on(log_dir, run.run_id, by=by)
        except OSError as error:
            raise Problem(503, f"The request cannot be taken back: {error}.", "See to the disk.") from error
        if not waited:
            raise Problem(409, f"Run {run.run_id!r} is {run.status}.", "Only one that waits or has ended goes on.")
        return ResumeAnswer(run.run_id, "goes_on", run.attempt)
    _may_begin_again(service, run)
    try:
        asked, folder = find_asked(run.run_id, log_dir, service.settings.checkpoints)
        point = choose_point(asked, folder, wanted)
        _see_to_source(asked)
    except CannotGoOn as error:
        raise Problem(409, f"Run {run.run_id!r} cannot go on.", _sentence(error.why)) from None
    try:
        config = make_config(asked.config, asked.kind)
    except ConfigError as error:
        raise Problem(
            409, f"Run {run.run_id!r} cannot go on.", f"Its configuration is another version's: {error}"
        ) from None
    job = Job(
        run_id=run.run_id,
        kind=asked.kind,
        experiment_name=asked.experiment_name,
        total=asked.total,
        created=time.time(),
        command=(
            *service.settings.training_command,
            "resume",
            run.run_id,
            "--from",
            str(point),
            "--log-dir",
            str(log_dir.resolve()),
            "--checkpoint-dir",
            str(folder.resolve()),
        ),
        attempt=run.attempt + 1,
        from_point=point,
    )
    try:
        taken = service.supervisor.submit_again(job, dump_config(config))
    except OSError as error:
        raise Problem(503, f"The run cannot be written down: {error.strerror or error}.", "See to the disk.") from error
    if not taken:
        raise Problem(409, f"Somebody has let run {run.run_id!r} go on already.", "Watch it.")
    return ResumeAnswer(run.run_id, "again", job.attempt, point)


def _may_begin_again(service: Service, run: RunState) -> None:
    """See that a run has ended in a way that can be gone on from.

    Raises:
        Problem: 409; it has not, or it is finished.
    """
    if run.status in LIVE:
        raise Problem(409, f"Run {run.run_id!r} is {run.status}.", "Only one that waits or has ended goes on.")
    if run.status == "completed":
        raise Problem(409, f"Run {run.run_id!r} has finished.", "There is nothing to go on with; start a new run.")
    refuse_elsewhere(service, run, "Resume")
    deadline = time.monotonic() + ENDS_WITHIN_S
    # The last word comes before the end of the process, and the hub looks at who lives twice a second.
    while (gone := service.supervisor.is_gone(run.run_id, within_s=0)) is False or service.hub.is_written(run.run_id):
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    if not gone or service.hub.is_written(run.run_id):
        raise Problem(409, f"The process of run {run.run_id!r} has not ended yet.", "Try again in a moment.")


def _see_to_source(asked: Asked) -> None:
    """See that the run's images are still there; whether they are the same is seen by the training.

    Raises:
        CannotGoOn: they are not.
    """
    from federated_pneumonia_detection.data import DataError, find_source

    try:
        find_source(asked.source)
    except DataError as error:
        raise CannotGoOn(asked.run_id, f"its images at {asked.source} are gone ({error.what})") from None


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."
