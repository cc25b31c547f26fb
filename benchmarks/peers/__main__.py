"""`python -m benchmarks.peers`: every peer in turns on this machine, our loggers among them."""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

from benchmarks._figures import figure, shown, table
from benchmarks._server import serving
from benchmarks.peers import OURS, PACKAGES, PEERS
from benchmarks.peers.environment import PYTHON, ROOT, install, versions
from benchmarks.peers.measure import KILLED_MESSAGES, MESSAGES
from benchmarks.peers.peer import Found, Peer

TURNS = 5
READ_EVERY_S = 0.001
STAYS_OPEN_S = 2.0
"""How long the writer stays open after its last call; what a reader has not seen by then came only with the end."""
SETTLES_S = 20.0
"""How long what works beside a killed training may go on writing; it is enough that a second passes without more."""
SERVED = "fpd serve, WebSocket"

COLUMNS = {
    "us": "one call, median µs",
    "us99": "99 % µs",
    "cpu_us": "processor µs a call",
    "import_ms": "import ms",
    "seen_ms": "until read, median ms",
    "seen99_ms": "99 % ms",
    "lost": f"lost by kill -9, of {KILLED_MESSAGES}",
    "bytes": "bytes a message",
}
GOALS = {
    "us": "one log call, median",
    "us99": "one log call, 99 %",
    "cpu_us": "processor time of one log call, background work included",
    "import_ms": "import",
    "seen_ms": "until another process has read it, median",
    "seen99_ms": "until another process has read it, 99 %",
    "lost": "messages lost by kill -9",
    "bytes": "bytes on disk for a message",
}
Row = dict[str, Any]


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB", "MLFLOW", "TRACKIO"))}
    # pip has compiled the packages; ours, a checkout, is compiled at the first of several imports.
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    # Nothing here may look for a network.
    return {**kept, "PYTHONPATH": str(ROOT), "WANDB_MODE": "offline", "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1"}


def _command(peer: Peer, what: str, folder: str) -> list[str]:
    return [str(PYTHON), "-m", "benchmarks.peers.measure", peer.title, what, folder]


def _start(peer: Peer, what: str, folder: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(
        _command(peer, what, folder), stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, env=_environment()
    )


def _line(process: subprocess.Popen[str], start: str) -> str:
    """The next line that begins so; a package may say things of its own in between."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(start):
            return line
    raise ChildProcessError(f"it ended with {process.wait()}")


def calls(peer: Peer) -> Row:
    """One turn of calls."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            _command(peer, "calls", folder),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            env=_environment(),
        )
    if done.returncode:
        raise ChildProcessError((done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1])
    return dict(json.loads(done.stdout.splitlines()[-1]))


def import_ms(peer: Peer) -> float:
    """Milliseconds of its import in a fresh process."""
    code = f"import time; t = time.perf_counter(); {peer.imports}; print('ms', (time.perf_counter() - t) * 1000)"
    command = [str(PYTHON), "-c", code]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120, env=_environment()).stdout
    return float(told.split("ms ")[-1])


class Watcher(threading.Thread):
    """Looks at what a reader finds as often as it can, and remembers when each message was there first."""

    def __init__(self, found: Found) -> None:
        super().__init__(daemon=True)
        self.at: list[float] = []
        self.over = threading.Event()
        self._found = found

    def run(self) -> None:
        while not self.over.is_set():
            count, now = self._found(), time.monotonic()
            self.at += [now] * (count - len(self.at))
            self.over.wait(READ_EVERY_S)


def seen_ms(peer: Peer) -> list[float]:
    """Milliseconds from the beginning of each call until another process has read it; infinite when it had to end."""
    with tempfile.TemporaryDirectory() as folder:
        writer = _start(peer, "visible", folder)
        assert writer.stdin is not None
        _line(writer, "ready")
        watcher = Watcher(peer.reader(Path(folder)))
        watcher.start()
        print("go", file=writer.stdin, flush=True)
        begun = json.loads(_line(writer, "["))
        watcher.over.wait(STAYS_OPEN_S)
        watcher.over.set()
        watcher.join()
        writer.communicate()
    missing = [float("inf")] * (len(begun) - len(watcher.at))
    return [(at - begin) * 1e3 for at, begin in zip(watcher.at, begun, strict=False)] + missing


def served_ms(peer: Peer) -> list[float]:
    """The same for our steps, read by a viewer of `fpd serve`: journal, commit and WebSocket in between."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as server:
        writer = _start(peer, "visible", folder)
        assert writer.stdin is not None
        _line(writer, "ready")
        with connect(f"{server.ws}/ws/training-progress", max_size=None) as viewer:
            viewer.recv(timeout=30)
            at: dict[int, float] = {}
            print("go", file=writer.stdin, flush=True)
            while len(at) < MESSAGES:
                message, now = json.loads(viewer.recv(timeout=30)), time.monotonic()
                if message["type"] == "step":
                    at[message["step"]] = now
            begun = json.loads(_line(writer, "["))
        writer.communicate()
    return [(at[number] - begin) * 1e3 for number, begin in enumerate(begun)]


def lost(peer: Peer) -> int:
    """How many messages whose call had returned nobody finds after `kill -9` of the training process."""
    with tempfile.TemporaryDirectory() as folder:
        writer = _start(peer, "killed", folder)
        code = writer.wait(timeout=120)
        if code != -signal.SIGKILL:
            raise ChildProcessError(f"it ended with {code}")
        found = peer.reader(Path(folder))
        deadline, count, since = time.monotonic() + SETTLES_S, -1, time.monotonic()
        while time.monotonic() < min(deadline, since + 3):
            now = found()
            if now != count:
                count, since = now, time.monotonic()
            time.sleep(0.05)
        writer.communicate()
    return KILLED_MESSAGES - count


def tried(what: Callable[[], Any], peer: Peer, failed: dict[str, str]) -> Any:
    """What it gives, or `None` and a note that this peer does not run here."""
    if peer.title in failed:
        return None
    try:
        return what()
    except (subprocess.SubprocessError, OSError, ValueError, SystemExit) as error:
        failed[peer.title] = f"does not run here: {error}"
        return None


def measured(peers: Sequence[Peer], failed: dict[str, str]) -> dict[str, Row]:
    """A row for each peer that runs here."""
    turns: dict[str, list[Row]] = {peer.title: [] for peer in peers}
    imports: dict[str, list[float]] = {peer.title: [] for peer in peers}
    for _ in range(TURNS):
        for peer in peers:
            if (turn := tried(lambda peer=peer: calls(peer), peer, failed)) is not None:
                turns[peer.title].append(turn)
            if peer.imports and (took := tried(lambda peer=peer: import_ms(peer), peer, failed)) is not None:
                imports[peer.title].append(took)
    rows: dict[str, Row] = {}
    for peer in peers:
        if peer.title in failed:
            continue
        every, us = turns[peer.title], sorted(us for turn in turns[peer.title] for us in turn["us"])
        row = rows[peer.title] = {"peer": peer.title, "us": statistics.median(us), "us99": us[int(len(us) * 0.99)]}
        row["cpu_us"] = statistics.median(turn["cpu_us"] for turn in every)
        row["bytes"] = statistics.median(turn["bytes"] for turn in every) if peer.reads else None
        row["import_ms"] = statistics.median(imports[peer.title]) if peer.imports else None
        if peer.reads:
            row |= _seen(tried(lambda peer=peer: seen_ms(peer), peer, failed))
            row["lost"] = tried(lambda peer=peer: lost(peer), peer, failed)
    rows[SERVED] = {"peer": SERVED, **_seen(tried(lambda: served_ms(OURS[0]), OURS[0], failed))}
    return rows


def _seen(found: list[float] | None) -> Row:
    if not found:
        return {}
    times = sorted(found)
    return {"seen_ms": _finite(statistics.median(times)), "seen99_ms": _finite(times[int(len(times) * 0.99)])}


def _finite(value: float) -> float | str:
    return value if value != float("inf") else "when it ends"


def cell(value: Any) -> str:
    """A cell of the table as text."""
    return "" if value is None else value if isinstance(value, str) else shown(value)


def tell(rows: dict[str, Row], failed: dict[str, str], told: dict[str, str]) -> None:
    """Print the table, then for each column how ours stands beside the best of the packages."""
    print(f"{'':<44}" + "".join(f"{name:>{max(14, len(name) + 2)}}" for name in COLUMNS.values()))
    for title, row in rows.items():
        cells = (f"{cell(row.get(key)):>{max(14, len(name) + 2)}}" for key, name in COLUMNS.items())
        print(f"{f'{title} {told.get(title, str())}':<44}" + "".join(cells))
    for title, why in failed.items():
        print(f"{title}: {why}")
    print(f"\nours beside the best of {', '.join(peer.title for peer in PACKAGES if peer.title not in failed)}:")
    for key, name in GOALS.items():
        theirs = {peer.title: rows[peer.title].get(key) for peer in PACKAGES if peer.title in rows}
        finite = {title: value for title, value in theirs.items() if isinstance(value, (int, float))}
        ours = rows[OURS[0].title][key]
        if not finite:
            continue
        best = min(finite, key=lambda title: finite[title])
        if key == "lost":
            figure(name, ours, f"of {KILLED_MESSAGES}", at_most=0, note=f"{best} {shown(finite[best])}")
            continue
        note = f"{shown(ours)} beside {shown(finite[best])}"
        figure(name, ours / finite[best], f"× {best}", at_most=1.0, note=note)


def main() -> int:
    """Install, measure in turns, tell."""
    failed = install(PEERS, lambda line: print(line, flush=True))
    if not PYTHON.exists() or shutil.which("true") is None or platform.system() != "Linux":
        print("the peers are measured on Linux alone: their processor time is read from /proc")
        return 1
    told = versions(PEERS)
    rows = measured(PEERS, failed)
    tell(rows, failed, told)
    table("peers", list(COLUMNS), list(rows.values()), titles=COLUMNS, versions=told, failed=failed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
