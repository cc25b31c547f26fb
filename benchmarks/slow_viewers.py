"""What viewers that read next to nothing cost: the others' delays beside those without them, and the server's memory.

Ten viewers keep up; beside them, in every second turn, five that read nothing and five that read a byte a second, each
with the smallest window the system gives. The messages are so large that what the system itself holds for a connection
is soon full; then the server sends the slow ones away.
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import sys
import tempfile
import urllib.request
from pathlib import Path

import uvloop

from benchmarks._figures import figure
from benchmarks._server import Server, serving
from benchmarks.log_to_viewer import Timer

HEALTHY, SILENT, TRICKLING = 10, 5, 5
MESSAGES, EVERY_S, TEXT_BYTES = 400, 0.02, 20_000
TURNS = 3
GREATEST_MIB = 6.0
"""For each slow one: four may wait for a moment, one for longer, and one is on its way."""
WITHIN_S = 60.0

WRITER = f"""
import sys, time
from federated_pneumonia_detection.progress import ProgressLogger
with ProgressLogger(sys.argv[1], "bench", run_id="bench") as logger:
    for number in range({MESSAGES}):
        logger.log_custom_event("bench", {{"ns": time.monotonic_ns(), "text": "x" * {TEXT_BYTES}}})
        time.sleep({EVERY_S})
    logger.log_training_complete({{}})
"""
HANDSHAKE = (
    b"GET /ws/training-progress HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def _slow_line(server: Server) -> socket.socket:
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    line.connect(("127.0.0.1", server.port))
    line.sendall(HANDSHAKE)
    line.setblocking(False)
    return line


def _resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


def _sent_away(server: Server) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as answer:
        text = answer.read().decode()
    lines = [line for line in text.splitlines() if "viewers_too_slow_total" in line and not line.startswith("#")]
    return float(lines[0].split()[-1]) if lines else 0.0


async def _trickle(lines: list[socket.socket]) -> None:
    loop = asyncio.get_running_loop()
    while True:
        for line in lines:
            await loop.sock_recv(line, 1)
        await asyncio.sleep(1)


async def turn(slow: bool) -> tuple[list[float], float, float]:
    """The healthy ones' delays in milliseconds, the most memory in MiB, and how many were sent away."""
    timers: list[Timer] = []
    loop = asyncio.get_running_loop()
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as server:
        for _ in range(HEALTHY):
            await loop.create_connection(lambda: Timer(timers), "127.0.0.1", server.port)
        lines = [_slow_line(server) for _ in range(SILENT + TRICKLING)] if slow else []
        trickling = asyncio.create_task(_trickle(lines[SILENT:]))
        await asyncio.sleep(1)
        begun_mib = most_mib = _resident_mib(server.pid)
        await asyncio.create_subprocess_exec(sys.executable, "-c", WRITER, folder)
        async with asyncio.timeout(WITHIN_S):
            while not all(timer.is_over() for timer in timers):
                most_mib = max(most_mib, _resident_mib(server.pid))
                await asyncio.sleep(0.05)
        sent_away = await asyncio.to_thread(_sent_away, server)
        trickling.cancel()
        for line in lines:
            line.close()
    return [delay for timer in timers for delay in timer.delays_ms()], most_mib - begun_mib, sent_away


async def measure() -> None:
    """Print both, in turns."""
    delays: dict[bool, list[float]] = {False: [], True: []}
    memory: dict[bool, list[float]] = {False: [], True: []}
    sent_away = 0.0
    for _ in range(TURNS):
        for slow in (False, True):
            found, grown_mib, away = await turn(slow)
            delays[slow] += found
            memory[slow].append(grown_mib)
            sent_away += away
    late = {slow: sorted(found)[int(len(found) * 0.99)] for slow, found in delays.items()}
    each = (statistics.median(memory[True]) - statistics.median(memory[False])) / (SILENT + TRICKLING)
    print(
        f"{HEALTHY} viewers that keep up, beside {SILENT} that read nothing and {TRICKLING} that read a byte a second:"
    )
    note = f"{late[True]:.1f} ms beside {late[False]:.1f} ms"
    figure("the others' 99 % beside slow viewers", late[True] / late[False], "× without them", note=note)
    figure("the server's memory for each slow viewer", each, "MiB", at_most=GREATEST_MIB)
    figure("slow viewers sent away", sent_away, f"of {TURNS * (SILENT + TRICKLING)}")


def main() -> None:
    """Measure."""
    uvloop.run(measure())


if __name__ == "__main__":
    main()
