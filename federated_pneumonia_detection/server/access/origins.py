"""By which names a server goes, and pages of which origins may use it.

A program sends no `Origin` and may do what its token allows. A page may do everything only when this server served it.
On a server of one's own machine a page of another loopback port may read; elsewhere only a page that was named may.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

__all__ = ["Names", "host_name", "is_loopback_name", "may_read", "port_in", "same_origin"]


def is_loopback_name(host: str) -> bool:
    """Whether `host` (no port; IPv6 with or without brackets) can only mean this machine."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def host_name(host_header: str) -> str:
    """The name in a `Host` header, without its port."""
    if host_header.startswith("["):
        return host_header.partition("]")[0] + "]"
    return host_header.partition(":")[0]


def port_in(host_header: str, scheme: str) -> int:
    """The port in a `Host` header, else the scheme's; 0 where it is no number."""
    rest = host_header.removeprefix(host_name(host_header)).removeprefix(":")
    if not rest:
        return _port(scheme)
    return int(rest) if rest.isascii() and rest.isdigit() and len(rest) <= 5 else 0


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


@dataclass(frozen=True)
class Names:
    """What a server is called, and who else may read in a browser.

    Attributes:
        beyond_loopback: whether others than this machine can reach it.
        hosts: names it goes by beside loopback ones and addresses; lower case, no port.
        origins: foreign origins that may read.
    """

    beyond_loopback: bool = False
    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()

    @classmethod
    def of(cls, *, beyond_loopback: bool, host: str, allow_hosts: Iterable[str], allow_origins: Iterable[str]) -> Names:
        """The names of a server that listens on `host`; beyond loopback this machine's own name is one."""
        own = (host, socket.gethostname()) if beyond_loopback else ()
        hosts = frozenset(name.strip("[]").rstrip(".").lower() for name in (*own, *allow_hosts))
        return cls(beyond_loopback, hosts, frozenset(origin.rstrip("/") for origin in allow_origins))

    def knows(self, host_header: str) -> bool:
        """Whether a request for that host is meant for us.

        A page can make its own name point at this server (DNS rebinding) and would be of the same origin then. It
        cannot do so with an address, nor with a name it does not own.
        """
        name = host_name(host_header)
        if is_loopback_name(name):
            return True
        plain = name.strip("[]").rstrip(".").lower()
        return plain in self.hosts or (self.beyond_loopback and _is_address(plain))

    def may_read(self, origin: str) -> bool:
        """Whether a page of another origin may read here."""
        return origin in self.origins if self.beyond_loopback else may_read(origin, self.origins)
