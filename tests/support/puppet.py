"""A process with a real logger that does what it is told on its standard input: JSON lines `[method, args, keywords]`.

As a script: `python puppet.py CLIENT DIRECTORY RUN` (`-` for the run's own logger). Each line is answered by the number
of messages that were lost so far. A client that trains without being told a step at a time is told `["train", …]`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class Puppet:
    """A process of a run, at the end of a string.

    Args:
        directory: where its journal lies.
        client_id: whose; `None` for whoever leads the run.
        run_id: which run.
    """

    def __init__(self, directory: Path, client_id: str | None = None, run_id: str = "run") -> None:
        self.client_id = client_id
        self.process = subprocess.Popen(
            [sys.executable, __file__, client_id or "-", str(directory), run_id],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def say(self, method: str, *args: Any, **keywords: Any) -> int:
        """Have it call a method of its logger; returns what it has lost so far."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps([method, args, keywords]) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def train(self, every_s: float = 0.05) -> None:
        """Have it say steps by itself, until it is told something else."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(["train", [every_s], {}]) + "\n")
        self.process.stdin.flush()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it without a word, and wait until it is gone."""
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


def _serve(client_id: str | None, directory: str, run_id: str) -> None:
    import select

    from federated_pneumonia_detection.progress import FederatedProgressLogger

    logger = FederatedProgressLogger(client_id, directory, "why", run_id=run_id)
    step, every_s = 0, None
    # Read past Python's own buffer: `select` knows nothing of a second line that lies in it already.
    heard = b""
    while True:
        if b"\n" not in heard:
            if select.select([0], [], [], every_s)[0]:
                more = os.read(0, 65_536)
                if not more:
                    os._exit(0)
                heard += more
            else:
                step += 1
                logger.log_step(1, step, None, {"train_loss": 1 / step})
            continue
        line, heard = heard.split(b"\n", 1)
        method, args, keywords = json.loads(line)
        if method == "train":
            every_s = args[0]
            continue
        every_s = None
        if method == "sleep":
            time.sleep(args[0])
        else:
            getattr(logger, method)(*args, **keywords)
        print(logger.lost, flush=True)


if __name__ == "__main__":
    _serve(None if sys.argv[1] == "-" else sys.argv[1], sys.argv[2], sys.argv[3])
