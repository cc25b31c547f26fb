"""Reads a request's body: bounded in size and time, strictly JSON, checked against its model."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

import msgspec
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import ClientDisconnect, Request

from federated_pneumonia_detection.config import explain
from federated_pneumonia_detection.server.problems import Problem

__all__ = ["GREATEST_BODY_BYTES", "READ_WITHIN_S", "StrictModel", "body_doc", "read_body"]

GREATEST_BODY_BYTES = 1_000_000
READ_WITHIN_S = 15.0

Model = TypeVar("Model", bound=BaseModel)


class StrictModel(BaseModel):
    """A body that is taken as it is written: no unknown fields, no text for numbers, nothing infinite."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


async def read_body(request: Request, model: type[Model]) -> Model:
    """The request's body as a `model`. No body at all is an empty object.

    Raises:
        Problem: 408 too slow, 413 too big, 415 not JSON by its type, 422 anything else.
    """
    raw = await _bounded(request)
    if not raw:
        raw = b"{}"
    elif request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Problem(415, "The body is not said to be JSON.", "Send it with Content-Type: application/json.")
    return _validated(_decoded(raw), model)


async def _bounded(request: Request) -> bytes:
    too_big = Problem(
        413, "The body is too big.", f"At most {GREATEST_BODY_BYTES} bytes; a body names data, it does not carry it."
    )
    length = request.headers.get("content-length", "0")
    if length.isascii() and length.isdigit() and int(length[:19]) > GREATEST_BODY_BYTES:
        raise too_big
    body = bytearray()
    try:
        async with asyncio.timeout(READ_WITHIN_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > GREATEST_BODY_BYTES:
                    raise too_big
    except TimeoutError:
        raise Problem(
            408,
            "The body came too slowly.",
            f"All of it within {READ_WITHIN_S:g} seconds.",
            headers={"connection": "close"},
        ) from None
    except ClientDisconnect:
        raise Problem(400, "The body ended before its announced length.", "Send all of it.") from None
    return bytes(body)


def _decoded(raw: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(raw)
    except RecursionError:
        raise Problem(422, "The body is nested too deeply.", "No field needs more than a few levels.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(
            422, "The body is not JSON.", f"One JSON object in UTF-8, without NaN or Infinity ({error})."
        ) from None
    if not isinstance(value, dict):
        raise Problem(422, "The body is JSON, but no object.", 'Its fields in braces, as {"epochs": 10}.')
    return value


def _validated(value: dict[str, Any], model: type[Model]) -> Model:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems = explain(error.errors(include_url=False), model)[:50]
    except RecursionError:
        raise Problem(422, "The body is nested too deeply.", "No field needs more than a few levels.") from None
    first = problems[0]
    raise Problem(
        422,
        f"{first.where}: {first.wrong}.",
        first.right[:1].upper() + first.right[1:] + ("" if first.right.endswith(("?", ".")) else "."),
        errors=[{"where": p.where, "wrong": p.wrong, "right": p.right} for p in problems],
    )


def body_doc(model: type[BaseModel], example: dict[str, Any], *, required: bool = False) -> dict[str, Any]:
    """What OpenAPI says about a body of `model`; the schema itself is added by `openapi.py`."""
    return {
        "requestBody": {
            "required": required,
            "content": {
                "application/json": {
                    "schema": {"$ref": f"#/components/schemas/{model.__name__}"},
                    "example": example,
                }
            },
        }
    }
