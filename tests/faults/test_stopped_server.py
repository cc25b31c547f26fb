"""A server stopped by SIGSTOP: log calls cost what they cost before, and afterwards every viewer has everything."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from server_process import ServerProcess
from storm import until
from viewers import SocketViewer

from federated_pneumonia_detection.progress import ProgressLogger

CALLS = 2000
"""In each of the three parts."""
WITHIN_S = 120.0


def cost_us(logger: ProgressLogger, first: int) -> tuple[float, float]:
    """Log so many epochs; median and 99 % of a call, in microseconds."""
    costs = []
    for number in range(first, first + CALLS):
        began = time.perf_counter()
        logger.log_epoch_end(number, {"val_loss": 0.5, "val_auroc": 0.9, "val_recall": 0.8, "val_f1": 0.7}, phase="val")
        costs.append((time.perf_counter() - began) * 1e6)
    costs.sort()
    return costs[len(costs) // 2], costs[len(costs) * 99 // 100]


@pytest.mark.parametrize("seconds", [1.0, pytest.param(30.0, marks=pytest.mark.long)])
async def test_a_stopped_server_costs_a_log_call_nothing_and_a_viewer_no_message(
    seconds: float, tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    directory = tmp_path / "progress"
    with ServerProcess(directory) as server, ProgressLogger(directory, "exp", run_id="run") as logger:
        assert server.process is not None
        viewer = SocketViewer("a socket", server.port)
        viewer.start()
        figures = {"before": cost_us(logger, 1)}
        server.process.send_signal(signal.SIGSTOP)
        stopped = time.monotonic()
        figures["during"] = cost_us(logger, CALLS + 1)
        lost_meanwhile = logger.lost
        wait_until(lambda: time.monotonic() - stopped >= seconds, "it was stopped long enough", timeout_s=seconds + 5)
        server.process.send_signal(signal.SIGCONT)
        figures["after"] = cost_us(logger, 2 * CALLS + 1)
        try:
            # Thousands of messages one by one through a client in Python, beside whatever else the machine does.
            await until(lambda: len(viewer.messages) >= 3 * CALLS + 1, "the viewer has everything", timeout_s=WITHIN_S)
        except AssertionError:
            print(f"viewer: {len(viewer.messages)} messages by {viewer.connections} connections, wrong: {viewer.wrong}")
            print("server:", httpx.get(f"http://127.0.0.1:{server.port}/metrics", timeout=30, trust_env=False).text)
            raise
        await viewer.stop()

    told = ", ".join(f"{when} {median:.0f} and {high:.0f} µs" for when, (median, high) in figures.items())
    print(f"log call, median and 99 %, server stopped for {seconds:g} s: {told}")
    assert lost_meanwhile == logger.lost == 0
    assert viewer.wrong == []
    assert [m["epoch"] for m in viewer.messages if m["type"] == "epoch_end"] == list(range(1, 3 * CALLS + 1))
    # No call waits for the server: that would be the whole stop.
    assert figures["during"][0] < 10_000
