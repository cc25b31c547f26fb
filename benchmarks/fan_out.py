"""What a message costs the server for each of 500 viewers, beside `websockets.broadcast` in the same run.

Both are servers of one process on loopback without compression; the same 500 sockets of this process read, and the
system counts the servers' processor time. Ours does all its work in it: reading the journal, the commit, the fold.
Messages come slowly enough that each is sent alone. The two take turns, three times each.
"""

from __future__ import annotations

import asyncio
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks._server import free_port, processor_s, serving

VIEWERS = 500
MESSAGES = 200
EVERY_S = 0.02
TURNS = 3
GOAL = 1.3
PAYLOAD = "x" * 120
"""With everything around it a frame is about 260 bytes, as in the table of peers."""

PEER = f"""
import asyncio, sys
from websockets.asyncio.server import broadcast, serve
async def handler(socket):
    await socket.wait_closed()
async def main():
    frame = "y" * 260
    async with serve(handler, "127.0.0.1", int(sys.argv[1]), compression=None, ping_interval=None) as server:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        for _ in range({MESSAGES}):
            broadcast(server.connections, frame)
            await asyncio.sleep({EVERY_S})
        await asyncio.to_thread(sys.stdin.readline)
asyncio.run(main())
"""
WRITER = f"""
import sys, time
from federated_pneumonia_detection.progress import ProgressLogger
with ProgressLogger(sys.argv[1], "bench", run_id="bench") as logger:
    for number in range({MESSAGES}):
        logger.log_custom_event("bench", "{PAYLOAD}")
        time.sleep({EVERY_S})
"""


class Reader(asyncio.Protocol):
    """One viewer: the smallest client there can be; it counts frames and looks at nothing else."""

    def __init__(self, path: str) -> None:
        self.frames = 0
        self._path = path
        self._buffer = b""
        self._open = False
        self._skip = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        head = (
            f"GET {self._path} HTTP/1.1",
            "Host: 127.0.0.1",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
        )
        transport.write("\r\n".join((*head, "", "")).encode())

    def data_received(self, data: bytes) -> None:
        data = self._buffer + data
        at = 0
        if not self._open:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._buffer = data
                return
            self._open, at = True, end + 4
        while len(data) - at >= 4:
            length, head = data[at + 1] & 127, 2
            if length == 126:
                length, head = int.from_bytes(data[at + 2 : at + 4], "big"), 4
            if len(data) - at < head + length:
                break
            self.frames += data[at] & 15 == 1
            at += head + length
        self._buffer = data[at:]


async def viewers(port: int, path: str) -> list[Reader]:
    """All of them, connected."""
    loop = asyncio.get_running_loop()
    made: list[Reader] = []
    for _ in range(VIEWERS):
        reader = Reader(path)
        await loop.create_connection(lambda reader=reader: reader, "127.0.0.1", port)
        made.append(reader)
    return made


async def cost_us(pid: int, readers: list[Reader], go: Callable[[], Awaitable[None]], before: int) -> float:
    """Microseconds of the server's processor time for each frame delivered."""
    await _all_have(readers, before)
    await asyncio.sleep(0.5)
    at_first, frames = processor_s(pid), sum(reader.frames for reader in readers)
    await go()
    await _all_have(readers, before + MESSAGES)
    delivered = sum(reader.frames for reader in readers) - frames
    return (processor_s(pid) - at_first) / delivered * 1e6


async def _all_have(readers: list[Reader], frames: int) -> None:
    async with asyncio.timeout(120):
        # Looking seldom costs the servers nothing; a signal from each reader would cost the machine more.
        while min(reader.frames for reader in readers) < frames:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def peer() -> float:
    """`websockets.broadcast`."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PEER, str(port), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    await process.stdout.readline()
    readers = await viewers(port, "/")

    async def go() -> None:
        process.stdin.write(b"go\n")  # type: ignore[union-attr]

    try:
        return await cost_us(process.pid, readers, go, before=0)
    finally:
        process.stdin.write(b"end\n")
        await process.wait()


async def ours() -> float:
    """`fpd serve`, from the journal to the sockets."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as server:
        readers = await viewers(server.port, "/ws/training-progress")

        async def go() -> None:
            await asyncio.create_subprocess_exec(sys.executable, "-c", WRITER, folder)

        # The first frame is `subscribed`; the run's beginning is one more than what is counted, and hurts nobody.
        return await cost_us(server.pid, readers, go, before=1)


async def measure() -> dict[str, list[float]]:
    """Both, in turns."""
    found: dict[str, list[float]] = {"websockets.broadcast": [], "fpd serve": []}
    for _ in range(TURNS):
        found["websockets.broadcast"].append(await peer())
        found["fpd serve"].append(await ours())
    return found


def main() -> None:
    """Print the cost of each and their ratio."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * VIEWERS
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(wanted, hard)), hard))
    found = asyncio.run(measure())
    print(
        f"server processor time for each frame to {VIEWERS} viewers ({MESSAGES} messages, median of {TURNS} in turns):"
    )
    measure_of = statistics.median(found["websockets.broadcast"])
    for name, costs in found.items():
        goal = f" (goal ≤ {GOAL:g})" if name == "fpd serve" else ""
        print(f"  {name:22} {statistics.median(costs):6.2f} µs  × {statistics.median(costs) / measure_of:.2f}{goal}")


if __name__ == "__main__":
    main()
