"""The headers that tell a browser to be careful with what we answer."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import Message, Scope, Send

from federated_pneumonia_detection.server.access.origins import host_name, is_loopback_name

__all__ = ["content_security_policy", "preflight", "with_headers"]

HSTS = "max-age=15552000"
"""Half a year. Not for subdomains: this server speaks for its own name."""


def content_security_policy(host_header: str, *, secure: bool = False) -> str:
    """What the page may load: itself alone, no inline script.

    Styles may be inline: Mantine writes its theme's variables into a style element, and charts set the style attribute
    of what they draw. A style runs nothing, and `default-src 'none'` leaves it nowhere to send anything.
    """
    socket = f"{'wss' if secure else 'ws'}://{host_header}"
    return (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        f"font-src 'self'; connect-src 'self' {socket}; manifest-src 'self'; worker-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


def with_headers(send: Send, scope: Scope, asked: Headers, *, known_host: bool, origin: str | None) -> Send:
    """`send`, with what a browser should know added to the start of a response.

    Args:
        send: where it goes.
        scope: the request's.
        asked: its headers.
        known_host: whether its `Host` is one of ours; another one is not repeated.
        origin: the foreign origin that may read the answer, if one may.
    """
    host = asked.get("host", "")
    secure = scope.get("scheme") in ("https", "wss")
    much_to_come = "transfer-encoding" in asked or len(asked.get("content-length", "")) > 5

    async def add(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            headers.append("x-content-type-options", "nosniff")
            headers.append("x-frame-options", "DENY")
            headers.append("referrer-policy", "no-referrer")
            headers.append("cross-origin-opener-policy", "same-origin")
            headers.append("cross-origin-resource-policy", "same-origin")
            headers.append("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
            # Browsers apply it to every port of a name, so never to `localhost`, where other things are developed.
            if secure and known_host and not is_loopback_name(host_name(host)):
                headers.append("strict-transport-security", HSTS)
            if "content-security-policy" not in headers:
                policy = content_security_policy(host, secure=secure) if known_host else "default-src 'none'"
                headers.append("content-security-policy", policy)
            headers.add_vary_header("Origin")
            if message["status"] >= 400 and much_to_come:
                # Else the rest of a body that nobody wants would be read to its end.
                headers["connection"] = "close"
            if origin is not None:
                headers["access-control-allow-origin"] = origin
                headers["access-control-expose-headers"] = "ETag"
        await send(message)

    return add


def preflight() -> Response:
    """The answer to a page of another origin that asks whether it may read."""
    return Response(
        status_code=204,
        headers={
            "access-control-allow-methods": "GET, HEAD",
            "access-control-allow-headers": "Authorization, If-None-Match, Last-Event-ID, Cache-Control",
            "access-control-max-age": "600",
        },
    )
