"""uvicorn's HTTP protocol, with a bound on what a connection may hold before there is a request in it.

A request has its limits in the guard. Before there is one, somebody may open connections and say nothing, say it one
byte a second, or begin headers that never end: each would hold a file descriptor, or memory, for as long as it likes.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from federated_pneumonia_detection.server.access.limits import Places
from federated_pneumonia_detection.server.viewer_protocol import ViewerProtocol

__all__ = ["CountedViewer", "Doors", "protocols"]

log = logging.getLogger(__name__)

GREATEST_HEAD_BYTES = 64 * 1024
PIECE_BYTES = 256 * 1024
"""The most that comes in one piece: a head and the body behind it are told apart after it was counted."""
HEAD_WITHIN_S = 15.0
CONNECTIONS_OF_ONE_ADDRESS = 256


class Doors:
    """What the connections of one server share.

    Args:
        counted: whether an address may hold only so many; not on one's own machine, whose address is everybody's.
        exempt: addresses that may hold any number: the proxy's.

    Attributes:
        turned_away: connections that were closed at once, so far.
    """

    def __init__(
        self, *, counted: bool, exempt: frozenset[str] = frozenset(), greatest: int = CONNECTIONS_OF_ONE_ADDRESS
    ) -> None:
        self.counted = counted
        self.exempt = exempt
        self.places = Places(greatest)
        self.turned_away = 0

    def enter(self, address: str) -> bool:
        """A place for a connection from there."""
        if not self.counted or address in self.exempt:
            return True
        return self.places.enter(address)

    def leave(self, address: str) -> None:
        """Give it back."""
        if self.counted and address not in self.exempt:
            self.places.leave(address)


def _peer(transport: asyncio.BaseTransport) -> str:
    name = transport.get_extra_info("peername")
    return str(name[0]) if isinstance(name, tuple | list) and name else ""


class _BoundedHttp(HttpToolsProtocol):
    """One connection, as long as it speaks HTTP."""

    doors: Doors

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._address: str | None = None
        self._head_bytes: int | None = 0
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or close it where its address holds enough."""
        super().connection_made(transport)
        address = _peer(transport)
        if not self.doors.enter(address):
            self.doors.turned_away += 1
            transport.abort()
            return
        self._address = address
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self._head_came()
        if self._address is not None:
            self.doors.leave(self._address)
            self._address = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; a head that is too long is answered with 431."""
        if self._head_bytes is not None:
            self._head_bytes += len(data)
            if self._head_bytes > GREATEST_HEAD_BYTES + PIECE_BYTES:
                self._refuse_head(b"431 Request Header Fields Too Large", b"The headers are too long.")
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._await_head()

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._head_came()
        super().on_headers_complete()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over; its place goes with it."""
        self._head_came()
        self._address = None
        super().handle_websocket_upgrade()

    def _await_head(self) -> None:
        self._head_bytes = self._head_bytes or 0
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_WITHIN_S, self._head_too_slow)

    def _head_came(self) -> None:
        self._head_bytes = None
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_too_slow(self) -> None:
        self._head_timer = None
        if self._head_bytes:
            self._refuse_head(b"408 Request Timeout", b"The headers came too slowly.")
        else:
            self.transport.close()

    def _refuse_head(self, status: bytes, words: bytes) -> None:
        if self.transport.is_closing():
            return
        body = b'{"type":"about:blank","title":"%b","status":%b}' % (words, status[:3])
        self.transport.write(
            b"HTTP/1.1 %b\r\ncontent-type: application/problem+json\r\ncontent-length: %d\r\n"
            b"connection: close\r\n\r\n%b" % (status, len(body), body)
        )
        self.transport.close()


class CountedViewer(ViewerProtocol):
    """A viewer's connection, which holds the place its handshake took."""

    doors: Doors
    _address = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember whose place it is: a transport that was lost does not know any more."""
        super().connection_made(transport)
        self._address = _peer(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self.doors.leave(self._address)
        super().connection_lost(exc)


def protocols(doors: Doors) -> tuple[type[asyncio.Protocol], type[asyncio.Protocol]]:
    """The classes for HTTP and WebSocket whose connections share `doors`."""
    http = type("BoundedHttp", (_BoundedHttp,), {"doors": doors})
    return http, type("Viewer", (CountedViewer,), {"doors": doors})
