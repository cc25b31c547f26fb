"""The listening sockets: IPv4 and IPv6 on one port, and who holds a port that is taken."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress
from pathlib import Path

from federated_pneumonia_detection.server.access.origins import is_loopback_name
from federated_pneumonia_detection.server.errors import ServerError

__all__ = ["bind", "holder_of", "port_of", "url_of"]

_TRIES_FOR_A_FREE_PAIR = 10


def bind(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen on `port` of 127.0.0.1 and, where this machine has IPv6, of ::1; or of what is named.

    Args:
        host: `localhost`, `127.0.0.1` and `::1` mean both of these; `0.0.0.0` every IPv4 address of this machine, `::`
            the IPv6 ones too; else an address, or a name that this machine has.
        port: 0 for one that is free on all.

    Raises:
        ServerError: the host is none of this machine, the port is no port, taken, or not ours to take.
    """
    if not 0 <= port <= 65_535:
        raise ServerError(f"port {port}: there is no such port; use 1 to 65535, or 0 for a free one")
    addresses = _addresses_of(host)
    tries = _TRIES_FOR_A_FREE_PAIR if port == 0 else 1
    while True:
        tries -= 1
        try:
            return _bind_all(addresses, port)
        except OSError as error:
            if tries == 0:
                raise ServerError(_why(host, port, error)) from None


def _addresses_of(host: str) -> list[str]:
    name = host.strip("[]")
    if name in ("localhost", "127.0.0.1", "::1"):
        addresses = ["127.0.0.1", "::1"]
    elif name == "::":
        addresses = ["0.0.0.0", "::"]
    elif is_loopback_name(name) and not name[-1].isdigit():
        addresses = ["127.0.0.1"]  # `fpd.localhost` means this machine whether or not a resolver knows it
    else:
        try:
            addresses = [str(found[4][0]) for found in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)]
        except (OSError, UnicodeError):
            raise ServerError(
                f"host {host}: no address goes by that name; use 127.0.0.1, 0.0.0.0 for all of this machine's, or one"
            ) from None
    if not _has_ipv6():
        addresses = [address for address in addresses if ":" not in address] or ["127.0.0.1"]
    return list(dict.fromkeys(addresses))


def _bind_all(addresses: list[str], port: int) -> list[socket.socket]:
    bound: list[socket.socket] = []
    try:
        for address in addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            listener = socket.socket(family, socket.SOCK_STREAM)
            bound.append(listener)
            if os.name == "posix":  # elsewhere this option lets two programs share a port
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind((address, port))
            listener.listen(2048)
            port = port or listener.getsockname()[1]
    except OSError:
        for listener in bound:
            listener.close()
        raise
    return bound


def _has_ipv6() -> bool:
    if not socket.has_ipv6:
        return False
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def _why(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRNOTAVAIL:
        return f"host {host}: that is no address of this machine; use 127.0.0.1, or 0.0.0.0 for all it has"
    if error.errno == errno.EADDRINUSE:
        holder = holder_of(port)
        return (
            f"port {port} is taken{f' by {holder}' if holder else ''}; stop that, or choose another with --port "
            "(--port 0 picks a free one)"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"port {port} may not be opened by this user; choose one above 1023 with --port"
    return f"port {port} cannot be opened: {error.strerror or error}"


def holder_of(port: int) -> str | None:
    """The process that listens on `port`, as `pid 4711 (fpd serve)`; `None` where that cannot be known.

    Only Linux tells, in /proc, and only of processes of the same user (of all, to root).
    """
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                columns = line.split()
                listening = columns[3] == "0A"
                if listening and int(columns[1].rpartition(":")[2], 16) == port:
                    inodes.add(f"socket:[{columns[9]}]")
    if not inodes:
        return None
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if any(str(descriptor.readlink()) in inodes for descriptor in (process / "fd").iterdir()):
                words = (process / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
                command = " ".join(word.decode(errors="replace") for word in words)
                shown = command if len(command) <= 80 else f"{command[:79]}…"
                return f"pid {process.name} ({shown})" if shown.isprintable() else f"pid {process.name}"
    return None


def port_of(sockets: list[socket.socket]) -> int:
    """The port they listen on."""
    return int(sockets[0].getsockname()[1])


def url_of(sockets: list[socket.socket], *, secure: bool = False) -> str:
    """The address to open in a browser; where any address of this machine will do, its name."""
    host, port = sockets[0].getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = socket.gethostname()
    elif ":" in host:
        host = f"[{host}]"
    return f"{'https' if secure else 'http'}://{host}:{port}"
