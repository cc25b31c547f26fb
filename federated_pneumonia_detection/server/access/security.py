"""The guard in front of every route: host, origin, token, role, limits, and the headers of every answer.

In this order, so that nobody learns anything by a request that was not meant for this server: the `Host` is one of
ours; no secret stands in the address; the page's origin may; a token is shown, where one is needed, and its role is
enough; there is room.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from federated_pneumonia_detection.server.access.admission import (
    READS,
    Admission,
    Refusals,
    address_of,
    holder_in,
    is_secure,
)
from federated_pneumonia_detection.server.access.authority import Authority
from federated_pneumonia_detection.server.access.browser_headers import preflight, with_headers
from federated_pneumonia_detection.server.access.credentials import SUBPROTOCOL, offers_subprotocol, secret_in_query
from federated_pneumonia_detection.server.access.origins import Names, same_origin
from federated_pneumonia_detection.server.access.tokens import Caller, Role, redact
from federated_pneumonia_detection.server.close_codes import BAD_REQUEST, NOT_ALLOWED, TRY_AGAIN_LATER, UNAUTHENTICATED
from federated_pneumonia_detection.server.problems import Problem, problem_response

__all__ = ["CALLER_KEY", "Guard", "caller_of", "require"]

log = logging.getLogger(__name__)

CALLER_KEY = "fpd.caller"
"""In the scope: the `Caller` the guard found; `None` on a path that is open to everybody."""

REFUSED = frozenset({401, 403, 429})
LASTING = ("/stream", "/events")
"""How the paths of answers end that may go on while a token ends."""


def caller_of(connection: HTTPConnection) -> Caller:
    """Who sent this request.

    Raises:
        Problem: 401, nobody asked: the path is open to everybody.
    """
    caller = connection.scope.get(CALLER_KEY)
    if not isinstance(caller, Caller):
        raise Problem(401, "Nobody knows who asks here.", "Send a token.", headers={"www-authenticate": "Bearer"})
    return caller


def require(role: Role) -> Callable[[HTTPConnection], Caller]:
    """A dependency of a route: `caller: Annotated[Caller, Depends(require("site"))]`.

    Raises:
        Problem: 401, the caller is not known; 403, the caller is and may not do that.
    """

    def needed(connection: HTTPConnection) -> Caller:
        caller = caller_of(connection)
        if not caller.may(role):
            raise Problem(403, f"A token of the role {caller.role} may not do that.", f"It needs the role {role}.")
        return caller

    return needed


class Guard:
    """ASGI middleware that lets through who may, and adds what a browser should know.

    Args:
        app: what it guards.
        names: what the server is called, and which origins may read.
        admission: knows who may; without one nobody needs a token.
        refusals: counts and tells what was refused.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        names: Names | None = None,
        admission: Admission | None = None,
        refusals: Refusals | None = None,
    ) -> None:
        self.app = app
        self.names = names or Names()
        self.admission = admission or Admission(Authority())
        self.refusals = refusals or Refusals()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let through or refuse."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        known_host = self._knows_host(headers)
        readable = origin if origin is not None and self.names.may_read(origin) else None
        send = with_headers(send, scope, headers, known_host=known_host, origin=readable)
        method = scope["method"]
        try:
            self._check(scope, headers, method, known_host=known_host)
            if method == "OPTIONS" and origin is not None and "access-control-request-method" in headers:
                await preflight()(scope, receive, send)
                return
            caller = await self.admission.caller(scope, headers, method)
            place = self._enter(scope)
        except Problem as problem:
            self.refusals.add(scope, headers, problem.status_code, problem.title, holder_in(scope))
            await _response(problem, scope)(scope, receive, send)
            return
        try:
            scope[CALLER_KEY] = caller
            if method == "HEAD":
                await self._head(scope, receive, send)
            elif caller is not None and caller.token_id and scope["path"].endswith(LASTING):
                await self._while_it_holds(caller, scope, receive, send)
            else:
                await self._answer(scope, receive, send)
        finally:
            self._leave(place)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        offered = offers_subprotocol(headers)
        try:
            self._check(scope, headers, "GET", known_host=self._knows_host(headers))
            caller = await self.admission.caller(scope, headers, "GET")
            place = self._enter(scope)
        except Problem as problem:
            self.refusals.add(scope, headers, problem.status_code, problem.title, holder_in(scope))
            scope["query_string"] = b""  # uvicorn logs the address of what is accepted
            await _refuse_websocket(problem, receive, send, subprotocol=SUBPROTOCOL if offered else None)
            return
        try:
            scope[CALLER_KEY] = caller
            if offered:
                send = _answering_subprotocol(send)
            if caller is None or not caller.token_id:
                await self.app(scope, receive, send)
                return
            line = _Line(send)
            with self.admission.authority.open_under(caller, line.end):
                await self.app(scope, receive, line.send)
        finally:
            self._leave(place)

    def _knows_host(self, headers: Headers) -> bool:
        return len(headers.getlist("host")) == 1 and self.names.knows(headers["host"])

    def _check(self, scope: Scope, headers: Headers, method: str, *, known_host: bool) -> None:
        """Refuse what no token could allow."""
        if not known_host:
            if self.names.beyond_loopback:
                raise Problem(
                    403, "This server does not go by that name.", "Call it by its address, or name it by --allow-host."
                )
            raise Problem(403, "This server is known by loopback names only.", "Call it 127.0.0.1, [::1] or localhost.")
        if secret_in_query(scope.get("query_string", b"")):
            raise Problem(
                400,
                "A token does not belong in an address.",
                "Addresses end in logs, histories and bookmarks. Send it as Authorization: Bearer …, and on a "
                "WebSocket as the subprotocol fpd.token.… beside fpd. Revoke this one if it was a real one.",
            )
        origin = headers.get("origin")
        scheme = "https" if is_secure(scope) else "http"
        if origin is None or same_origin(origin, scheme, headers["host"]):
            return
        if not self.names.may_read(origin):
            raise Problem(
                403,
                "A page of this origin may not use this server.",
                "Open the server's own page, or name the origin with --allow-origin.",
            )
        if method == "OPTIONS":
            method = headers.get("access-control-request-method", "GET").upper()
        if method not in READS:
            raise Problem(
                403,
                "A page of another origin may read, but not start, cancel or change.",
                "Do it from the server's own page, or from a program.",
            )

    def _enter(self, scope: Scope) -> str | None:
        """A place for a request from its address; `None` where places are not counted."""
        if not self.admission.counted:
            return None
        address = address_of(scope)
        if not self.admission.places.enter(address):
            raise Problem(429, "Too many connections from this address.", "Close some.", headers={"retry-after": "10"})
        return address

    def _leave(self, place: str | None) -> None:
        if place is not None:
            self.admission.places.leave(place)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if status < 400:
                    _tell_change(scope)
            elif status in REFUSED:  # by the route, which knows what the guard does not: whose client, whose token
                self.refusals.add(scope, Headers(scope=scope), status, _title(message), holder_in(scope))
                status = -1
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except Exception:  # whatever a route did not expect: told in the log, answered without its insides
            log.exception("%s %s failed", scope["method"], scope["path"])
            if status:
                raise
            await problem_response(
                500,
                "The server made a mistake of its own.",
                "The server's output tells more; the request may be sent again.",
                instance=scope["path"],
            )(scope, receive, send)

    async def _head(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as to GET, without the body; a stream ends with its headers."""
        begun = asyncio.Event()

        async def without_body(message: Message) -> None:
            if begun.is_set():
                return
            await send(message)
            if message["type"] == "http.response.start":
                await send({"type": "http.response.body", "body": b""})
                begun.set()

        await _until(begun.wait(), self._answer({**scope, "method": "GET"}, receive, without_body))

    async def _while_it_holds(self, caller: Caller, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and end the answer where it stands when the caller's token ends."""
        ended = asyncio.Event()
        with self.admission.authority.open_under(caller, ended.set):
            answered = False

            async def watch(message: Message) -> None:
                nonlocal answered
                answered = True
                await send(message)

            if await _until(ended.wait(), self._answer(scope, receive, watch)):
                return
            if answered:
                await send({"type": "http.response.body", "body": b""})
            else:
                await _response(Problem(401, "This token has ended.", "Get another one."), scope)(scope, receive, send)


async def _until(end: Awaitable[Any], answer: Awaitable[None]) -> bool:
    """Run `answer` to its end, or until `end`; whether it came to its own."""
    working, ending = asyncio.ensure_future(answer), asyncio.ensure_future(end)
    try:
        await asyncio.wait({working, ending}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
            return True
        return False
    finally:
        working.cancel()
        ending.cancel()
        await asyncio.gather(working, ending, return_exceptions=True)


class _Line:
    """A WebSocket's way out, which can be ended from outside."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._ended = False
        self._closing: asyncio.Task[None] | None = None

    async def send(self, message: Message) -> None:
        """Send, unless the line was ended."""
        if not self._ended:
            await self._send(message)

    def end(self) -> None:
        """Close it for want of a token; the application hears that the viewer went."""
        if not self._ended:
            self._ended = True
            self._closing = asyncio.ensure_future(self._close())

    async def _close(self) -> None:
        try:
            await self._send({"type": "websocket.close", "code": UNAUTHENTICATED, "reason": "this token has ended"})
        except (RuntimeError, OSError):  # it was closed, or not yet accepted, a moment ago
            log.debug("a viewer whose token ended was gone already")


def _response(problem: Problem, scope: Scope) -> Response:
    return problem_response(
        problem.status_code, problem.title, problem.right, instance=scope["path"], headers=problem.headers
    )


def _tell_change(scope: Scope) -> None:
    """Log whose token changed something; a site's deliveries are counted elsewhere, and are many."""
    holder = holder_in(scope)
    if holder is not None and scope["method"] not in READS and holder.role != "site":
        about = {"caller": holder.name, "method": scope["method"], "path": redact(scope["path"][:200])}
        log.info("changed", extra=about)


def _title(message: Message) -> str:
    """The title of the problem document that a response's body is."""
    try:
        return str(msgspec.json.decode(message.get("body", b""))["title"])[:200]
    except (msgspec.DecodeError, KeyError, TypeError):
        return "refused"


def _answering_subprotocol(send: Send) -> Send:
    """`send`, which answers a handshake with our subprotocol. What was offered beside it is never repeated."""

    async def answering(message: Message) -> None:
        if message["type"] == "websocket.accept":
            message = {**message, "subprotocol": SUBPROTOCOL}
        await send(message)

    return answering


_CLOSE_CODES = {400: BAD_REQUEST, 401: UNAUTHENTICATED, 403: NOT_ALLOWED}


async def _refuse_websocket(problem: Problem, receive: Receive, send: Send, *, subprotocol: str | None) -> None:
    # Accepted first: a browser shows its page the close code only of a connection that was open, and the code is what
    # tells a client not to come back. Nothing is sent on it.
    await receive()
    await send({"type": "websocket.accept", "subprotocol": subprotocol})
    code = _CLOSE_CODES.get(problem.status_code, TRY_AGAIN_LATER)
    reason = problem.title.rstrip(".")
    await send({"type": "websocket.close", "code": code, "reason": reason[:1].lower() + reason[1:]})
