"""From a log call to viewers: how long one message takes, and what one delivery costs the server.

Time: a logger here, the server in a process of its own over SQLite, a viewer on a thread; from before the log call to
the frame in the viewer's hands. Cost: one 259-byte frame to 500 viewers, processor time of the server process over the
number of deliveries, beside `websockets.broadcast` doing nothing but that; the two take turns, the least of each
counts.
"""

from __future__ import annotations

import asyncio
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from websockets.asyncio.server import ServerConnection, broadcast
from websockets.asyncio.server import serve as serve_websockets
from websockets.sync.client import connect

from federated_pneumonia_detection.progress import ProgressLogger
from federated_pneumonia_detection.server import ServerSettings, serve

VIEWERS = 500
MESSAGES = 100
TURNS = 3
PACE_S = 0.02
FRAME_BYTES = 259
GOAL_P50_MS = 5.0
GOAL_RATIO = 1.3

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def our_server(log_dir: str) -> None:
    """Serve a directory and print the address."""
    serve(ServerSettings(port=0, log_dir=Path(log_dir)), say=lambda line: print(line, flush=True))


def peer_server() -> None:
    """Serve `websockets.broadcast`: each line of standard input goes to everybody."""
    viewers: set[ServerConnection] = set()

    async def handler(viewer: ServerConnection) -> None:
        viewers.add(viewer)
        await viewer.wait_closed()

    async def main() -> None:
        lines = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        async with serve_websockets(handler, "127.0.0.1", 0, compression=None) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            print(f"Serving on http://127.0.0.1:{port} (peer)", flush=True)
            while line := await lines.readline():
                broadcast(viewers, line.decode().rstrip("\n"))

    asyncio.run(main())


def readers(port: str) -> None:
    """Hold all viewers' connections, throw away what comes, and say `ready`."""

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
        writer.write(
            f"GET /ws/training-progress HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        await reader.readuntil(b"\r\n\r\n")
        writers.append(writer)
        tasks.append(asyncio.create_task(drain(reader)))

    async def drain(reader: asyncio.StreamReader) -> None:
        while await reader.read(65_536):
            pass

    writers: list[asyncio.StreamWriter] = []  # one that nobody holds closes its connection
    tasks: list[asyncio.Task[None]] = []

    async def main() -> None:
        for _ in range(VIEWERS):
            await one()
        print("ready", flush=True)
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        sys.exit("a viewer was closed")

    asyncio.run(main())


@contextmanager
def process(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """This file in a process of its own, and its first line."""
    command = [sys.executable, "-m", "benchmarks.delivery", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            yield child, child.stdout.readline()
        finally:
            child.kill()


def processor_s(pid: int) -> float:
    """Processor seconds of all threads of a process, as the scheduler counted them.

    `utime` and `stime` are sampled by a tick here, and what comes at a steady pace can hide between two ticks.
    """
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def processor_us(pid: int, send: Callable[[int], None]) -> float:
    """Microseconds of processor per delivery while `send` is called at a steady pace."""
    before = processor_s(pid)
    for number in range(MESSAGES):
        send(number)
        time.sleep(PACE_S)
    time.sleep(0.5)
    return (processor_s(pid) - before) * 1e6 / (VIEWERS * MESSAGES)


def cost() -> None:
    """Processor time per delivery, ours and the peer's in turns."""
    with tempfile.TemporaryDirectory() as log_dir, process("ours", log_dir) as ours, process("peer") as peer:
        ports = [line.split()[2].rpartition(":")[2] for _, line in (ours, peer)]
        with (
            ProgressLogger(log_dir, "delivery", run_id="delivery") as logger,
            process("readers", ports[0]) as (_, ready),
            process("readers", ports[1]) as (_, ready_too),
        ):
            assert ready == ready_too == "ready\n", "the viewers could not connect"
            padding = "x" * (FRAME_BYTES - 120)

            def log(number: int) -> None:
                logger.log_custom_event("said", {"number": number, "text": padding})

            peer_input = peer[0].stdin
            assert peer_input is not None

            def tell(number: int) -> None:
                peer_input.write("x" * FRAME_BYTES + "\n")
                peer_input.flush()

            turns = [(processor_us(ours[0].pid, log), processor_us(peer[0].pid, tell)) for _ in range(TURNS)]
    mine, theirs = (min(column) for column in zip(*turns, strict=True))
    print(f"{VIEWERS} viewers, one message: {mine:.1f} µs of server per delivery; websockets.broadcast {theirs:.1f} µs")
    print(f"  ratio {mine / theirs:.2f} (goal: at most {GOAL_RATIO})")


def delay() -> None:
    """Time from the log call to the viewer, through SQLite."""
    with tempfile.TemporaryDirectory() as log_dir, process("ours", log_dir) as (_, line):
        arrived: dict[int, float] = {}
        watching = threading.Event()

        def watch() -> None:
            with connect(f"{line.split()[2].replace('http', 'ws')}/ws/training-progress") as viewer:
                viewer.recv()
                watching.set()
                while len(arrived) < 500:
                    message = json.loads(viewer.recv())
                    if message["type"] == "said":
                        arrived[message["data"]] = time.perf_counter()

        viewer = threading.Thread(target=watch)
        viewer.start()
        watching.wait()
        sent: dict[int, float] = {}
        with ProgressLogger(log_dir, "delivery", run_id="delivery") as logger:
            for number in range(500):
                sent[number] = time.perf_counter()
                logger.log_custom_event("said", number)
                time.sleep(0.01)
            viewer.join(30)
    delays = sorted((arrived[number] - sent[number]) * 1000 for number in arrived)
    p50, p99 = statistics.median(delays), delays[int(len(delays) * 0.99)]
    print(
        f"log call → viewer, through SQLite: p50 {p50:.2f} ms, p99 {p99:.2f} ms (goal: p50 at most {GOAL_P50_MS:g} ms)"
    )


def main() -> int:
    """Print both."""
    socket.setdefaulttimeout(60)
    delay()
    cost()
    return 0


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["ours", directory]:
            our_server(directory)
        case ["peer"]:
            peer_server()
        case ["readers", port]:
            readers(port)
        case _:
            sys.exit(main())
