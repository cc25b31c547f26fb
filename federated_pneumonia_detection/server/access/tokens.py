"""Tokens: who holds one, what it allows, and how little of it is kept.

A token is 256 random bits, shown once. What is kept is its SHA-256. A password needs a slow, salted hash because people
choose it and others can guess it; 256 random bits cannot be guessed, so a fast hash gives nothing away, and lets every
request be checked without that becoming a way to keep the server busy.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from typing import Literal

import msgspec

__all__ = [
    "LOCAL",
    "ROLES",
    "Caller",
    "Role",
    "Token",
    "TokenWrong",
    "Tokens",
    "digest_of",
    "issue",
    "redact",
    "seconds_of",
]

Role = Literal["viewer", "operator", "site"]
"""A viewer reads; an operator also starts, stops and changes; a site only ships its own journals."""
ROLES: tuple[Role, ...] = ("viewer", "operator", "site")

_PREFIX = "fpd_"
_SECRET = re.compile(r"fpd_[A-Za-z0-9_-]{43}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_DURATION = re.compile(r"([0-9]{1,5})([mhdw])")
_UNIT_S = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class TokenWrong(ValueError):
    """A token cannot be made as it was asked for. `str()` says what was wrong and what would be right."""


class Caller(msgspec.Struct, frozen=True):
    """Whoever sent a request.

    Attributes:
        name: what the token is called; `local` for whoever needs none.
        role: what it allows.
        site: the site a site's token is for, else `None`.
        clients: the clients a site's token may write; empty for the other roles.
        token_id: which token it was; empty for whoever needs none.
    """

    name: str
    role: Role
    site: str | None = None
    clients: frozenset[str] = frozenset()
    token_id: str = ""

    def may(self, role: Role) -> bool:
        """Whether this caller may do what `role` may. An operator may everything."""
        return self.role in ("operator", role)

    def may_write_client(self, client_id: str) -> bool:
        """Whether this caller may ship what the client `client_id` logged."""
        return self.role == "operator" or (self.role == "site" and client_id in self.clients)


LOCAL = Caller("local", "operator")
"""Everybody on a server of one's own machine that demands no token."""


class Token(msgspec.Struct, frozen=True):
    """What is kept of a token: everything but the token.

    Attributes:
        id: random; two tokens of one name, one after the other, are two.
        name: what people call it; one at a time.
        role: what it allows.
        digest: the SHA-256 of its text, in hex.
        created: when, in seconds since 1970.
        site: the site a site's token is for.
        clients: the clients it may write.
        expires: when it ends, in seconds since 1970; `None` for never.
        last_used: when it was last used, to the minute; `None` for never.
    """

    id: str
    name: str
    role: Role
    digest: str
    created: float
    site: str | None = None
    clients: tuple[str, ...] = ()
    expires: float | None = None
    last_used: float | None = None

    def holds_at(self, now: float) -> bool:
        """Whether it has not expired."""
        return self.expires is None or now < self.expires

    @property
    def caller(self) -> Caller:
        """Whoever presents it."""
        return Caller(self.name, self.role, self.site, frozenset(self.clients), self.id)


class Tokens:
    """All tokens there are, at one moment."""

    def __init__(self, tokens: Iterable[Token] = ()) -> None:
        self.all = tuple(tokens)
        self._by_digest = {token.digest: token for token in self.all}
        self._by_id = {token.id: token for token in self.all}

    def find(self, secret: str, now: float) -> Token | None:
        """The token whose text is `secret`; `None` where there is none, or it has expired.

        Its digest is looked up, not compared: how long that takes tells about digests, and nobody can choose a text
        by its digest.
        """
        token = self._by_digest.get(digest_of(secret))
        return token if token is not None and token.holds_at(now) else None

    def holds(self, token_id: str, now: float) -> bool:
        """Whether the token of that id is still there and has not expired."""
        token = self._by_id.get(token_id)
        return token is not None and token.holds_at(now)


def digest_of(secret: str) -> str:
    """The SHA-256 of a token's text, in hex."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def issue(
    name: str,
    role: Role,
    *,
    now: float,
    site: str | None = None,
    clients: Iterable[str] = (),
    expires: float | None = None,
) -> tuple[Token, str]:
    """A new token, and its text, which is kept nowhere.

    Args:
        name: 1 to 64 letters, digits and `._@-`.
        role: what it shall allow.
        now: seconds since 1970.
        site: for the role `site`, and only there: whose journals it ships. The name where left out.
        clients: the client ids it may write; the site's name where left out.
        expires: when it ends, in seconds since 1970.

    Raises:
        TokenWrong: the name, the site or the clients cannot be.
    """
    granted = tuple(dict.fromkeys(client.strip() for client in clients))
    _checked("name", name)
    if role != "site" and (site is not None or granted):
        raise TokenWrong(f"a token of the role {role} has no site and no clients; leave them out, or use --role site")
    if role == "site":
        site = _checked("site", name if site is None else site)
        granted = granted or (site,)
        for client in granted:
            if not client or len(client) > 200 or not client.isprintable():
                raise TokenWrong(f"client {client[:60]!a}: 1 to 200 printable characters, several joined by commas")
    secret = _PREFIX + secrets.token_urlsafe(32)
    token = Token(secrets.token_hex(8), name, role, digest_of(secret), now, site, granted, expires)
    return token, secret


def _checked(what: str, given: str) -> str:
    if not _NAME.fullmatch(given):
        raise TokenWrong(
            f"{what} {given[:60]!a}: 1 to 64 letters, digits, dots, dashes, underscores and @, "
            "the first a letter or a digit"
        )
    return given


def seconds_of(duration: str) -> float:
    """How long `30d`, `12h`, `90m` or `2w` is, in seconds.

    Raises:
        TokenWrong: it is none of these, or no time at all.
    """
    found = _DURATION.fullmatch(duration.strip())
    if found is None or int(found[1]) == 0:
        raise TokenWrong(f"expiry {duration[:30]!a}: a number and a unit, as 90m, 12h, 30d or 2w")
    return float(int(found[1]) * _UNIT_S[found[2]])


def redact(text: str) -> str:
    """`text` with every token in it replaced: for whatever is written to a log."""
    return _SECRET.sub("fpd_[redacted]", text) if _PREFIX in text else text
