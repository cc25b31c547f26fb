"""Very many journals, a very long one, a very long line: each costs itself, in bounded memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import journals
import psutil
import pytest
from server_process import ServerProcess
from storm import until
from viewers import SocketViewer

from federated_pneumonia_detection.progress import ProgressLogger
from federated_pneumonia_detection.progress.framing import LONGEST_LINE, encode_line

LONG = 100_000
TIME = "2026-11-24T09:01:00+00:00"
LINE_BYTES = 10_000_000


@pytest.mark.parametrize("count", [200, pytest.param(1000, marks=pytest.mark.long)])
async def test_a_new_message_among_very_many_journals_is_seen_at_once(count: int, tmp_path: Path) -> None:
    directory = tmp_path / "progress"
    directory.mkdir()
    for number in range(count):
        run_id = f"old-{number}"
        messages = [*journals.epochs(2), {"type": "training_complete", "timestamp": TIME}]
        journals.put(directory, f"{run_id}.jsonl", b"".join(journals.lines(journals.header(run_id), messages)))
    began = time.monotonic()
    with ServerProcess(directory) as server:
        viewer = SocketViewer("a socket", server.port)
        viewer.start()
        await until(lambda: len(viewer.messages) == 4 * count, "all of them were read")
        read_s = time.monotonic() - began
        delays = []
        with ProgressLogger(directory, "exp", run_id="new") as logger:
            for epoch in range(1, 21):
                had = len(viewer.messages)
                said = time.perf_counter()
                logger.log_epoch_end(epoch, {"val_loss": 1.0}, phase="val")
                await until(lambda had=had: len(viewer.messages) > had, "the new one has come")
                delays.append(time.perf_counter() - said)
        await viewer.stop()
    delays.sort()
    print(f"{count} journals read {read_s:.1f} s after the start; a new message seen in {delays[10] * 1e3:.0f} ms")
    assert viewer.wrong == []
    # The next look at all sizes is a second away: the kernel has told it, then.
    assert delays[len(delays) // 2] < 0.5


@pytest.mark.long
async def test_a_hundred_thousand_messages_in_one_journal_come_once_and_in_order(tmp_path: Path) -> None:
    directory = tmp_path / "progress"
    directory.mkdir()
    first = journals.header("run")
    messages = [
        {
            "type": "epoch_end",
            "epoch": n,
            "phase": "val",
            "metrics": {"val_loss": 1.0},
            "timestamp": TIME,
        }
        for n in range(1, LONG + 1)
    ]
    journals.put(directory, "run.jsonl", b"".join(journals.lines(first, messages)))
    with ServerProcess(directory) as server:
        assert server.process is not None
        viewer = SocketViewer("a socket", server.port)
        viewer.start()
        began = time.monotonic()
        await until(lambda: len(viewer.messages) >= LONG + 1, "all were read, and the death was told", timeout_s=120)
        seconds, mib = time.monotonic() - began, psutil.Process(server.process.pid).memory_info().rss / 2**20
        await viewer.stop()
    print(f"{LONG} messages had by a viewer after {seconds:.1f} s; the server takes {mib:.0f} MiB")
    assert viewer.wrong == []
    assert [m["epoch"] for m in viewer.messages[:LONG]] == list(range(1, LONG + 1))


async def test_a_line_of_ten_megabytes_costs_itself_and_is_never_held_in_memory_whole(
    tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    directory = tmp_path / "progress"
    directory.mkdir()
    with ServerProcess(directory) as server:
        assert server.process is not None
        process = psutil.Process(server.process.pid)
        viewer = SocketViewer("a socket", server.port)
        viewer.start()
        with ProgressLogger(directory, "exp", run_id="warm") as logger:
            logger.log_training_complete({})
        await until(lambda: len(viewer.messages) == 2, "it serves")
        before = process.memory_info().rss
        peak = before

        lines = journals.lines(journals.header("run", alive=True), journals.epochs(4))
        long = encode_line(b'{"type":"said","data":"' + b"x" * LINE_BYTES + b'"}', 3)
        behind = b"".join(lines[4:])
        path = journals.put(directory, "run.jsonl", b"".join(lines[:3]))
        with path.open("ab", buffering=0) as file:
            for at in range(0, len(long), LONGEST_LINE // 4):
                file.write(long[at : at + LONGEST_LINE // 4])
                peak = max(peak, process.memory_info().rss)
            file.write(behind)

        def measured() -> bool:
            nonlocal peak
            peak = max(peak, process.memory_info().rss)
            return any(m["type"] == "epoch_end" and m["epoch"] == 4 for m in viewer.messages)

        await until(measured, "what stands behind it has come")
        await until(lambda: any(m["type"] == "alert" for m in viewer.messages), "it was told")
        await viewer.stop()

    grown_mib = (peak - before) / 2**20
    print(f"a line of {LINE_BYTES / 1e6:.0f} MB: the server grew by {grown_mib:.1f} MiB at most")
    (alert,) = [m for m in viewer.messages if m["type"] == "alert"]
    assert f"a line of more than {LONGEST_LINE} bytes at byte {sum(map(len, lines[:3]))} of run.jsonl" in alert["text"]
    assert [m["epoch"] for m in viewer.messages if m["type"] == "epoch_end"] == [1, 3, 4]
    assert grown_mib < LINE_BYTES / 2**20 / 2
