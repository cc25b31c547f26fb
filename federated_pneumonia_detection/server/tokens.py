"""Tokens: who holds one, what it allows, and how little of it is kept.

A token is 256 random bits, shown once. What is kept is its SHA-256: a password needs a slow, salted hash because it can
be guessed, 256 random bits cannot, and a fast hash lets every request be checked without a bound on requests.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["LOCAL", "Caller", "Role"]

Role = Literal["viewer", "operator", "site"]
"""A viewer reads; an operator also starts, stops and changes; a site only ships its own journals."""


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
