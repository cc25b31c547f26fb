"""A TCP proxy of ours on 127.0.0.1 that treats what passes through it as badly as a network does.

It cuts (at once, or in the middle of what comes next), stalls, delays, and hands on every byte by itself. What it does
may be changed from any thread at any time, and concerns connections that are open already.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

_PIECE_BYTES = 64 * 1024
_RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Hands on connections to a port of 127.0.0.1; `with Proxy(port) as proxy:` and connect to `proxy.port`.

    Attributes:
        delay_s: how long each piece is held back.
        splits: whether every byte is sent by itself.
        bytes_handed_on: towards clients, so far.
    """

    def __init__(self, upstream_port: int) -> None:
        self.upstream_port = upstream_port
        self.delay_s = 0.0
        self.splits = False
        self.bytes_handed_on = 0
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._flows = asyncio.Event()
        self._flows.set()
        self._open: set[_Connection] = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    # --- what happens to connections; from any thread ---

    def cut(self, *, after_bytes: int = 0) -> None:
        """Reset every open connection, at once or in the middle of what comes next, that many bytes on."""
        self._call(lambda: [connection.cut(after_bytes) for connection in list(self._open)])

    def stall(self) -> None:
        """Hand on nothing until `flow`; connections stay open, new ones are accepted."""
        self._call(self._flows.clear)

    def flow(self) -> None:
        """Fair weather again: no stall, no delay, no splitting."""
        self.delay_s, self.splits = 0.0, False
        self._call(self._flows.set)

    def connections(self) -> int:
        """How many are open."""
        return len(self._open)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call(self._loop.stop)
        self._thread.join(10)

    # --- the proxy's own loop ---

    def _call(self, act: Callable[[], object]) -> None:
        self._loop.call_soon_threadsafe(act)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        try:
            self._loop.run_forever()
        finally:
            server.close()
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self._loop.run_until_complete(asyncio.sleep(0))
            for connection in list(self._open):
                connection.cut(0)
            self._loop.run_until_complete(asyncio.sleep(0))
            self._loop.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream = await asyncio.open_connection("127.0.0.1", self.upstream_port)
        except OSError:  # nobody serves just now
            writer.transport.abort()
            return
        connection = _Connection(writer, upstream[1])
        self._open.add(connection)
        up = asyncio.create_task(self._pump(reader, upstream[1], connection, is_down=False))
        down = asyncio.create_task(self._pump(upstream[0], writer, connection, is_down=True))
        try:
            # Half-closed connections do not occur here: when one side has ended, so has the other.
            await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._open.discard(connection)
            for task in (up, down):
                task.cancel()
            connection.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: _Connection, *, is_down: bool
    ) -> None:
        try:
            while piece := await reader.read(_PIECE_BYTES):
                await self._flows.wait()
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                left = connection.left if is_down else None
                if left is not None and left <= len(piece):
                    await self._hand_on(writer, piece[:left])
                    connection.cut(0)
                    return
                await self._hand_on(writer, piece)
                if is_down:
                    self.bytes_handed_on += len(piece)
                    if connection.left is not None:
                        connection.left -= len(piece)
        except OSError:  # one of both is gone
            return

    async def _hand_on(self, writer: asyncio.StreamWriter, piece: bytes) -> None:
        if not self.splits:
            writer.write(piece)
            await writer.drain()
            return
        for at in range(len(piece)):
            if not self.splits:
                writer.write(piece[at:])
                await writer.drain()
                return
            # Without Nagle's algorithm (asyncio turns it off) each of these is a segment of its own.
            writer.write(piece[at : at + 1])
            await writer.drain()
            if at % 64 == 63:
                await asyncio.sleep(0)


class _Connection:
    """One client and the upstream connection made for it."""

    def __init__(self, client: asyncio.StreamWriter, upstream: asyncio.StreamWriter) -> None:
        self._sides = (client, upstream)
        # How many bytes may still go to the client; None for no end.
        self.left: int | None = None

    def cut(self, after_bytes: int) -> None:
        if after_bytes > 0:
            self.left = after_bytes
            return
        for side in self._sides:
            sock = side.get_extra_info("socket")
            if sock is not None and sock.fileno() >= 0:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            side.transport.abort()

    def close(self) -> None:
        for side in self._sides:
            side.close()
