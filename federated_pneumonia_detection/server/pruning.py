"""`POST /api/prune`: lets ended runs go by age and size, after saying which."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Request
from pydantic import Field, model_validator
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from federated_pneumonia_detection.hub.retention import Policy
from federated_pneumonia_detection.server.bodies import StrictModel, body_doc, read_body
from federated_pneumonia_detection.server.keeping import Pruned, prune
from federated_pneumonia_detection.server.openapi import answers, refuses
from federated_pneumonia_detection.server.service import service_of

__all__ = ["PruneRequest", "router"]

router = APIRouter(tags=["runs"])

_LONGEST_S = 100 * 366 * 86_400.0


class PruneRequest(StrictModel):
    """What is kept. At least one of the two limits has to be given."""

    older_than_s: float | None = Field(
        None, ge=0, le=_LONGEST_S, description="Runs that ended longer ago go; in seconds."
    )
    keep_bytes: int | None = Field(
        None, ge=0, le=2**63 - 1, description="Of what is left the oldest go until all runs together take no more."
    )
    checkpoints: bool = Field(False, description="Let models go, too.")
    dry_run: bool = Field(True, description="Only say what would go.")

    @model_validator(mode="after")
    def _has_a_limit(self) -> PruneRequest:
        if self.older_than_s is None and self.keep_bytes is None:
            raise ValueError("it says nothing of what is kept; give older_than_s, keep_bytes or both")
        return self


@router.post(
    "/api/prune",
    summary="Let ended runs go by age and size",
    response_class=Response,
    responses=answers(Pruned, "What would go, or has gone.") | refuses(403, 408, 413, 415, 422),
    openapi_extra=body_doc(PruneRequest, {"older_than_s": 2_592_000, "dry_run": True}),
)
async def prune_runs(request: Request) -> Response:
    """Ended runs alone, whose journals this server follows; without `"dry_run": false` nothing is deleted."""
    service = service_of(request)
    asked = await read_body(request, PruneRequest)
    found = await run_in_threadpool(
        prune,
        service.hub,
        service.settings,
        Policy(asked.older_than_s, asked.keep_bytes),
        checkpoints=asked.checkpoints,
        delete=not asked.dry_run,
    )
    return Response(msgspec.json.encode(found), media_type="application/json", headers={"cache-control": "no-store"})
