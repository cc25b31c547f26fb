"""`fpd serve`, again and again, without importing it each time: forked off one process that has imported everything.

A server that is killed a thousand times would spend most of the time starting its interpreter.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from server_process import ServerProcess

_POLL_S = 0.005


class _Child:
    """A process that is a child of another one: what `Popen` gives of one's own."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def send_signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def poll(self) -> int | None:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            self.returncode = -1  # nobody but its parent knows better
        return self.returncode

    def wait(self, timeout: float) -> int:
        deadline = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("fpd serve", timeout)
            time.sleep(_POLL_S)
        return -1


class ForkedServer(ServerProcess):
    """As `ServerProcess`; `end()` when no more is to be started."""

    def __init__(self, log_dir: Path) -> None:
        super().__init__(log_dir)
        command = [sys.executable, str(Path(__file__).absolute())]
        self._mother = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=log_dir.parent)

    def launch(self) -> None:
        assert self._mother.stdin is not None
        assert self._mother.stdout is not None
        asked = {"arguments": self._command[3:], "output": str(self._output)}
        self._mother.stdin.write(json.dumps(asked).encode() + b"\n")
        self._mother.stdin.flush()
        self.process = _Child(int(self._mother.stdout.readline()))  # type: ignore[assignment]

    def end(self) -> None:
        """Start no more."""
        self._mother.kill()
        self._mother.communicate()


def _serve(asked: dict[str, Any]) -> None:
    from federated_pneumonia_detection.cli import main

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    output = os.open(asked["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for there, here in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(there, here)
    sys.argv = ["fpd", *asked["arguments"]]
    main()


def _mother() -> None:
    import federated_pneumonia_detection.cli.serve
    import federated_pneumonia_detection.server  # noqa: F401

    # Whoever ends is gone at once: nobody here waits for them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin.buffer:
        pid = os.fork()
        if pid == 0:
            try:
                _serve(json.loads(line))
            finally:
                os._exit(1)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _mother()
