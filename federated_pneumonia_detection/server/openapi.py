"""The OpenAPI document: FastAPI's, with the schemas of what we read and write ourselves put in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from federated_pneumonia_detection.server.problems import MEDIA_TYPE, PROBLEM_SCHEMA

__all__ = ["Answers", "answers", "install", "refuses", "text_answer"]


Answers = dict[int | str, dict[str, Any]]
"""What a route may answer, as FastAPI's `responses` takes it."""


def answers(schema: type | dict[str, Any], description: str, **more: Any) -> Answers:
    """The documented 200 of a route: a struct by name, or a schema as it stands."""
    shown = schema if isinstance(schema, dict) else {"$ref": f"#/components/schemas/{schema.__name__}"}
    return {200: {"description": description, "content": {"application/json": {"schema": shown, **more}}}}


def text_answer(media_type: str, description: str) -> Answers:
    """The documented 200 of a route that answers with text."""
    return {200: {"description": description, "content": {media_type: {"schema": {"type": "string"}}}}}


def refuses(*statuses: int) -> Answers:
    """The documented problems of a route."""
    return {
        status: {
            "description": _REASONS[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


_REASONS = {
    400: "The body ended too early, or a header is malformed.",
    401: "A token is needed, and none that holds was sent.",
    403: "This origin or host may not do that.",
    404: "There is no such run.",
    408: "The body came too slowly.",
    409: "Not in the state the run is in.",
    410: "It was here, and was deleted.",
    413: "The body is too big.",
    415: "The body is not `application/json`.",
    416: "The file has no such part.",
    422: "A parameter or the body is wrong; `errors` names every fault.",
    429: "Too many requests; `Retry-After` says when to try again.",
    503: "Not ready.",
}


def install(app: FastAPI, *, structs: Iterable[type], models: Iterable[type[BaseModel]]) -> None:
    """Let `app.openapi()` hold the schemas of `structs` (msgspec) and `models` (pydantic) too."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title,
                version=app.version,
                summary=app.summary,
                description=app.description,
                routes=app.routes,
            )
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas.pop("HTTPValidationError", None)
            schemas.pop("ValidationError", None)
            for operations in document["paths"].values():
                for operation in operations.values():
                    # FastAPI adds its own 422 wherever there is a parameter; ours are said by the routes that have one.
                    if "HTTPValidationError" in str(operation["responses"].get("422")):
                        del operation["responses"]["422"]
                    # Where tokens are demanded, any of them may be answered so by the guard.
                    for status, refusal in refuses(401, 429).items():
                        operation["responses"].setdefault(str(status), refusal)
            schemas["Problem"] = PROBLEM_SCHEMA
            document["components"]["securitySchemes"] = {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Made by `fpd token create`. Needed beyond loopback, and with `--require-token`.",
                }
            }
            document["security"] = [{}, {"token": []}]
            template = "#/components/schemas/{name}"
            schemas.update(msgspec.json.schema_components(list(structs), ref_template=template)[1])
            pairs: list[tuple[type[BaseModel], Any]] = [(model, "validation") for model in models]
            schemas.update(
                models_json_schema(pairs, ref_template=template.replace("name", "model"))[1].get("$defs", {})
            )
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # how FastAPI says a schema is extended
