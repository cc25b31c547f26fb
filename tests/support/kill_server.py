"""Kills a server at every failpoint of a short life: it starts over old journals, tells a death, serves a run, stops.

Each kill: a directory with the journal of a finished run and of a killed one; a server armed to die at its k-th point;
a viewer, and a training that logs meanwhile; then a second server, to which the viewer comes back with its cursor.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import failpoints
import kill_everywhere
import msgspec
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

SETTLES_WITHIN_S = 20.0
_ANSWERS_WITHIN_S = 5.0


def kill_servers(folder: Path, points: range) -> None:
    """Kill a server at each of these points, before, after and in the middle; a line of JSON for each."""
    import federated_pneumonia_detection.server  # noqa: F401 — once, for all children
    from federated_pneumonia_detection.hub import coroner

    # Nobody supervises the run that died, so nobody's report is worth waiting for.
    coroner._REPORT_WITHIN_S = 0.0
    with tempfile.TemporaryDirectory() as prepared:
        _prepare(Path(prepared))
        for at in points:
            tries = [_try(Path(prepared), folder, at, when) for when in failpoints.WHENS]
            for told in tries:
                print(json.dumps(told), flush=True)
            if not any(told["killed"] for told in tries):
                return
    raise AssertionError(f"more than {kill_everywhere.MOST_POINTS} points")


def _prepare(directory: Path) -> None:
    """A run that ended well, and one that was killed after its first epoch."""

    def nothing(what: str) -> None:
        pass

    failpoints.ended(*failpoints.forked(lambda: kill_everywhere.training(directory, "old", nothing)))

    def dies() -> None:
        def returned(what: str) -> None:
            if what == "epoch_end 1":
                os.kill(os.getpid(), signal.SIGKILL)

        kill_everywhere.training(directory, "dead", returned)

    failpoints.ended(*failpoints.forked(dies))


class _Server:
    """A server in a child."""

    def __init__(self, log_dir: Path, at: int, when: str) -> None:
        heard, say = os.pipe()
        self._pid, self._tell = failpoints.forked(lambda: self._serve(log_dir, say), at=at, when=when)
        os.close(say)
        with os.fdopen(heard) as line:
            self.url = line.readline().strip()
        self.outcome: failpoints.Outcome | None = None

    @staticmethod
    def _serve(log_dir: Path, say: int) -> None:
        from federated_pneumonia_detection.server import ServerSettings, serve

        def ready(url: str) -> None:
            failpoints.write_unseen(say, f"{url}\n".encode())

        output = os.open(log_dir.parent / f"{log_dir.name}.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(output, 1)
        os.dup2(output, 2)
        serve(ServerSettings(port=0, log_dir=log_dir), on_ready=ready, say=lambda line: None)

    def end(self, how: signal.Signals) -> failpoints.Outcome:
        if self.outcome is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, how)
            self.outcome = failpoints.ended(self._pid, self._tell)
        return self.outcome


class _Viewer:
    """Comes back with its cursor."""

    def __init__(self) -> None:
        self.log_id = ""
        self.messages: list[dict[str, Any]] = []
        self.starts = 0
        self.wrong: list[str] = []

    def frames(self, url: str) -> Iterator[dict[str, Any]]:
        """What comes, until the connection ends or nothing comes for a while."""
        after = self.messages[-1]["offset"] if self.messages else 0
        query = f"after={after}" + (f"&log_id={self.log_id}" if self.log_id else "")
        address = url.replace("http", "ws") + f"/ws/training-progress?{query}"
        with (
            contextlib.suppress(OSError, WebSocketException, EOFError, TimeoutError),
            connect(address, open_timeout=_ANSWERS_WITHIN_S, close_timeout=0.1, proxy=None) as socket,
        ):
            while True:
                message = msgspec.json.decode(socket.recv(timeout=_ANSWERS_WITHIN_S))
                self._take(message)
                yield message

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "subscribed":
            self.log_id = message["log_id"]
            if not message["recovered"]:
                self.starts += 1
                self.messages.clear()
        elif "offset" in message:
            newest = self.messages[-1]["offset"] if self.messages else 0
            if message["offset"] != newest + 1:
                self.wrong.append(f"offset {message['offset']} after {newest}")
            self.messages.append(message)

    def has_all(self) -> bool:
        """Whether the old, the live and the dead run have ended for this viewer."""
        ends = {m["run_id"] for m in self.messages if m["type"] in ("training_complete", "training_error")}
        return ends >= {"old", "live", "dead"}


def _try(prepared: Path, folder: Path, at: int, when: str) -> dict[str, Any]:
    log_dir = folder / f"{at:03d}-{when}"
    shutil.copytree(prepared, log_dir)
    viewer, returned = _Viewer(), list[str]()
    first = _Server(log_dir, at, when)
    began = time.monotonic()
    if first.url:
        for message in viewer.frames(first.url):
            if message["type"] == "subscribed" and not returned:
                # In a process of its own, since its loggers' thread must not be there at the next fork.
                returned += _live_run(log_dir)
            if viewer.has_all():
                break
    if not returned:
        returned += _live_run(log_dir)
    # Where it has not died by now, its end is what is left of its points.
    outcome = first.end(signal.SIGTERM)
    second = _Server(log_dir, 0, failpoints.BEFORE)
    deadline = time.monotonic() + SETTLES_WITHIN_S
    while not viewer.has_all() and time.monotonic() < deadline:
        for _ in viewer.frames(second.url):
            if viewer.has_all():
                break
    second.end(signal.SIGKILL)
    return {
        "at": at,
        "when": when,
        "directory": log_dir.name,
        "returned": returned,
        "seen": viewer.messages,
        "starts": viewer.starts,
        "wrong": viewer.wrong,
        "seconds": time.monotonic() - began,
        **outcome._asdict(),
    }


def _live_run(log_dir: Path) -> list[str]:
    heard, say = os.pipe()

    def told(what: str) -> None:
        failpoints.write_unseen(say, f"{what}\n".encode())

    pid, tell = failpoints.forked(lambda: kill_everywhere.training(log_dir, "live", told))
    os.close(say)
    with os.fdopen(heard) as lines:
        returned = lines.read().splitlines()
    failpoints.ended(pid, tell)
    return returned
