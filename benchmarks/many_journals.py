"""How soon a message in any of 1 000 journals of one directory is seen, by a viewer of `fpd serve`.

One process holds a thousand runs open, each with a journal of its own and alive, and says something in one of them
after the other. While it does, the server looks at all sizes each second and at who lives twice a second, as always.
Beside it, how long the server takes to read all thousand when it starts.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from websockets.sync.client import connect

from benchmarks._figures import figure
from benchmarks._server import Server, processor_s, serving

JOURNALS = 1_000
MESSAGES = 500
EVERY_S = 0.02
GOAL_MS = 50.0
WITHIN_S = 60.0

WRITER = f"""
import random, sys, time
from federated_pneumonia_detection.progress import ProgressLogger
loggers = [ProgressLogger(sys.argv[1], "bench", run_id=f"run-{{number}}") for number in range({JOURNALS})]
print("ready", flush=True)
sys.stdin.readline()
for _ in range({MESSAGES}):
    random.choice(loggers).log_custom_event("bench", {{"ns": time.monotonic_ns()}})
    time.sleep({EVERY_S})
print("done", flush=True)
sys.stdin.readline()
"""


def _known(server: Server) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/api/runs?limit=1") as answer:
        return int(json.load(answer)["total"])


def measure(log_dir: Path) -> tuple[float, list[float], float]:
    """Seconds until all journals were read, milliseconds of each message, and the processor's share while idle."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", WRITER, str(log_dir)]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        writer.stdout.readline()
        begun = time.monotonic()
        with serving(log_dir) as server:
            while _known(server) < JOURNALS:
                if time.monotonic() - begun > WITHIN_S:
                    raise SystemExit(f"not all {JOURNALS} journals were read within {WITHIN_S:g} s")
                time.sleep(0.02)
            read_s = time.monotonic() - begun
            before, at = processor_s(server.pid), time.monotonic()
            time.sleep(3)
            idle = (processor_s(server.pid) - before) / (time.monotonic() - at)
            with connect(f"{server.ws}/ws/training-progress", max_size=None) as viewer:
                while json.loads(viewer.recv(timeout=30))["type"] != "subscribed":
                    pass
                print("go", file=writer.stdin, flush=True)
                found: list[float] = []
                while len(found) < MESSAGES:
                    text = viewer.recv(timeout=30)
                    now = time.monotonic_ns()
                    message = json.loads(text)
                    if message["type"] == "bench":
                        found.append((now - message["data"]["ns"]) / 1e6)
            print("end", file=writer.stdin, flush=True)
    return read_s, found, idle


def main() -> None:
    """Print how soon each was seen."""
    with tempfile.TemporaryDirectory() as folder:
        read_s, found, idle = measure(Path(folder))
    found.sort()
    print(f"{JOURNALS} journals in one directory, all alive; {MESSAGES} messages, each in a random one:")
    late = found[int(len(found) * 0.99)]
    note = f"median {statistics.median(found):.1f} ms, 99 % {late:.1f} ms"
    figure(f"a message in any of {JOURNALS} journals, the slowest", found[-1], "ms", at_most=GOAL_MS, note=note)
    figure(f"server start until all {JOURNALS} are read", read_s, "s")
    figure(f"the server's processor with {JOURNALS} idle journals", idle * 100, "% of one core")


if __name__ == "__main__":
    main()
