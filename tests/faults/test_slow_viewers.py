"""Viewers that read nothing, or a byte at a time: bounded in memory, they lose nothing, the others do not notice."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from server_process import ServerProcess
from storm import until
from viewers import SocketViewer

from federated_pneumonia_detection.progress import ProgressLogger

SLOW = 20
MESSAGES = 4000
PAYLOAD = "x" * 1500
"""6 MB for each viewer: six times the bound on what one may leave untaken."""
MOST_MIB_EACH = 3.0
"""The bound of 1 MiB in the hub, what the transport and the kernel hold, and what it takes to keep track of it."""


def slow_viewer(port: int) -> socket.socket:
    """A WebSocket whose owner reads no byte of what comes, with as small a buffer as the system gives."""
    viewer = socket.socket()
    viewer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    viewer.connect(("127.0.0.1", port))
    viewer.sendall(
        b"GET /ws/training-progress?after=0 HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    return viewer


async def test_slow_viewers_cost_bounded_memory_and_the_others_nothing(
    tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    directory = tmp_path / "progress"
    with ServerProcess(directory) as server, ProgressLogger(directory, "exp", run_id="run") as logger:
        assert server.process is not None
        process = psutil.Process(server.process.pid)
        quick = SocketViewer("a quick one", server.port)
        quick.start()
        logger.log_custom_event("said", "first")
        await until(lambda: len(quick.messages) == 2, "the quick one is there")
        # What serving so many messages costs by itself, before anybody is slow.
        for number in range(MESSAGES):
            logger.log_custom_event("said", [number, PAYLOAD])
        await until(lambda: len(quick.messages) == 2 + MESSAGES, "the quick one has them")
        alone_mib = process.memory_info().rss / 2**20

        slow = [slow_viewer(server.port) for _ in range(SLOW)]
        peak_mib = alone_mib
        delays = []
        for number in range(MESSAGES):
            logger.log_custom_event("said", [number, PAYLOAD])
            if number % 100 == 99:
                wanted = 2 + MESSAGES + number + 1
                began = time.perf_counter()
                await until(lambda wanted=wanted: len(quick.messages) == wanted, "the quick one has it")
                delays.append(time.perf_counter() - began)
                peak_mib = max(peak_mib, process.memory_info().rss / 2**20)
                # One of them takes a byte now and then, which is no progress.
                slow[0].recv(1)
        each_mib = (peak_mib - alone_mib) / SLOW
        for viewer in slow:
            viewer.close()

        comes_back = SocketViewer("a slow one, come back", server.port)
        comes_back.start()
        await until(lambda: len(comes_back.messages) == len(quick.messages), "it has everything")
        for viewer in (quick, comes_back):
            await viewer.stop()
            assert viewer.wrong == []
            assert viewer.connections == 1

    delays.sort()
    middle_ms, worst_ms = delays[len(delays) // 2] * 1e3, delays[-1] * 1e3
    size_mb = MESSAGES * len(PAYLOAD) / 1e6
    print(f"{SLOW} viewers that read nothing of {size_mb:.0f} MB: {each_mib:.2f} MiB each")
    print(f"the quick one has the last of a hundred messages after {middle_ms:.0f} ms, {worst_ms:.0f} ms at worst")
    assert each_mib < MOST_MIB_EACH
