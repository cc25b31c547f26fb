"""What can be configured, for forms and editors."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from federated_pneumonia_detection.config import Kind, schema
from federated_pneumonia_detection.server.openapi import answers, refuses

__all__ = ["router"]

router = APIRouter(prefix="/api/config", tags=["configuration"])


@router.get(
    "/schema",
    summary="JSON Schema of `config`",
    response_class=Response,
    responses=answers({"type": "object"}, "JSON Schema with help texts, limits and defaults.") | refuses(403, 422),
)
async def config_schema(
    request: Request,
    kind: Annotated[Kind, Query(description="Of which kind of training.")] = "centralized",
) -> Response:
    """The keys that `config` of a start, the YAML file and the command line have in common."""
    return JSONResponse(schema(kind), headers={"cache-control": "no-cache"})
