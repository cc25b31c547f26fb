"""Starts one training and keeps how it ended: a process between the server and the training, so that either may die.

Run as a script, `python warden.py JOB`, on a directory that holds `job.json` with a `command`. It detaches itself,
claims the job (`warden.json`; a second warden finds it claimed and leaves), starts the command with its output in
`output.log`, writes `training.json` and, at the end, `exit.json`. Standard library alone, and nothing of this package:
it costs a few megabytes while it waits, and an upgrade under it changes nothing.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

__all__ = ["main", "process_start"]

CLAIMED = b"1"


def process_start(pid: int) -> int | None:
    """When a process started, in ticks since boot; `None` where the system does not say."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    return int(text[text.rfind(b")") + 2 :].split()[19])


def _write(path: Path, content: dict[str, object]) -> None:
    """Put `content` there, whole or not at all."""
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(json.dumps(content), encoding="utf-8")
    temporary.replace(path)


def _claim(job: Path) -> bool:
    """Whether this warden is the first that came for the job."""
    temporary = job / f"warden.{os.getpid()}.tmp"
    temporary.write_text(json.dumps({"pid": os.getpid(), "start": process_start(os.getpid())}), encoding="utf-8")
    try:
        os.link(temporary, job / "warden.json")
    except FileExistsError:
        return False
    finally:
        temporary.unlink()
    return True


def _let_go() -> None:
    """Hold on to nothing of the server: it waits for the end of our output before it goes on."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _keep(job: Path, told: int) -> None:
    """Start the training, tell `told` that the job is claimed, and wait for the end."""
    first = _claim(job)
    _let_go()
    if not first:
        os.write(told, CLAIMED)
        return
    command: list[str] = json.loads((job / "job.json").read_text(encoding="utf-8"))["command"]
    with (job / "output.log").open("ab", buffering=0) as output:
        try:
            # A process group of its own within our session: a signal for the training reaches its children, not us.
            training = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, process_group=0
            )
        except OSError as error:
            output.write(f"cannot start {command[0]}: {error.strerror}\n".encode())
            _write(job / "exit.json", {"code": 127, "signal": None, "ended": time.time()})
            os.write(told, CLAIMED)
            return
    _write(job / "training.json", {"pid": training.pid, "start": process_start(training.pid)})
    os.write(told, CLAIMED)
    os.close(told)
    code = training.wait()
    _write(
        job / "exit.json",
        {"code": code if code >= 0 else None, "signal": -code if code < 0 else None, "ended": time.time()},
    )


def main(arguments: list[str]) -> int:
    """Detach, and keep the job. Returns when the job is claimed."""
    job = Path(arguments[1])
    asked, told = os.pipe()
    if os.fork() > 0:
        os.close(told)
        return 0 if os.read(asked, 1) == CLAIMED else 1
    os.close(asked)
    # Handlers, not SIG_IGN: what is ignored stays ignored in the training, a handler does not outlive exec.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    _keep(job, told)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
