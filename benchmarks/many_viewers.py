"""Ten thousand idle viewers on one `fpd serve`: what each keeps of the server's memory, and one message to all of them.

The viewers are bare sockets of two other processes, from several loopback addresses, so that neither runs out of
descriptors or ports. Resident memory is read before the first and after the last has what it gets on arrival. Where
the limit of open files allows fewer, so many are taken and said. Nothing here lasts longer than its deadline.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks._figures import figure
from benchmarks._server import processor_s, serving
from benchmarks._viewers import Reader, allow_files

VIEWERS = 10_000
PROCESSES = 2
ADDRESSES = 4
"""Loopback addresses the viewers come from: each has some twenty-eight thousand ports."""
AT_ONCE = 50
MESSAGES = 5
SPARE_FILES = 200
WITHIN_S = 180.0
GOAL_KIB, GOAL_S = 25.0, 1.0


async def _connect(port: int, first: int, count: int) -> list[Reader]:
    loop = asyncio.get_running_loop()
    readers: list[Reader] = []
    for at in range(0, count, AT_ONCE):
        some = [Reader("/ws/training-progress") for _ in range(min(AT_ONCE, count - at))]
        for number, reader in enumerate(some):
            address = f"127.0.0.{2 + (first + at + number) % ADDRESSES}"
            await loop.create_connection(lambda reader=reader: reader, "127.0.0.1", port, local_addr=(address, 0))
        readers += some
        await _all_have(some, 1)
    return readers


async def _all_have(readers: list[Reader], frames: int) -> None:
    # Looking costs less than a signal from each of thousands; once here is much less than a viewer's own time.
    while min(reader.frames for reader in readers) < frames:  # noqa: ASYNC110
        await asyncio.sleep(0.005)


async def watch(port: int, first: int, count: int) -> None:
    """What a process of viewers does: connect, say so, then say when every one of them has another message."""
    async with asyncio.timeout(WITHIN_S):
        readers = await _connect(port, first, count)
        print("connected", flush=True)
        # The run's beginning comes before the messages that are timed.
        for frames in range(2, 2 + 1 + MESSAGES):
            await _all_have(readers, frames)
            print(time.monotonic(), flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        print(json.dumps({"closed": sum(reader.closed for reader in readers)}), flush=True)


def resident_bytes(pid: int) -> int:
    """Resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def _viewers(port: int, wanted: int) -> list[subprocess.Popen[str]]:
    each = wanted // PROCESSES
    return [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.many_viewers", str(port), str(number * each), str(each)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"the viewers ended before all was seen (deadline {WITHIN_S:g} s)")
    return line


def measure(wanted: int) -> None:
    """Connect them, weigh the server, send a few messages, tell."""
    from federated_pneumonia_detection.progress import ProgressLogger

    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as server:
        time.sleep(2)
        before, busy, begun = resident_bytes(server.pid), processor_s(server.pid), time.monotonic()
        viewers = _viewers(server.port, wanted)
        try:
            for process in viewers:
                _line(process)
            connected_s, connect_us = time.monotonic() - begun, (processor_s(server.pid) - busy) / wanted * 1e6
            time.sleep(2)
            each_kib = (resident_bytes(server.pid) - before) / wanted / 1024
            took: list[float] = []
            costs: list[float] = []
            with ProgressLogger(folder, "many", run_id="many") as logger:
                [_line(process) for process in viewers]
                for number in range(MESSAGES):
                    time.sleep(1)
                    said, busy = time.monotonic(), processor_s(server.pid)
                    logger.log_epoch_start(number + 1, MESSAGES)
                    took.append(max(float(_line(process)) for process in viewers) - said)
                    costs.append((processor_s(server.pid) - busy) / wanted * 1e6)
            after_kib = (resident_bytes(server.pid) - before) / wanted / 1024
            for process in viewers:
                print("over", file=process.stdin, flush=True)
            closed = sum(json.loads(_line(process))["closed"] for process in viewers)
        finally:
            for process in viewers:
                process.kill()
                process.communicate()
    print(f"{wanted} viewers connected in {connected_s:.1f} s, {connect_us:.0f} µs of the server's time each")
    figure("memory of an idle viewer", each_kib, "KiB", at_most=GOAL_KIB, note=f"{wanted} viewers")
    figure("memory of a viewer after messages", after_kib, "KiB")
    note = f"slowest of {MESSAGES}: {max(took):.2f} s; {statistics.median(costs):.1f} µs of the server's time each"
    figure(f"one message to all {wanted}", statistics.median(took), "s", at_most=GOAL_S, note=note)
    figure("viewers that were let go", closed, f"of {wanted}", at_most=0)


def main() -> int:
    """Measure as many as the machine allows."""
    if len(sys.argv) == 4:
        allow_files(VIEWERS + SPARE_FILES)
        asyncio.run(watch(*(int(argument) for argument in sys.argv[1:])))
        return 0
    allowed = allow_files(VIEWERS + SPARE_FILES)
    wanted = min(int(sys.argv[1]) if len(sys.argv) > 1 else VIEWERS, allowed - SPARE_FILES)
    if wanted == allowed - SPARE_FILES:
        print(f"{wanted} viewers: this system allows {allowed} open files a process (ulimit -Hn)")
    print(f"load {os.getloadavg()[0]:.1f}")
    measure(wanted - wanted % PROCESSES)
    return 0


if __name__ == "__main__":
    sys.exit(main())
