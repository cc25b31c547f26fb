"""Who sent a request, and whether it may: the token it shows, the role that its path needs, how often it may ask."""

from __future__ import annotations

import logging
import time
from typing import Literal

from starlette.datastructures import Headers
from starlette.types import Scope

from federated_pneumonia_detection.server.access.authority import Authority, AuthorityAway
from federated_pneumonia_detection.server.access.credentials import Shown, clear_cookie, cookie_name, shown_by
from federated_pneumonia_detection.server.access.limits import Allowance, Places
from federated_pneumonia_detection.server.access.origins import port_in, same_origin
from federated_pneumonia_detection.server.access.tokens import LOCAL, Caller, Role, redact
from federated_pneumonia_detection.server.problems import Problem

__all__ = ["Admission", "Refusals", "address_of", "holder_in", "is_secure", "needed_role"]

log = logging.getLogger(__name__)

READS = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN = frozenset({"/healthz", "/readyz"})
GUARDED = frozenset({"api", "ws", "metrics", "docs", "openapi.json"})

WRONG_TOKENS_BURST, WRONG_TOKENS_PER_S = 20, 0.2
WRITES_BURST, WRITES_PER_S = 60, 5.0
INGESTS_BURST, INGESTS_PER_S = 100, 20.0
REQUESTS_OF_ONE_ADDRESS = 200
"""At one moment, sockets and streams among them; behind a proxy a whole hospital may be one address."""
TOLD_BURST, TOLD_PER_S = 50, 1.0


def needed_role(method: str, path: str) -> Role | Literal["any"] | None:
    """What a caller must be for that; `None` for everybody.

    The files of the page are everybody's: they are the same on every server, and somebody has to ask for the token.
    Whatever else there is, and whatever is added to it, needs a role.
    """
    if path in OPEN:
        return None
    if path == "/api/session":
        return "any" if method in READS else None
    if path == "/api/ingest":
        return "site"
    if path.lstrip("/").partition("/")[0] in GUARDED or method not in READS:
        return "viewer" if method in READS else "operator"
    return None


def address_of(scope: Scope) -> str:
    """Where a request comes from."""
    client = scope.get("client")
    return str(client[0]) if client else "unknown"


def is_secure(scope: Scope) -> bool:
    """Whether it came over TLS."""
    return scope.get("scheme") in ("https", "wss")


class Refusals:
    """Counts what was refused and tells it in the log: who, what, why, and no secret.

    Attributes:
        count: so many so far.
    """

    def __init__(self) -> None:
        self.count = 0
        self._told = Allowance(burst=TOLD_BURST, per_s=TOLD_PER_S)

    def add(self, scope: Scope, headers: Headers, status: int, why: str, caller: Caller | None) -> None:
        """One more. Told unless there are so many that they would push everything else out of the log."""
        self.count += 1
        if self._told.take("", time.monotonic()):
            return
        about = {
            "status": status,
            "why": why,
            "method": scope.get("method", "WEBSOCKET"),
            "path": redact(str(scope["path"])[:200]),
            "address": address_of(scope),
            "origin": redact(headers.get("origin", "")[:200]),
            "host": redact(headers.get("host", "")[:200]),
            "caller": caller.name if caller is not None else "",
            "role": caller.role if caller is not None else "",
        }
        log.info("refused", extra=about)


class Admission:
    """Lets callers through to what their role allows.

    Args:
        authority: knows the tokens.
        counted: whether an address has only so many places; not on one's own machine, whose address is everybody's.
    """

    def __init__(self, authority: Authority, *, counted: bool = False) -> None:
        self.authority = authority
        self.counted = counted
        self.places = Places(REQUESTS_OF_ONE_ADDRESS)
        self._wrong = Allowance(burst=WRONG_TOKENS_BURST, per_s=WRONG_TOKENS_PER_S)
        self._writes = Allowance(burst=WRITES_BURST, per_s=WRITES_PER_S)
        self._ingests = Allowance(burst=INGESTS_BURST, per_s=INGESTS_PER_S)

    async def holder(self, secret: str, address: str) -> Caller:
        """Who holds the token `secret`.

        Raises:
            Problem: 401 nobody, 429 nobody for the umpteenth time, 503 that cannot be told now.
        """
        now = time.monotonic()
        try:
            caller = await self.authority.find(secret, look_again=self._wrong.left(address, now) >= 1)
        except AuthorityAway:
            raise Problem(
                503, "Tokens cannot be checked at the moment.", "Try again soon.", headers={"retry-after": "5"}
            ) from None
        if caller is None:
            wait = self._wrong.take(address, now)
            if wait:
                raise _too_often("wrong tokens from this address", wait)
            raise _unauthenticated("This token is not valid.", "It was mistyped, has expired or was revoked.")
        return caller

    async def caller(self, scope: Scope, headers: Headers, method: str) -> Caller | None:
        """Who may have what was asked for; `None` where everybody may and nobody asked who.

        Raises:
            Problem: 401, 403, 429, 503.
        """
        if not self.authority.demands_tokens:
            return LOCAL
        need = needed_role(method, scope["path"])
        if need is None:
            return None
        shown = self._shown(scope, headers)
        if shown is None:
            raise _unauthenticated(
                "This server needs a token.", "Send it as Authorization: Bearer …, or sign in on its page."
            )
        try:
            caller = await self.holder(shown.secret, address_of(scope))
        except Problem as problem:
            if shown.by_cookie and problem.status_code == 401:
                name = cookie_name(scope["scheme"], port_in(headers.get("host", ""), scope["scheme"]))
                problem.headers = {**(problem.headers or {}), "set-cookie": clear_cookie(name, secure=is_secure(scope))}
            raise
        scope[_HOLDER] = caller
        if need != "any" and not caller.may(need):
            raise Problem(403, f"A token of the role {caller.role} may not do that.", f"It needs the role {need}.")
        self._not_too_often(caller, method, scope["path"])
        return caller

    def _not_too_often(self, caller: Caller, method: str, path: str) -> None:
        if method in READS or path == "/api/session":
            return
        allowance = self._ingests if path == "/api/ingest" else self._writes
        wait = allowance.take(caller.token_id, time.monotonic())
        if wait:
            raise _too_often("requests of this token that change something", wait)

    def _shown(self, scope: Scope, headers: Headers) -> Shown | None:
        cookie = cookie_name(scope["scheme"], port_in(headers.get("host", ""), scope["scheme"]))
        shown = shown_by(headers, cookie)
        if shown is not None and shown.by_cookie and not _own_page(scope, headers):
            return None
        return shown


_HOLDER = "fpd.holder"


def holder_in(scope: Scope) -> Caller | None:
    """Who was found to have sent a request, even one that was refused."""
    found = scope.get(_HOLDER)
    return found if isinstance(found, Caller) else None


def _own_page(scope: Scope, headers: Headers) -> bool:
    """Whether a request to which a browser added our cookie comes from our own page.

    `SameSite` knows no ports: a page of another port of this host, another user's perhaps, is of the same site, and its
    requests carry the cookie. What it cannot do is to say that it is of the same origin.
    """
    fetched = headers.get("sec-fetch-site")
    if fetched is not None and fetched not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    scheme = "https" if is_secure(scope) else "http"
    return origin is None or same_origin(origin, scheme, headers.get("host", ""))


def _unauthenticated(title: str, right: str) -> Problem:
    return Problem(401, title, right, headers={"www-authenticate": 'Bearer realm="fpd"'})


def _too_often(what: str, wait_s: int) -> Problem:
    return Problem(429, f"Too many {what}.", f"Try again in {wait_s} s.", headers={"retry-after": str(wait_s)})
