"""A proxy that understands HTTP well enough to spoil it, as firewalls and reverse proxies of hospitals do."""

from __future__ import annotations

import asyncio
import re

from proxy import Proxy

_PIECE_BYTES = 64 * 1024
_REFUSAL = b"<h1>Forbidden by the gateway</h1>"


class MeddlingProxy(Proxy):
    """A `Proxy` that takes out, keeps back, forbids and cuts.

    Attributes:
        strips_upgrade: takes `Upgrade` out of each request, so that no WebSocket comes up.
        buffers_streams: hands an event stream on when it is at its end, which is never.
        forbids: what is answered with a 403 of the proxy's own, where the address contains it.
        idle_s: a connection that has been silent this long, in both directions, is cut.
    """

    def __init__(
        self,
        upstream_port: int,
        *,
        strips_upgrade: bool = False,
        buffers_streams: bool = False,
        forbids: tuple[str, ...] = (),
        idle_s: float | None = None,
    ) -> None:
        super().__init__(upstream_port)
        self.strips_upgrade = strips_upgrade
        self.buffers_streams = buffers_streams
        self.forbids = forbids
        self.idle_s = idle_s
        self.idle_cuts = 0

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if any(part.encode() in head.split(b"\r\n", 1)[0] for part in self.forbids):
                writer.write(
                    b"HTTP/1.1 403 Forbidden\r\ncontent-type: text/html\r\nconnection: close\r\n"
                    b"content-length: %d\r\n\r\n%b" % (len(_REFUSAL), _REFUSAL)
                )
                await writer.drain()
                writer.close()
                return
            upstream, to_upstream = await asyncio.open_connection("127.0.0.1", self.upstream_port)
        except (OSError, asyncio.IncompleteReadError):
            writer.close()
            return
        await self._meddle(head, (reader, writer), (upstream, to_upstream))

    async def _meddle(
        self,
        head: bytes,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        upstream: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        is_socket = re.search(rb"(?im)^upgrade: *websocket", head) is not None
        if self.strips_upgrade or not is_socket:
            # One request a connection, so that each is seen.
            head = re.sub(rb"(?im)^(upgrade|connection):[^\r]*\r\n", b"", head)
            head = head[:-2] + b"connection: close\r\n\r\n"
        upstream[1].write(head)
        heard = [asyncio.get_running_loop().time()]
        tasks = [
            asyncio.create_task(self._hand_over(client[0], upstream[1], heard, keeps=False)),
            asyncio.create_task(self._hand_over(upstream[0], client[1], heard, keeps=self.buffers_streams)),
        ]
        if self.idle_s is not None:
            tasks.append(asyncio.create_task(self._cut_when_idle(heard, self.idle_s)))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            for side in (client[1], upstream[1]):
                side.close()

    async def _hand_over(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: list[float], *, keeps: bool
    ) -> None:
        kept = b""
        try:
            while piece := await reader.read(_PIECE_BYTES):
                heard[0] = asyncio.get_running_loop().time()
                if keeps and (kept or b"text/event-stream" in piece):
                    kept += piece
                    continue
                writer.write(piece)
                await writer.drain()
            writer.write(kept)
            await writer.drain()
        except OSError:  # one of both is gone
            return

    async def _cut_when_idle(self, heard: list[float], idle_s: float) -> None:
        loop = asyncio.get_running_loop()
        while (left := heard[0] + idle_s - loop.time()) > 0:
            await asyncio.sleep(left)
        self.idle_cuts += 1
