"""A proxy in front: whom it speaks for is taken from its headers, and from nobody else's."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from federated_pneumonia_detection.server.access.admission import OPEN, Refusals, address_of, is_secure
from federated_pneumonia_detection.server.access.origins import is_loopback_name
from federated_pneumonia_detection.server.close_codes import NOT_ALLOWED
from federated_pneumonia_detection.server.problems import problem_response

__all__ = ["BehindProxy", "networks_of"]

_FORWARDED = ("x-forwarded-for", "x-forwarded-proto")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks_of(addresses: Sequence[str]) -> tuple[Network, ...]:
    """The networks that `addresses` (`10.0.0.7`, `10.0.0.0/24`, `fd00::/8`) are.

    Raises:
        ValueError: one is neither an address nor a network.
    """
    return tuple(ipaddress.ip_network(address, strict=False) for address in addresses)


class BehindProxy:
    """ASGI middleware: only the proxy may come, and what came to it without TLS may not.

    Args:
        app: what it is in front of.
        addresses: addresses and networks of the proxy.
        refusals: counts and tells what was refused.
    """

    def __init__(self, app: ASGIApp, *, addresses: Sequence[str], refusals: Refusals) -> None:
        self.app = app
        self.networks = networks_of(addresses)
        self.refusals = refusals
        # What it passes on has the client's address and scheme in the place of the proxy's.
        behind: Any = self._behind
        self.forwarded: Any = ProxyHeadersMiddleware(behind, trusted_hosts=list(addresses))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take over whom the proxy speaks for."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif not self._trusted(address_of(scope)):
            await self._refuse(scope, receive, send, "This server answers its proxy alone.", "Ask the proxy.")
        else:
            await self.forwarded(scope, receive, send)

    async def _behind(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        # Nothing forwarded and from this machine: a program here, not the proxy.
        local = is_loopback_name(address_of(scope)) and not any(name in headers for name in _FORWARDED)
        if local or is_secure(scope) or scope["path"] in OPEN:
            await self.app(scope, receive, send)
        else:
            await self._refuse(
                scope,
                receive,
                send,
                "The proxy does not say that this came over TLS.",
                "Use https://; the proxy has to set X-Forwarded-Proto and X-Forwarded-For.",
            )

    def _trusted(self, address: str) -> bool:
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in self.networks)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, title: str, right: str) -> None:
        self.refusals.add(scope, Headers(scope=scope), 403, title, None)
        if scope["type"] == "http":
            await problem_response(403, title, right, instance=scope["path"])(scope, receive, send)
            return
        scope["query_string"] = b""
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": NOT_ALLOWED, "reason": title})
