"""Errors as RFC 9457 problem documents: what was wrong, where, and what would be right."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, cast

import msgspec
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import compile_path

__all__ = ["MEDIA_TYPE", "PROBLEM_SCHEMA", "Problem", "install", "problem_response"]

MEDIA_TYPE = "application/problem+json"

PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457: what was wrong, where, and what would be right.",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "description": "`about:blank`: the title says it."},
        "title": {"type": "string", "description": "What was wrong, in one sentence."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What would be right."},
        "instance": {"type": "string", "description": "The path that was asked for."},
        "errors": {
            "type": "array",
            "description": "Every fault found in the request.",
            "items": {
                "type": "object",
                "properties": {
                    "where": {"type": "string", "examples": ["body.config.batch_size"]},
                    "wrong": {"type": "string"},
                    "right": {"type": "string"},
                },
            },
        },
    },
}


class Problem(HTTPException):
    """An error that knows its problem document.

    Args:
        status: the HTTP status.
        title: what was wrong, one sentence.
        right: what would be right.
        **more: further members of the document.
    """

    def __init__(
        self, status: int, title: str, right: str = "", *, headers: Mapping[str, str] | None = None, **more: object
    ) -> None:
        super().__init__(status, detail=title, headers=headers)
        self.title = title
        self.right = right
        self.more = more


def problem_response(
    status: int,
    title: str,
    right: str = "",
    *,
    instance: str | None = None,
    headers: Mapping[str, str] | None = None,
    **more: object,
) -> Response:
    """A problem document as a response."""
    document: dict[str, object] = {"type": "about:blank", "title": title, "status": status}
    if right:
        document["detail"] = right
    if instance is not None:
        document["instance"] = instance
    document.update(more)
    kept = {name: value for name, value in (headers or {}).items() if name.lower() not in ("content-type",)}
    return Response(_encode(document), status_code=status, media_type=MEDIA_TYPE, headers=kept)


def _encode(value: object) -> bytes:
    return msgspec.json.encode(_plain(value))


def _plain(value: object) -> object:
    """`value` with everything that is no JSON text or number replaced, so that an answer can always be written."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Mapping):
        return {str(_plain(str(key))): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_plain(item) for item in value]
    return str(value)


_DETAILS = {
    404: "The paths there are stand in /docs.",
    405: "The methods this path takes stand in the Allow header and in /docs.",
}


async def _on_http_exception(request: Request, error: Exception) -> Response:
    wrong = cast(HTTPException, error)
    path = request.url.path
    if isinstance(wrong, Problem):
        return problem_response(
            wrong.status_code, wrong.title, wrong.right, instance=path, headers=wrong.headers, **wrong.more
        )
    phrase = HTTPStatus(wrong.status_code).phrase
    title = {404: f"There is nothing at {path}.", 405: f"{request.method} is not for {path}."}.get(
        wrong.status_code, wrong.detail or phrase
    )
    headers = dict(wrong.headers or {})
    if wrong.status_code == 405 and (methods := _methods_for(request)):
        headers = {"allow": ", ".join(methods)}
    return problem_response(
        wrong.status_code, title, _DETAILS.get(wrong.status_code, ""), instance=path, headers=headers
    )


def _methods_for(request: Request) -> list[str]:
    """What the path takes. Starlette names the methods of the first route that fits; a path may have several."""
    return sorted(
        method.upper()
        for template, operations in request.app.openapi()["paths"].items()
        if compile_path(template)[0].match(request.url.path)
        for method in operations
    )


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    faults = [_fault(detail) for detail in cast(RequestValidationError, error).errors()[:50]]
    first = faults[0]
    return problem_response(
        422,
        f"{first['where']}: {first['wrong']}.",
        _sentence(first["right"]),
        instance=request.url.path,
        errors=faults,
    )


def install(app: FastAPI) -> None:
    """Let `app` answer every error a route expects with a problem document; `security.Guard` does so for the rest."""
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?")) else ".") if text else ""


def _fault(detail: Mapping[str, Any]) -> dict[str, str]:
    """One pydantic error as where, wrong and right."""
    place = ".".join(str(part) for part in detail.get("loc", ()))
    kind = str(detail.get("type", ""))
    message = str(detail.get("msg", "not valid"))
    if kind == "extra_forbidden":
        return {"where": place, "wrong": "there is no such field", "right": "leave it out"}
    if kind == "missing":
        return {"where": place, "wrong": "it is missing", "right": "give it"}
    if kind == "json_invalid":
        return {"where": place, "wrong": "the body is not JSON", "right": "a JSON object, as in /docs"}
    if kind == "value_error":
        wrong, _, right = message.removeprefix("Value error, ").partition("; ")
        return {"where": place, "wrong": wrong, "right": right}
    shown = _shown(detail.get("input"))
    return {"where": place, "wrong": f"got {shown}", "right": message[:1].lower() + message[1:]}


def _shown(value: object) -> str:
    """`value` in a few characters: quoted, cut, never NaN or infinite."""
    if isinstance(value, float) and not math.isfinite(value):
        return "a number that is not finite"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return "a number of more than 40 digits" if isinstance(value, int) and abs(value) >= 10**40 else str(value)
    if isinstance(value, str):
        return ascii(value) if len(value) <= 60 else f"{ascii(value[:57])[:-1]}…' ({len(value)} characters)"
    if isinstance(value, Mapping):
        return "an object"
    return "a list" if isinstance(value, list | tuple) else f"a {type(value).__name__}"
