"""Stops a run, cleanly where it can hear, by signals where it is ours."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal

import msgspec
from fastapi import APIRouter, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from federated_pneumonia_detection.hub.state import RunState
from federated_pneumonia_detection.progress.cancel import request_cancel
from federated_pneumonia_detection.progress.messages import Alert
from federated_pneumonia_detection.server.access.admission import holder_in
from federated_pneumonia_detection.server.bodies import StrictModel, body_doc, read_body
from federated_pneumonia_detection.server.events import RunId
from federated_pneumonia_detection.server.openapi import Answers, refuses
from federated_pneumonia_detection.server.problems import Problem
from federated_pneumonia_detection.server.service import Service, service_of

__all__ = [
    "SOMEBODY",
    "CancelAnswer",
    "CancelRequest",
    "by_whom",
    "hears",
    "refuse_elsewhere",
    "refuse_ended",
    "router",
]

router = APIRouter(prefix="/api/runs", tags=["runs"])

HEARD_WITHIN_S = 1.2
SOMEBODY = "somebody at this machine"


class CancelRequest(StrictModel):
    """Why, and who asks. Both may be left out."""

    reason: str = Field("stopped by hand", min_length=1, max_length=500, description="Why.")
    by: str = Field(SOMEBODY, min_length=1, max_length=200, description="Who asks; a token's name wins.")


class CancelAnswer(msgspec.Struct, frozen=True):
    """What became of the wish: `status` is the run's now, `cancel_asked` when it was first asked to stop."""

    run_id: str
    status: str
    cancel_asked: str | None


_ANSWER: Answers = {
    202: {
        "description": "It is asked to stop, or was already. `training_cancelled` says when it has.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/CancelAnswer"}}},
    }
}


@router.post(
    "/{run_id}/cancel",
    status_code=202,
    summary="Stop a run",
    response_class=Response,
    responses=_ANSWER | refuses(403, 404, 408, 409, 413, 415, 422),
    openapi_extra=body_doc(CancelRequest, {"reason": "the loss diverges", "by": "Ada"}),
)
async def cancel_run(request: Request, run_id: RunId) -> Response:
    """A request that the training sees at its next batch; if it does not and is ours, signals follow."""
    service = service_of(request)
    run = service.run(run_id)
    asked = await read_body(request, CancelRequest)
    if run.status != "cancelled":
        await run_in_threadpool(_cancel, service, run, asked.reason, by_whom(request, asked.by))
    now = service.hub.run(run.run_id) or run
    when = now.cancel_asked or run.cancel_asked or datetime.now(UTC).isoformat(timespec="microseconds")
    answer = CancelAnswer(run.run_id, now.status, when)
    return Response(msgspec.json.encode(answer), status_code=202, media_type="application/json")


def by_whom(request: Request, said: str) -> str:
    """Who asks: the name of the token that was shown, where one was, else who it says it is."""
    holder = holder_in(request.scope)
    return said if holder is None or not holder.token_id else holder.name


def refuse_ended(run: RunState, done: str) -> None:
    """Refuse to do to a run what only one that goes on can be `done`.

    Raises:
        Problem: 409, it has ended.
    """
    if run.status in ("completed", "failed", "cancelled"):
        raise Problem(
            409, f"Run {run.run_id!r} has ended already ({run.status}).", f"Only a run that goes on is {done}."
        )


def refuse_elsewhere(service: Service, run: RunState, do: str) -> None:
    """Refuse what has to be asked beside a run's journals, where they are not here.

    Raises:
        Problem: 409, they lie with another server.
    """
    if service.hub.is_elsewhere(run.run_id):
        raise Problem(
            409,
            f"Run {run.run_id!r} cannot be reached: its journals lie with another server on the same database.",
            f"{do} it through that server, or stop it where it was started; what becomes of it is seen here.",
        )


def _cancel(service: Service, run: RunState, reason: str, by: str) -> None:
    refuse_ended(run, "stopped")
    ours = service.supervisor.cancel(run.run_id, reason=reason, by=by)
    if not ours:
        refuse_elsewhere(service, run, "Cancel")
    if not ours and not hears(service, run.run_id, "cancel"):
        raise Problem(
            409,
            f"Run {run.run_id!r} cannot hear: this server did not start it, and its logger does not listen.",
            "Stop it where it was started.",
        )
    if run.cancel_asked is None:
        if not ours:
            request_cancel(service.settings.log_dir, run.run_id, reason=reason, by=by)
        # Into the log, so that every page says "stopping" and who asked, not only the one where the button was pressed.
        told = Alert(level="info", title="Stop asked", text=f"by {by}: {reason}", about="cancel")
        with suppress(OSError):  # the request itself stands; a disk that is full must not hide that it was heard
            service.hub.say(run.run_id, told)


def hears(service: Service, run_id: str, what: Literal["cancel", "pause"]) -> bool:
    """Whether a run listens to requests of that kind.

    The hub looks at who writes twice a second; a run that has just begun is waited for.
    """
    deadline = time.monotonic() + HEARD_WITHIN_S
    while True:
        run = service.hub.run(run_id)
        if run is not None and (run.hears_cancel if what == "cancel" else run.hears_pause):
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
