"""What a request shows to say who sent it: a header, a WebSocket subprotocol, the page's cookie. Never its address."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from federated_pneumonia_detection.server.access.tokens import redact

__all__ = [
    "SUBPROTOCOL",
    "Shown",
    "clear_cookie",
    "cookie_name",
    "offers_subprotocol",
    "secret_in_query",
    "session_cookie",
    "shown_by",
]

SUBPROTOCOL = "fpd"
"""The subprotocol the server answers; what carries a token is offered beside it and never repeated."""

_TOKEN_OFFER = "fpd.token."
_SECRET_PARAMETERS = frozenset(
    {
        "token", "access_token", "auth", "auth_token", "authorization", "bearer", "api_key", "apikey", "api-key",
        "password", "secret", "fpd_token",
    }
)  # fmt: skip
_COOKIE_VALUE = re.compile(r"[A-Za-z0-9_-]{1,200}")


@dataclass(frozen=True)
class Shown:
    """A token that a request shows.

    Attributes:
        secret: its text.
        by_cookie: whether a browser added it by itself, to a request that any page may have caused.
    """

    secret: str
    by_cookie: bool = False


def cookie_name(scheme: str, port: int) -> str:
    """The session cookie's name. A browser keeps `__Host-` to one host over TLS; cookies know no ports, names do."""
    prefix = "__Host-" if scheme in ("https", "wss") else ""
    return f"{prefix}fpd-{port}"


def shown_by(headers: Headers, cookie: str) -> Shown | None:
    """The token a request shows: in `Authorization`, else as a subprotocol, else in the cookie of that name."""
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    # Basic and others are between a browser and a proxy.
    if scheme.lower() == "bearer":
        return Shown(secret.strip())
    for offer in _offers(headers):
        if offer.startswith(_TOKEN_OFFER):
            return Shown(offer.removeprefix(_TOKEN_OFFER))
    for line in headers.getlist("cookie"):
        found = cookie_parser(line).get(cookie, "")
        if _COOKIE_VALUE.fullmatch(found):
            return Shown(found, by_cookie=True)
    return None


def offers_subprotocol(headers: Headers) -> bool:
    """Whether a handshake offers ours: a browser that offered any refuses an answer without one."""
    return SUBPROTOCOL in _offers(headers)


def _offers(headers: Headers) -> Iterator[str]:
    for line in headers.getlist("sec-websocket-protocol"):
        for offer in line.split(","):
            yield offer.strip()


def secret_in_query(query: bytes) -> bool:
    """Whether an address carries what should not be in one: a parameter called like a secret, or one of our tokens."""
    if not query:
        return False
    text = query.decode("latin-1")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=200)
    except ValueError:  # too many to look at one by one
        pairs = []
    if any(name.lower() in _SECRET_PARAMETERS for name, _ in pairs):
        return True
    return redact(text) != text or any(redact(value) != value for _, value in pairs)


def session_cookie(name: str, secret: str, *, secure: bool, max_age_s: int) -> str:
    """A `Set-Cookie` that no script reads and no other site sends."""
    return f"{name}={secret}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Strict{'; Secure' if secure else ''}"


def clear_cookie(name: str, *, secure: bool) -> str:
    """A `Set-Cookie` that ends the session."""
    return session_cookie(name, "", secure=secure, max_age_s=0)
