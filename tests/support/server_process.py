"""A real `fpd serve` (or any command that serves) as a process of the test's own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec
from websockets.sync.client import ClientConnection, connect


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ServerProcess:
    """Starts on entry, is told to stop on exit; `kill()` and `start()` in between play the crash."""

    def __init__(self, log_dir: Path, *, command: list[str] | None = None, cwd: Path | None = None, **env: str) -> None:
        """Serve `log_dir`; `command` replaces `fpd serve`, with `{port}` filled in."""
        self.log_dir = log_dir
        self.port = free_port()
        serve = [sys.executable, "-m", "federated_pneumonia_detection", "serve"]
        serve += ["--port", "{port}", "--log-dir", str(log_dir)]
        self._command = [part.replace("{port}", str(self.port)) for part in command or serve]
        self._cwd = cwd or log_dir.parent
        self._env = {**os.environ, "PYTHONFAULTHANDLER": "1", **env}
        self._output = log_dir.parent / f"server-{self.port}.txt"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it serves HTTP."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self._output.read_text(errors="replace") if self._output.exists() else ""

    def start(self) -> Self:
        """Start it and wait until it answers."""
        self.launch()
        return self.wait_until_it_answers()

    def launch(self) -> None:
        """Start it."""
        with self._output.open("ab") as output:
            self.process = subprocess.Popen(
                self._command, cwd=self._cwd, env=self._env, stdout=output, stderr=subprocess.STDOUT
            )

    def wait_until_it_answers(self) -> Self:
        """Wait until it serves."""
        assert self.process is not None
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.output}")
            try:
                httpx.get(f"{self.url}/healthz", timeout=2)
            except httpx.TransportError:
                time.sleep(0.05)
                continue
            return self
        # Where its threads stand is told into its output.
        self.process.send_signal(signal.SIGABRT)
        self.process.wait(timeout=20)
        raise AssertionError(f"the server did not answer within 60 s:\n{self.output}")

    def kill(self) -> None:
        """`kill -9`, as a crash would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=20)

    def stop(self) -> int:
        """Ask it to stop and give its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def viewer(self, path: str = "/ws/training-progress") -> ClientConnection:
        """A WebSocket to it."""
        return connect(f"ws://127.0.0.1:{self.port}{path}", open_timeout=20, close_timeout=1)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def messages(socket: ClientConnection, *, timeout_s: float = 30) -> Iterator[dict[str, Any]]:
    """Every frame of a socket as a message; a silence of `timeout_s` raises `TimeoutError`."""
    while True:
        yield msgspec.json.decode(socket.recv(timeout=timeout_s))


def until(socket: ClientConnection, wanted: str, *, timeout_s: float = 30) -> list[dict[str, Any]]:
    """The messages up to and with the first of type `wanted` that no client sent."""
    seen = []
    for message in messages(socket, timeout_s=timeout_s):
        seen.append(message)
        if message["type"] == wanted and "client_id" not in message:
            return seen
    raise AssertionError("unreachable")
