"""Lets a run wait: a request that the training sees at its next batch, and takes for as long as it stands."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import msgspec
from fastapi import APIRouter, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from federated_pneumonia_detection.hub.state import RunState
from federated_pneumonia_detection.progress.messages import Alert
from federated_pneumonia_detection.progress.pause import pause_of, request_pause
from federated_pneumonia_detection.server.bodies import StrictModel, body_doc, read_body
from federated_pneumonia_detection.server.cancelling import SOMEBODY, by_whom, hears, refuse_elsewhere, refuse_ended
from federated_pneumonia_detection.server.events import RunId
from federated_pneumonia_detection.server.openapi import Answers, refuses
from federated_pneumonia_detection.server.problems import Problem
from federated_pneumonia_detection.server.service import Service, service_of

__all__ = ["PauseAnswer", "PauseRequest", "router"]

router = APIRouter(prefix="/api/runs", tags=["runs"])


class PauseRequest(StrictModel):
    """Why, and who asks. Both may be left out."""

    reason: str | None = Field(None, min_length=1, max_length=500, description="Why.")
    by: str = Field(SOMEBODY, min_length=1, max_length=200, description="Who asks; a token's name wins.")


class PauseAnswer(msgspec.Struct, frozen=True):
    """What became of the wish: `status` is the run's now, `pause_asked` when it was first asked to wait."""

    run_id: str
    status: str
    pause_asked: str


_ANSWER: Answers = {
    202: {
        "description": "It is asked to wait, or was already. `training_paused` says when it does.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/PauseAnswer"}}},
    }
}


@router.post(
    "/{run_id}/pause",
    status_code=202,
    summary="Pause a run",
    response_class=Response,
    responses=_ANSWER | refuses(403, 404, 408, 409, 413, 415, 422, 503),
    openapi_extra=body_doc(PauseRequest, {"reason": "the card is needed elsewhere", "by": "Ada"}),
)
async def pause_run(request: Request, run_id: RunId) -> Response:
    """The training waits between two batches, holding its memory, until it is let go on or stopped."""
    service = service_of(request)
    run = service.run(run_id)
    asked = await read_body(request, PauseRequest)
    when = await run_in_threadpool(_pause, service, run, asked.reason, by_whom(request, asked.by))
    now = service.hub.run(run.run_id) or run
    answer = PauseAnswer(run.run_id, now.status, when)
    return Response(msgspec.json.encode(answer), status_code=202, media_type="application/json")


def _pause(service: Service, run: RunState, reason: str | None, by: str) -> str:
    refuse_ended(run, "paused")
    log_dir = service.settings.log_dir
    if (standing := pause_of(log_dir, run.run_id)) is not None:
        return standing.timestamp or run.paused or _now()
    if run.cancel_asked is not None:
        raise Problem(409, f"Run {run.run_id!r} is being stopped.", "Once it has, POST …/resume goes on with it.")
    if run.status == "queued":
        raise Problem(409, f"Run {run.run_id!r} has not started yet.", "Stop it instead, and start it another time.")
    refuse_elsewhere(service, run, "Pause")
    if not hears(service, run.run_id, "pause"):
        raise Problem(
            409,
            f"Run {run.run_id!r} cannot hear: whatever writes its log does not look for requests to wait.",
            "Stop it where it was started.",
        )
    try:
        request_pause(log_dir, run.run_id, reason=reason, by=by)
    except OSError as error:
        raise Problem(503, f"The request cannot be written: {error.strerror or error}.", "See to the disk.") from error
    told = Alert(level="info", title="Pause asked", text=f"by {by}" + (f": {reason}" if reason else ""), about="pause")
    with suppress(OSError):  # the request itself stands
        service.hub.say(run.run_id, told)
    return _now()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
