"""The page's session: a token, taken once and kept by the browser where no script reads it."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from federated_pneumonia_detection.server.access.admission import address_of, is_secure
from federated_pneumonia_detection.server.access.credentials import clear_cookie, cookie_name, session_cookie
from federated_pneumonia_detection.server.access.origins import port_in
from federated_pneumonia_detection.server.access.security import caller_of
from federated_pneumonia_detection.server.access.tokens import Caller, Role
from federated_pneumonia_detection.server.bodies import StrictModel, body_doc, read_body
from federated_pneumonia_detection.server.openapi import answers, refuses
from federated_pneumonia_detection.server.problems import Problem
from federated_pneumonia_detection.server.service import service_of

__all__ = ["Session", "SignIn", "router"]

router = APIRouter(prefix="/api/session", tags=["session"])

LONGEST_S = 30 * 86_400


class Session(msgspec.Struct, frozen=True):
    """Who one is here.

    Attributes:
        name: what the token is called; `local` on a server that demands none.
        role: `viewer`, `operator` or `site`.
        tokens: whether this server demands a token; where it does not, there is nothing to sign out of.
    """

    name: str
    role: Role
    tokens: bool


class SignIn(StrictModel):
    """What `POST /api/session` takes."""

    token: str = Field(min_length=1, max_length=200, description="As `fpd token create` printed it.")


def _answer(request: Request, caller: Caller, cookie: str | None = None) -> Response:
    session = Session(caller.name, caller.role, service_of(request).authority.demands_tokens)
    headers = {"cache-control": "no-store", **({} if cookie is None else {"set-cookie": cookie})}
    return Response(msgspec.json.encode(session), media_type="application/json", headers=headers)


def _cookie_name(request: Request) -> str:
    return cookie_name(request.url.scheme, port_in(request.headers["host"], request.url.scheme))


@router.get(
    "", summary="Who am I", responses=answers(Session, "The caller.") | refuses(401, 403), response_class=Response
)
async def who(request: Request) -> Response:
    """The name and the role of whoever asks, so that a page offers only what it may do."""
    return _answer(request, caller_of(request))


@router.post(
    "",
    summary="Sign in with a token",
    responses=answers(Session, "The caller, and a cookie.") | refuses(401, 403, 408, 413, 415, 422, 429),
    response_class=Response,
    openapi_extra=body_doc(SignIn, {"token": "fpd_…"}, required=True),
)
async def sign_in(request: Request) -> Response:
    """The page sends its token once and gets a cookie for it: HttpOnly, SameSite=Strict, and Secure under TLS."""
    asked = await read_body(request, SignIn)
    service = service_of(request)
    if not service.authority.demands_tokens:
        return _answer(request, caller_of(request))
    caller = await service.admission.holder(asked.token.strip(), address_of(request.scope))
    if caller.role == "site":
        raise Problem(
            403, "A site's token ships journals; it opens no page.", "Sign in with a viewer's or an operator's."
        )
    left = service.authority.seconds_left(caller)
    cookie = session_cookie(
        _cookie_name(request),
        asked.token.strip(),
        secure=is_secure(request.scope),
        max_age_s=LONGEST_S if left is None else int(min(LONGEST_S, left)),
    )
    return _answer(request, caller, cookie)


@router.delete("", status_code=204, summary="Sign out", responses=refuses(403), response_class=Response)
async def sign_out(request: Request) -> Response:
    """The browser forgets its cookie. The token itself holds until it is revoked."""
    cookie = clear_cookie(_cookie_name(request), secure=is_secure(request.scope))
    return Response(status_code=204, headers={"set-cookie": cookie})
