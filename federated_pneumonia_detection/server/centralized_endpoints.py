"""Starts a training on one machine."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from federated_pneumonia_detection.config import CentralizedRequest
from federated_pneumonia_detection.server.bodies import body_doc
from federated_pneumonia_detection.server.openapi import refuses
from federated_pneumonia_detection.server.trainings import accept, accepted_doc

__all__ = ["router"]

router = APIRouter(prefix="/api/centralized", tags=["training"])


@router.post(
    "/train",
    status_code=202,
    summary="Train on one machine",
    response_class=Response,
    responses=accepted_doc() | refuses(403, 408, 413, 415, 422, 503),
    openapi_extra=body_doc(
        CentralizedRequest,
        {"source_path": "phantoms", "experiment_name": "pneumonia", "epochs": 3, "config": {"learning_rate": 0.003}},
    ),
)
async def start_training(request: Request) -> Response:
    """The training is a process of its own and outlives this server. Everything in the body has a default."""
    return await accept(request, "centralized", CentralizedRequest)
