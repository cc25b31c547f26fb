"""The smallest WebSocket viewers there can be, so that thousands of them cost this side little."""

from __future__ import annotations

import asyncio
import resource

__all__ = ["TEXT", "Reader", "allow_files"]

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Reader(asyncio.Protocol):
    """One viewer: it counts text frames, answers pings, and looks at nothing else."""

    __slots__ = ("_buffer", "_open", "_path", "_stride", "_transport", "closed", "frames", "last_bytes")

    def __init__(self, path: str) -> None:
        self.frames = 0
        """Text frames it has got."""
        self.last_bytes = 0
        """How long the newest of them was."""
        self.closed = False
        self._path = path
        self._buffer = b""
        self._open = False
        # A frame like the last one is so long: a burst of frames of one length is counted at once.
        self._stride = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        head = (
            f"GET {self._path} HTTP/1.1",
            "Host: 127.0.0.1",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
        )
        transport.write("\r\n".join((*head, "", "")).encode())

    def connection_lost(self, exc: Exception | None) -> None:
        """Remember that it is over."""
        self.closed = True

    def close(self) -> None:
        """Go without a word."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Count whole frames; keep the rest."""
        if self._buffer:
            data = self._buffer + data
        if (alike := self._alike(data)) > 0:
            self.frames += alike
            self._buffer = b""
            return
        at, size = 0, len(data)
        if not self._open:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._buffer = data
                return
            self._open, at = True, end + 4
        while size - at >= 2:
            length, head = data[at + 1] & 127, 2
            if length >= 126:
                head = 4 if length == 126 else 10
                if size - at < head:
                    break
                length = int.from_bytes(data[at + 2 : at + head], "big")
            if size - at < head + length:
                break
            kind = data[at] & 15
            if kind == TEXT:
                self.frames += 1
                self.last_bytes = length
                self._stride = head + length
            elif kind == PING and self._transport is not None:
                # Masked with zeros: the payload stands as it is.
                payload = data[at + head : at + head + length]
                self._transport.write(bytes((0x80 | PONG, 0x80 | length)) + b"\0\0\0\0" + payload)
            at += head + length
        self._buffer = data[at:]

    def _alike(self, data: bytes) -> int:
        """How many frames these bytes are, when all are text and exactly as long as the last one; 0 otherwise."""
        stride = self._stride
        if not stride or len(data) % stride:
            return 0
        count = len(data) // stride
        # Opcode, length and where there is one the longer length stand at the same places of each.
        heads = (data[at::stride] for at in range(4 if stride > 127 else 2))
        return count if all(column == bytes((column[0],)) * count for column in heads) and data[0] == 0x80 | TEXT else 0


def allow_files(wanted: int) -> int:
    """Let this process and those it starts open so many files; how many it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        soft = min(wanted, hard) if hard != resource.RLIM_INFINITY else wanted
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft
