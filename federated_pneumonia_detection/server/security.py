"""Who may: which hosts and origins the server listens to, and the headers that tell a browser to be careful.

A program (no `Origin`) on this machine may do everything. A page may do everything only when this server served it; a
page of another loopback port, or one named by `--allow-origin`, may read; every other page may nothing.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Iterable
from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from federated_pneumonia_detection.server.close_codes import NOT_ALLOWED
from federated_pneumonia_detection.server.problems import Problem, problem_response
from federated_pneumonia_detection.server.tokens import LOCAL, Caller, Role

__all__ = ["CALLER_KEY", "Guard", "caller_of", "is_loopback_name", "may_read", "require", "same_origin"]

log = logging.getLogger(__name__)

READS = frozenset({"GET", "HEAD"})

CALLER_KEY = "fpd.caller"
"""In the scope: the `Caller` the guard found."""


def caller_of(connection: HTTPConnection) -> Caller:
    """Who sent this request."""
    caller = connection.scope.get(CALLER_KEY, LOCAL)
    assert isinstance(caller, Caller)
    return caller


def require(role: Role) -> Callable[[HTTPConnection], Caller]:
    """A dependency of a route: `caller: Annotated[Caller, Depends(require("site"))]`.

    Raises:
        Problem: 403, the caller is known and may not do that.
    """

    def needed(connection: HTTPConnection) -> Caller:
        caller = caller_of(connection)
        if not caller.may(role):
            raise Problem(403, f"A token of the role {caller.role} may not do that.", f"It needs the role {role}.")
        return caller

    return needed


def is_loopback_name(host: str) -> bool:
    """Whether `host` (no port; IPv6 with or without brackets) can only mean this machine."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def host_name(host_header: str) -> str:
    """The name in a `Host` header, without its port."""
    if host_header.startswith("["):
        return host_header.partition("]")[0] + "]"
    return host_header.partition(":")[0]


def same_origin(origin: str, scheme: str, host_header: str) -> bool:
    """Whether a page of `origin` was served by the server that is called `host_header`."""
    ours = urlsplit(f"{scheme}://{host_header}")
    theirs = _parsed(origin)
    if theirs is None:
        return False
    try:
        return (theirs.scheme, theirs.hostname, theirs.port or _port(theirs.scheme)) == (
            ours.scheme,
            ours.hostname,
            ours.port or _port(ours.scheme),
        )
    except ValueError:  # a port that is no number
        return False


def may_read(origin: str, allowed: Iterable[str]) -> bool:
    """Whether a page of another `origin` may read: a loopback one of any port, or one that was named."""
    if origin in allowed:
        return True
    theirs = _parsed(origin)
    return theirs is not None and theirs.hostname is not None and is_loopback_name(theirs.hostname)


def _parsed(origin: str) -> SplitResult | None:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    return parts if parts.scheme in ("http", "https") and parts.hostname else None


def _port(scheme: str) -> int:
    return 443 if scheme in ("https", "wss") else 80


def content_security_policy(host_header: str) -> str:
    """What the page may load: itself alone, no inline script. Styles may be inline: the charts and Mantine set them."""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        f"font-src 'self'; connect-src 'self' ws://{host_header}; manifest-src 'self'; worker-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


class Guard:
    """ASGI middleware that lets through who may, and adds what a browser should know.

    Args:
        app: what it guards.
        allow_origins: foreign origins that may read.
    """

    def __init__(self, app: ASGIApp, *, allow_origins: Iterable[str] = ()) -> None:
        self.app = app
        self.allowed = frozenset(origin.rstrip("/") for origin in allow_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let through or refuse."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if scope["type"] == "websocket":
            if refusal is None:
                await self.app(scope, receive, send)
            else:
                await _refuse_websocket(receive, send)
            return
        origin = headers.get("origin")
        send = _with_headers(send, headers, self._readable(origin))
        if refusal is not None:
            await refusal(scope, receive, send)
        elif scope["method"] == "OPTIONS" and origin is not None and "access-control-request-method" in headers:
            await _preflight()(scope, receive, send)
        else:
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except Exception:  # whatever a route did not expect: told in the log, answered without its insides
            log.exception("%s %s failed", scope["method"], scope["path"])
            if started:
                raise
            await problem_response(
                500,
                "The server made a mistake of its own.",
                "The server's output tells more; the request may be sent again.",
                instance=scope["path"],
            )(scope, receive, send)

    def _readable(self, origin: str | None) -> str | None:
        return origin if origin is not None and may_read(origin, self.allowed) else None

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """The answer to somebody who may not; `None` to who may."""
        host = headers.get("host", "")
        if len(headers.getlist("host")) != 1 or not is_loopback_name(host_name(host)):
            return problem_response(
                403,
                "This server is known by loopback names only.",
                "Call it 127.0.0.1, [::1] or localhost.",
                instance=scope["path"],
            )
        origin = headers.get("origin")
        if origin is None:
            return None
        if same_origin(origin, "http", host):
            return None
        if not may_read(origin, self.allowed):
            return problem_response(
                403,
                "A page of this origin may not use this server.",
                "Open the server's own page, or name the origin with --allow-origin.",
                instance=scope["path"],
            )
        method = scope.get("method", "GET")
        if method == "OPTIONS":
            method = headers.get("access-control-request-method", "GET").upper()
        if method in READS:
            return None
        return problem_response(
            403,
            "A page of another origin may read, but not start, cancel or change.",
            "Do it from the server's own page, or from a program.",
            instance=scope["path"],
        )


def _with_headers(send: Send, asked: Headers, origin: str | None) -> Send:
    host = asked.get("host", "")
    much_to_come = "transfer-encoding" in asked or len(asked.get("content-length", "")) > 5

    async def add(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            headers.append("x-content-type-options", "nosniff")
            headers.append("x-frame-options", "DENY")
            headers.append("referrer-policy", "no-referrer")
            headers.append("cross-origin-opener-policy", "same-origin")
            headers.append("cross-origin-resource-policy", "same-origin")
            if "content-security-policy" not in headers:
                headers.append("content-security-policy", content_security_policy(host))
            headers.add_vary_header("Origin")
            if message["status"] >= 400 and much_to_come:
                # Else the rest of a body that nobody wants would be read to its end.
                headers["connection"] = "close"
            if origin is not None:
                headers["access-control-allow-origin"] = origin
                headers["access-control-expose-headers"] = "ETag"
        await send(message)

    return add


def _preflight() -> Response:
    return Response(
        status_code=204,
        headers={
            "access-control-allow-methods": "GET, HEAD",
            "access-control-allow-headers": "If-None-Match, Last-Event-ID, Cache-Control",
            "access-control-max-age": "600",
        },
    )


async def _refuse_websocket(receive: Receive, send: Send) -> None:
    # Accepted first: a browser shows its page the close code only of a connection that was open, and the code is what
    # tells a client not to come back. Nothing is sent on it.
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": NOT_ALLOWED, "reason": "this origin or host may not read here"})
