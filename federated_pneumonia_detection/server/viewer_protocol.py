"""uvicorn's WebSocket protocol, with a bound on what a viewer can make the server hold.

The original writes to the transport whether or not the viewer reads, so one viewer that stops reading grows the server
without end. Here `send` waits while the transport is full (the wait fills the hub's queue for that viewer, which has
the bound and the close code), a viewer that never takes its close frame is cut off, and so is one that only pings.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request
from websockets.protocol import State

from federated_pneumonia_detection.hub.frames import Burst

__all__ = ["LINE", "SEND", "ViewerLine", "ViewerProtocol", "text_frame_header", "wire"]

CLOSES_WITHIN_S = 10.0
GREATEST_UNREAD_BYTES = 1024 * 1024

SEND = "fpd.send"
"""In the scope's extensions: sends a burst of frames when the viewer has taken those before."""
LINE = "fpd.line"
"""In the scope's extensions: the viewer's connection, for bursts that can go at once."""


def text_frame_header(size_bytes: int) -> bytes:
    """The header of an unfragmented, unmasked text frame (RFC 6455, section 5.2)."""
    if size_bytes < 126:
        return bytes((0x81, size_bytes))
    if size_bytes < 65_536:
        return b"\x81\x7e" + size_bytes.to_bytes(2, "big")
    return b"\x81\x7f" + size_bytes.to_bytes(8, "big")


def wire(burst: Burst) -> bytes:
    """The text frames of a burst as they go over the wire, in one piece: made once for all its viewers."""
    if burst.wire is None:
        burst.wire = b"".join(part for frame in burst.frames for part in (text_frame_header(len(frame)), frame))
    return burst.wire


class ViewerLine:
    """What the hub needs of a connection to write to it at once, in one small object: it is looked at for each frame.

    It says yes only while the connection is open, not being closed, and the viewer keeps up.
    """

    __slots__ = ("_takes_now", "on_change", "write")
    wire = staticmethod(wire)

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._takes_now = False
        self.on_change: Callable[[], object] | None = None
        self.write = write

    @property
    def takes_now(self) -> bool:
        """Whether what is written now goes on its way now."""
        return self._takes_now

    @takes_now.setter
    def takes_now(self, takes_now: bool) -> None:
        if takes_now != self._takes_now:
            self._takes_now = takes_now
            if self.on_change is not None:
                self.on_change()


class _Inbox:
    """What uvicorn needs of an `asyncio.Queue`: one takes, nobody waits to put. It is a tenth as large."""

    __slots__ = ("_items", "_waiter")

    def __init__(self) -> None:
        self._items: list[Any] = []
        self._waiter: asyncio.Future[None] | None = None

    def empty(self) -> bool:
        """Whether there is nothing to take."""
        return not self._items

    def put_nowait(self, item: Any) -> None:
        """Put something behind the rest."""
        self._items.append(item)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def get(self) -> Any:
        """Take what came first, when there is something. One caller at a time."""
        while not self._items:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._items.pop(0)


class _Gate:
    """An `asyncio.Event` that is mostly set, and takes no memory for waiters while it is."""

    __slots__ = ("_shut",)

    def __init__(self) -> None:
        self._shut: asyncio.Event | None = None

    def is_set(self) -> bool:
        """Whether `wait` returns at once."""
        return self._shut is None

    def set(self) -> None:
        """Let everybody through."""
        if self._shut is not None:
            self._shut.set()
            self._shut = None

    def clear(self) -> None:
        """Let nobody through."""
        if self._shut is None:
            self._shut = asyncio.Event()

    async def wait(self) -> None:
        """Return when it is set."""
        if self._shut is not None:
            await self._shut.wait()


class ViewerProtocol(WebSocketsSansIOProtocol):
    """One viewer's connection. Thousands of them are idle most of the time: each keeps what it needs, and no more."""

    line: ViewerLine

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.queue = _Inbox()  # type: ignore[assignment]
        self.writable = _Gate()  # type: ignore[assignment]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport, and be told when the viewer does not take all at once, and when it has."""
        super().connection_made(transport)
        # 0 also means: what is written goes now, and not at the end of the loop's turn. Over TLS it would mean that the
        # viewer never keeps up, as a buffer of 0 bytes counts as full there.
        is_plain = self.transport.get_extra_info("ssl_object") is None
        self.transport.set_write_buffer_limits(high=0 if is_plain else 64 * 1024)
        self.line = ViewerLine(self.transport.write)

    def pause_writing(self) -> None:
        """The viewer does not read: let `send` wait."""
        self.writable.clear()
        self.line.takes_now = False

    def resume_writing(self) -> None:
        """It reads again."""
        self.writable.set()
        self._look_at_line()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let a `send` that waits find out."""
        self.line.takes_now = False
        super().connection_lost(exc)
        self.writable.set()

    def handle_connect(self, event: Request) -> None:
        """Offer the application ways to send several frames in one write, with and without a task."""
        super().handle_connect(event)
        if hasattr(self, "scope"):
            self.scope["extensions"].update({SEND: self.send_burst, LINE: self.line})  # type: ignore[dict-item]

    def _look_at_line(self) -> None:
        self.line.takes_now = (
            self.writable.is_set()
            and self.handshake_complete
            and not self.conn.extensions
            and self.conn.state is State.OPEN
            and not self.transport.is_closing()
        )

    def handle_events(self) -> None:
        """Take what the viewer says; a close frame, or what is no frame, ends the line."""
        super().handle_events()
        if self.line.takes_now:
            self._look_at_line()

    def handle_parser_exception(self) -> None:
        """End the line with the connection."""
        self.line.takes_now = False
        super().handle_parser_exception()

    def keepalive_timeout(self) -> None:
        """End the line with the connection."""
        self.line.takes_now = False
        super().keepalive_timeout()

    async def send_burst(self, burst: Burst) -> None:
        """Send a burst when the viewer has taken what was sent before.

        Raises:
            ClientDisconnected: The viewer is gone.
        """
        if self.conn.extensions:
            for frame in burst.frames:
                await super().send({"type": "websocket.send", "text": frame.text})
            return
        if not self.writable.is_set():
            await self.writable.wait()
        if self.conn.state is not State.OPEN or self.transport.is_closing():
            raise ClientDisconnected
        self.transport.write(wire(burst))

    def handle_ping(self) -> None:
        """Answer a ping, unless the answers to earlier ones already pile up unread."""
        super().handle_ping()
        if self.transport.get_write_buffer_size() > GREATEST_UNREAD_BYTES:
            self.line.takes_now = False
            self.transport.abort()

    def shutdown(self) -> None:
        """Say 1012 and go; a viewer that does not take it does not hold up the server."""
        self.line.takes_now = False
        super().shutdown()
        self._cut_off_later()

    async def send(self, message: Any) -> None:
        """Send what the application gives."""
        if message["type"] == "websocket.http.response.body" and self.initial_response is not None:
            self._deny(*self.initial_response[:2], bytes(message.get("body", b"")))
            return
        if message["type"] == "websocket.close":
            # It waits for nobody: a viewer that does not take it is cut off a moment later.
            self.writable.set()
            self.line.takes_now = False
            await super().send(message)
            self._cut_off_later()
            return
        await super().send(message)
        if message["type"] == "websocket.accept":
            self._look_at_line()
            # The handshake is over; a browser's headers alone are two thousand bytes, kept three times.
            del self.request, self.response
            self.scope["headers"].clear()  # type: ignore[attr-defined]

    def _deny(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Answer a handshake with an HTTP response (the original would send two lengths and two types)."""
        response = self.conn.reject(status, body.decode())
        for name, value in headers:
            while name in response.headers:
                del response.headers[name]
            response.headers[name] = value
        self.queue.put_nowait({"type": "websocket.disconnect", "code": 1006})
        self.conn.send_response(response)
        self.close_sent = True
        self.handshake_complete = True
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.close()

    def _cut_off_later(self) -> None:
        # After the end of the loop nothing is left to cut off, so nobody waits for this timer.
        self.loop.call_later(CLOSES_WITHIN_S, self._cut_off)

    def _cut_off(self) -> None:
        if self.transport.get_write_buffer_size() > 0:
            self.transport.abort()
