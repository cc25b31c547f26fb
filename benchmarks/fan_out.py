"""What a message costs the server for each of 500 viewers, beside picows and `websockets.broadcast` in the same run.

All are servers of one process on loopback without compression, on uvloop; the same 500 sockets of this process read,
and the system counts the servers' processor time. The peers write a frame that lies ready, as long as ours. Ours does
all its work in it: reading the journal, the commit, the fold. Messages come slowly enough that each is sent alone, or
in bursts of a hundred, which the peers send one after the other. They take turns.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks._figures import figure, table
from benchmarks._server import free_port, processor_s, serving
from benchmarks._viewers import Reader, allow_files

VIEWERS = 500
PACED, EVERY_S = 150, 0.03
BURSTS, IN_A_BURST, REST_S = 5, 100, 0.6
TURNS = 3
GOAL, BURST_GOAL = 1.3, 0.4
PAYLOAD = "x" * 157
"""With everything around it a frame is about 260 bytes, as in the table of peers."""
FRAME_BYTES = 260

PEER_LOOP = f"""
import asyncio, sys
import uvloop
FRAME = b"y" * {FRAME_BYTES}
async def orders(send):
    while order := (await asyncio.to_thread(sys.stdin.readline)).strip():
        for _ in range({PACED} if order == "paced" else {BURSTS}):
            for _ in range(1 if order == "paced" else {IN_A_BURST}):
                send()
            await asyncio.sleep({EVERY_S} if order == "paced" else {REST_S})
"""
PICOWS = f"""{PEER_LOOP}
from picows import WSListener, WSMsgType, ws_create_server
viewers = []
class Viewer(WSListener):
    def on_ws_connected(self, transport):
        viewers.append(transport)
def send():
    for viewer in viewers:
        viewer.send(WSMsgType.TEXT, FRAME)
async def main():
    async with await ws_create_server(lambda request: Viewer(), "127.0.0.1", int(sys.argv[1]), backlog=1024):
        print("ready", flush=True)
        await orders(send)
uvloop.run(main())
"""
WEBSOCKETS = f"""{PEER_LOOP}
from websockets.asyncio.server import broadcast, serve
async def handler(socket):
    await socket.wait_closed()
async def main():
    async with serve(handler, "127.0.0.1", int(sys.argv[1]), compression=None, ping_interval=None) as server:
        print("ready", flush=True)
        await orders(lambda: broadcast(server.connections, FRAME, text=True))
uvloop.run(main())
"""
WRITER = f"""
import sys, time
from federated_pneumonia_detection.progress import ProgressLogger
with ProgressLogger(sys.argv[1], "bench", run_id="bench") as logger:
    logger.log_custom_event("bench", "the run's beginning is over when this has come")
    while order := sys.stdin.readline().strip():
        for _ in range({PACED} if order == "paced" else {BURSTS}):
            for _ in range(1 if order == "paced" else {IN_A_BURST}):
                logger.log_custom_event("bench", "{PAYLOAD}")
            time.sleep({EVERY_S} if order == "paced" else {REST_S})
"""


class Talking(NamedTuple):
    """A server with all its viewers."""

    pid: int
    readers: list[Reader]
    talker: subprocess.Popen[str]
    """Takes orders: the server itself, or who writes the journal."""


class Cost(NamedTuple):
    """Microseconds of the server's processor time for each frame delivered, one by one and in bursts."""

    paced: float
    burst: float
    frame_bytes: int


async def viewers(port: int, path: str) -> list[Reader]:
    """All of them, connected."""
    loop = asyncio.get_running_loop()
    made: list[Reader] = []
    for _ in range(VIEWERS):
        reader = Reader(path)
        await loop.create_connection(lambda reader=reader: reader, "127.0.0.1", port)
        made.append(reader)
    return made


@contextmanager
def program(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A Python program that takes orders, line by line; what it has not done at the end of the block, it does not."""
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], stdin=pipe, stdout=pipe, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@asynccontextmanager
async def peer(code: str) -> AsyncIterator[Talking]:
    """A peer's server."""
    port = free_port()
    with program(code, str(port)) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield Talking(process.pid, await viewers(port, "/"), process)


@asynccontextmanager
async def ours() -> AsyncIterator[Talking]:
    """`fpd serve`, from the journal to the sockets."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as server:
        readers = await viewers(server.port, "/ws/training-progress")
        with program(WRITER, folder) as writer:
            # `subscribed`, the run's beginning, and the first message.
            await _all_have(readers, 3)
            yield Talking(server.pid, readers, writer)


async def cost(server: Talking) -> Cost:
    """One turn with one server, which is left alone for a moment before each part."""
    found = []
    for word, messages in (("paced", PACED), ("burst", BURSTS * IN_A_BURST)):
        await asyncio.sleep(0.5)
        before = server.readers[0].frames
        at_first = processor_s(server.pid)
        print(word, file=server.talker.stdin, flush=True)
        await _all_have(server.readers, before + messages)
        found.append((processor_s(server.pid) - at_first) / (messages * VIEWERS) * 1e6)
    return Cost(*found, frame_bytes=server.readers[0].last_bytes)


async def _all_have(readers: list[Reader], frames: int) -> None:
    async with asyncio.timeout(120):
        # Looking seldom costs the servers nothing; a signal from each reader would cost the machine more.
        while min(reader.frames for reader in readers) < frames:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def measure() -> dict[str, list[Cost]]:
    """All, in turns."""
    servers = {
        "picows": lambda: peer(PICOWS),
        "websockets.broadcast": lambda: peer(WEBSOCKETS),
        "fpd serve": ours,
    }
    found: dict[str, list[Cost]] = {name: [] for name in servers}
    for _ in range(TURNS):
        for name, server in servers.items():
            async with server() as talking:
                found[name].append(await cost(talking))
    return found


def main() -> int:
    """Print the cost of each, then ours beside its goals."""
    try:
        import picows  # noqa: F401
    except ImportError:
        print("picows is not installed here; `make bench` installs it")
        return 1
    allow_files(4 * VIEWERS)
    found = asyncio.run(measure())
    paced = {name: statistics.median(turn.paced for turn in turns) for name, turns in found.items()}
    burst = {name: statistics.median(turn.burst for turn in turns) for name, turns in found.items()}
    print(f"server processor time for each frame to {VIEWERS} viewers, median of {TURNS} in turns:")
    print(f"  {'':22}{'one by one':>14}{f'bursts of {IN_A_BURST}':>16}{'frame':>12}")
    rows = []
    for name, turns in found.items():
        size = turns[0].frame_bytes
        print(f"  {name:22}{paced[name]:>11.2f} µs{burst[name]:>13.2f} µs{size:>8} bytes")
        rows.append({"server": name, "paced": paced[name], "burst": burst[name], "bytes": size})
    best = paced["picows"]
    ours_us, in_burst_us = paced["fpd serve"], burst["fpd serve"]
    beside = f"{ours_us:.2f} beside {best:.2f} µs"
    figure(f"one frame to each of {VIEWERS} viewers", ours_us / best, "× picows", at_most=GOAL, note=beside)
    note = f"{in_burst_us:.2f} µs; picows itself in a burst {burst['picows']:.2f}"
    figure(
        f"the same in bursts of {IN_A_BURST}", in_burst_us / best, "× picows one by one", at_most=BURST_GOAL, note=note
    )
    titles = {"server": "server", "paced": "one by one, µs", "burst": f"bursts of {IN_A_BURST}, µs", "bytes": "bytes"}
    table("fan_out", list(titles), rows, titles=titles, load=os.getloadavg()[0])
    return 0


if __name__ == "__main__":
    sys.exit(main())
