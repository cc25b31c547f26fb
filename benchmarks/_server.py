"""A real `fpd serve` for benchmarks, and the processor time a process has taken."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple


class Server(NamedTuple):
    """Where it listens, and which process it is."""

    port: int
    pid: int

    @property
    def ws(self) -> str:
        """Where its WebSockets are."""
        return f"ws://127.0.0.1:{self.port}"


def free_port() -> int:
    """A port nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(log_dir: Path) -> Iterator[Server]:
    """`fpd serve` over a directory, until the end of the block."""
    port = free_port()
    command = [sys.executable, "-m", "federated_pneumonia_detection", "serve", "--port", str(port)]
    process = subprocess.Popen([*command, "--log-dir", str(log_dir)], stdout=subprocess.DEVNULL)
    try:
        _wait_until_it_answers(process, port)
        yield Server(port, process.pid)
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
            continue
        return
    raise SystemExit("the server did not start")


def processor_s(pid: int) -> float:
    """Seconds of processor time a process has taken so far."""
    if sys.platform == "linux":
        # The clock of another process, to the nanosecond, as clock_getcpuclockid(3) makes it; /proc has hundredths.
        return time.clock_gettime((~pid << 3) | 2)
    raise SystemExit("processor time of another process is only known on Linux")
