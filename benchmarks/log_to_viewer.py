"""From a log call to a viewer's hands: one process logs, `fpd serve` commits to SQLite, this one reads a WebSocket.

One message each few milliseconds, sent at once (`broadcast_interval` 0). The clock is the machine's own monotonic one,
which all its processes share. The limit beside it, in the same run: a commit of one row to SQLite, and nothing else.
"""

from __future__ import annotations

import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from websockets.sync.client import connect

from benchmarks._server import serving

MESSAGES = 1_000
EVERY_S = 0.005
GOAL_MS = 5.0

WRITER = f"""
import sys, time
from federated_pneumonia_detection.progress import ProgressLogger
with ProgressLogger(sys.argv[1], "bench", run_id="bench") as logger:
    for number in range({MESSAGES}):
        logger.log_custom_event("bench", {{"ns": time.monotonic_ns()}})
        time.sleep({EVERY_S})
    logger.log_training_complete({{}})
"""


def latencies_ms(log_dir: Path) -> list[float]:
    """How long each message took."""
    found: list[float] = []
    with serving(log_dir) as server, connect(f"{server.ws}/ws/training-progress") as viewer:
        viewer.recv(timeout=30)
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(log_dir)])
        while True:
            text = viewer.recv(timeout=30)
            now = time.monotonic_ns()
            message = json.loads(text)
            if message["type"] == "bench":
                found.append((now - message["data"]["ns"]) / 1e6)
            elif message["type"] == "training_complete":
                break
        writer.wait()
    return found


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


def main() -> None:
    """Print median, 99 % and the slowest."""
    with tempfile.TemporaryDirectory() as folder:
        found = sorted(latencies_ms(Path(folder)))
    median, late = statistics.median(found), found[int(len(found) * 0.99)]
    print(f"log call → viewer through SQLite, {len(found)} messages, one each {EVERY_S * 1000:g} ms:")
    print(f"  a bare commit of one row: {commit_ms():.2f} ms")
    print(f"  median {median:.2f} ms (goal ≤ {GOAL_MS:g}), 99 % {late:.2f} ms, slowest {found[-1]:.2f} ms")


if __name__ == "__main__":
    main()
