"""Whether the server lives, whether it is ready, and its numbers for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from starlette.responses import JSONResponse, Response

import federated_pneumonia_detection
from federated_pneumonia_detection.server.numbers import Numbers
from federated_pneumonia_detection.server.openapi import answers, refuses, text_answer
from federated_pneumonia_detection.server.problems import Problem
from federated_pneumonia_detection.server.service import service_of

__all__ = ["router"]

router = APIRouter(tags=["health"])

STUCK_S = 2.0

_OK = {"type": "object", "properties": {"status": {"const": "ok"}, "version": {"type": "string"}}}


@router.get("/healthz", summary="Does it live", responses=answers(_OK, "It does.") | refuses(403))
async def healthz() -> Response:
    """Answers as long as the process can answer anything."""
    return JSONResponse({"status": "ok", "version": federated_pneumonia_detection.__version__})


@router.get("/readyz", summary="Is it ready", responses=answers(_OK, "It is.") | refuses(403, 503))
async def readyz(request: Request) -> Response:
    """Ready is: journals have been read, what is new goes into the log, and the server is not closing."""
    service = service_of(request)
    if service.closing.is_set():
        raise Problem(503, "The server is closing.", "The next one takes over what runs.")
    if service.hub.stats().get("log_stuck_seconds", 0) > STUCK_S:
        raise Problem(503, "The log takes no messages.", "See to the disk of the database; journals lose nothing.")
    return JSONResponse({"status": "ok", "version": federated_pneumonia_detection.__version__})


@router.get(
    "/metrics",
    summary="Numbers for Prometheus",
    responses=text_answer("text/plain", "Prometheus text.") | refuses(403),
    response_class=Response,
)
def metrics(request: Request) -> Response:
    """Runs by status, what hub and server count, and what the process takes of the machine (`process_…`)."""
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    registry.register(Numbers(service_of(request)))
    return Response(generate_latest(registry), headers={"content-type": CONTENT_TYPE_LATEST})
