"""From a log call to a viewer's hands: one process logs, `fpd serve` commits to SQLite, this one reads a WebSocket.

Sent at once (`broadcast_interval` 0): twenty messages a second to a hundred viewers, of whom each arrival counts; and
one each few milliseconds to a single viewer. The clock is the machine's own monotonic one, which all its processes
share. The limit beside it, in the same run: a commit of one row to SQLite, and nothing else.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import cast

import uvloop

from benchmarks._figures import figure
from benchmarks._server import serving

VIEWERS, MANY_MESSAGES, MANY_EVERY_S = 100, 200, 0.05
MESSAGES, EVERY_S = 1_000, 0.005
GOAL_MS, LATE_GOAL_MS = 2.0, 10.0
WITHIN_S = 120.0

WRITER = """
import sys, time
from federated_pneumonia_detection.progress import ProgressLogger
log_dir, messages, every_s = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
with ProgressLogger(log_dir, "bench", run_id="bench") as logger:
    for number in range(messages):
        logger.log_custom_event("bench", {"ns": time.monotonic_ns()})
        time.sleep(every_s)
    logger.log_training_complete({})
"""
_SAID_AT = re.compile(rb'"ns":([0-9]+)')


class Timer(asyncio.Protocol):
    """The smallest viewer there can be: it keeps what came and when, and looks at it when all is over."""

    def __init__(self, timers: list[Timer]) -> None:
        self._came: list[tuple[int, bytes]] = []
        timers.append(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        cast("asyncio.Transport", transport).write(  # uvloop's is none by its class
            b"GET /ws/training-progress HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )

    def data_received(self, data: bytes) -> None:
        """Keep it, with the time."""
        self._came.append((time.monotonic_ns(), data))

    def is_over(self) -> bool:
        """Whether the run's end has come."""
        return any(b"training_complete" in data for _, data in self._came[-2:])

    def delays_ms(self) -> list[float]:
        """How long each message took until the last byte of it was there."""
        found: list[float] = []
        rest = b""
        for now, piece in self._came:
            data = rest + piece
            end = data.rfind(b"}") + 1
            found += [(now - int(said)) / 1e6 for said in _SAID_AT.findall(data, 0, end)]
            rest = data[end:]
        return found


async def latencies_ms(log_dir: Path, viewers: int, messages: int, every_s: float) -> list[float]:
    """How long each message took to each viewer."""
    timers: list[Timer] = []
    loop = asyncio.get_running_loop()
    with serving(log_dir) as server:
        for _ in range(viewers):
            await loop.create_connection(lambda: Timer(timers), "127.0.0.1", server.port)
        await asyncio.sleep(1)
        arguments = [str(log_dir), str(messages), str(every_s)]
        writer = await asyncio.create_subprocess_exec(sys.executable, "-c", WRITER, *arguments)
        async with asyncio.timeout(WITHIN_S):
            await writer.wait()
            # Looking seldom costs the server nothing.
            while not all(timer.is_over() for timer in timers):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    return [delay for timer in timers for delay in timer.delays_ms()]


def commit_ms() -> float:
    """How long SQLite takes for one row here, in the median of a thousand."""
    taken: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        connection = sqlite3.connect(Path(folder, "bare.sqlite3"), isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("CREATE TABLE log (body BLOB)")
        for _ in range(1000):
            begun = time.perf_counter()
            connection.execute("INSERT INTO log VALUES (?)", (b"x" * 250,))
            taken.append((time.perf_counter() - begun) * 1e3)
        connection.close()
    return statistics.median(taken)


def measure(viewers: int, messages: int, every_s: float) -> None:
    """Print the figures of one pace."""
    with tempfile.TemporaryDirectory() as folder:
        found = sorted(uvloop.run(latencies_ms(Path(folder), viewers, messages, every_s)))
    late = found[int(len(found) * 0.99)]
    to = "a viewer" if viewers == 1 else f"{viewers} viewers"
    pace = f"log call → {to}, {1 / every_s:g} messages a second"
    figure(f"{pace}, median", statistics.median(found), "ms", at_most=GOAL_MS)
    figure(f"{pace}, 99 %", late, "ms", at_most=LATE_GOAL_MS, note=f"slowest {found[-1]:.1f} ms")


def main() -> None:
    """Print median, 99 % and the slowest of both paces."""
    print(f"from the log call through SQLite to viewers; a bare commit of one row takes {commit_ms():.2f} ms:")
    measure(VIEWERS, MANY_MESSAGES, MANY_EVERY_S)
    measure(1, MESSAGES, EVERY_S)


if __name__ == "__main__":
    main()
