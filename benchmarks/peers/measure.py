"""What runs inside the peers' environment: one peer, one measurement, one line of JSON.

`python -m benchmarks.peers.measure TITLE calls FOLDER`: what a call costs, and what it leaves on disk.
`… visible FOLDER`: logs slowly, tells when each call began, and ends when its standard input is closed.
`… killed FOLDER`: logs quickly, tells each call that returned, and dies by SIGKILL right after the last.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.peers import PEERS
from benchmarks.peers.peer import Peer, bytes_in

WARM_UP = 20
MESSAGES, EVERY_S = 100, 0.05
"""Of `visible`: about as often as a training on a small machine tells a step."""
KILLED_MESSAGES, KILLED_EVERY_S = 200, 0.01


def calls(peer: Peer, folder: Path) -> dict[str, Any]:
    """Each call's microseconds, the processor's with everything that works in the background, bytes for a message."""
    peer.load(folder)
    peer.begin(folder)
    for number in range(WARM_UP):
        peer.log(number)
    took, clock = [0] * peer.calls, time.perf_counter_ns
    children, busy = _children_s(), time.process_time()
    for number in range(peer.calls):
        begin = clock()
        peer.log(WARM_UP + number)
        took[number] = clock() - begin
    # What it still has to do for these calls is part of their cost, wherever it is done.
    peer.end()
    busy_s = time.process_time() - busy + _children_s() - children
    return {
        "us": [ns / 1000 for ns in took],
        "cpu_us": busy_s / peer.calls * 1e6,
        "bytes": bytes_in(folder) / (peer.calls + WARM_UP),
    }


def _children_s() -> float:
    """Seconds of processor time of all processes below this one, those that have ended included."""
    parents: dict[int, list[int]] = {}
    busy: dict[int, float] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended since
            continue
        pid = int(stat.parent.name)
        parents.setdefault(int(fields[1]), []).append(pid)
        busy[pid] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    total, below = 0.0, list(parents.get(os.getpid(), []))
    while below:
        pid = below.pop()
        total += busy.get(pid, 0.0)
        below += parents.get(pid, [])
    return total


def visible(peer: Peer, folder: Path) -> dict[str, Any]:
    """When each call began, by the machine's monotonic clock."""
    peer.load(folder)
    peer.begin(folder)
    print("ready", flush=True)
    sys.stdin.readline()
    begun = []
    for number in range(MESSAGES):
        begun.append(time.monotonic())
        peer.log(number)
        time.sleep(EVERY_S)
    print(json.dumps(begun), flush=True)
    # Still open, as a training is that computes on.
    sys.stdin.readline()
    peer.end()
    return {}


def killed(peer: Peer, folder: Path) -> dict[str, Any]:
    """Never returns."""
    peer.load(folder)
    peer.begin(folder)
    for number in range(KILLED_MESSAGES):
        peer.log(number)
        if number + 1 < KILLED_MESSAGES:
            time.sleep(KILLED_EVERY_S)
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def main() -> int:
    """Measure what the arguments name."""
    title, what, folder = sys.argv[1:]
    peer = next(peer for peer in PEERS if peer.title == title)
    found = {"calls": calls, "visible": visible, "killed": killed}[what](peer, Path(folder))
    print(json.dumps(found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
