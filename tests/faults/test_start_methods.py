"""A manager handed to a child under any start method: each message reaches a viewer of the parent's manager once."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import talkers

from federated_pneumonia_detection.hub import ConnectionManager, Hub
from federated_pneumonia_detection.hub.stores.memory_store import MemoryStore
from federated_pneumonia_detection.progress import ProgressLogger

METHODS = [m for m in ("fork", "spawn", "forkserver") if m in multiprocessing.get_all_start_methods()]

# Python 3.12 warns of a fork in a process with threads; a fork is what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")


class Viewer:
    """A socket of FastAPI's shape that keeps what it was sent."""

    def __init__(self) -> None:
        from enum import Enum

        class State(Enum):
            CONNECTED = 1

        self.client_state = self.application_state = State.CONNECTED
        self.query_params: dict[str, str] = {}
        self.headers: dict[str, str] = {}
        self.seen: list[dict[str, Any]] = []

    async def accept(self) -> None:
        """Nothing to shake hands with."""

    async def send_text(self, text: str) -> None:
        """Keep the frame."""
        self.seen.append(json.loads(text))

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Nothing to close."""

    def said(self) -> list[tuple[str, int]]:
        """The numbered things that arrived, in their order."""
        return [(m["data"]["by"], m["data"]["number"]) for m in self.seen if m["type"] == "said"]


async def until(condition: Any, what: str, timeout_s: float = 60) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)
    assert condition(), what


@pytest.mark.parametrize("files", [True, False], ids=["with files", "without files"])
@pytest.mark.parametrize("method", METHODS)
async def test_two_children_of_one_run_are_seen_whole_and_unmixed(method: str, files: bool, tmp_path: Path) -> None:
    manager = ConnectionManager()
    viewer = Viewer()
    await manager.connect(viewer)
    context = multiprocessing.get_context(method)
    count = 25
    children = [
        context.Process(
            target=talkers.child_makes_a_logger, args=(manager, str(tmp_path), "shared-run", name, count, files)
        )
        for name in ("one", "two")
    ]

    for child in children:
        child.start()
    await until(lambda: len(viewer.said()) >= 2 * count, "all that was said has arrived")
    for child in children:
        await asyncio.to_thread(child.join, 30)

    assert [child.exitcode for child in children] == [0, 0]
    for name in ("one", "two"):
        assert [number for by, number in viewer.said() if by == name] == list(range(1, count + 1))
    assert {m["run_id"] for m in viewer.seen if m["type"] == "said"} == {"shared-run"}
    assert len(list(tmp_path.glob("*.jsonl"))) == (2 if files else 0)
    await manager.disconnect(viewer)


@pytest.mark.parametrize("method", METHODS)
async def test_the_guides_federated_code_is_one_run(method: str, tmp_path: Path) -> None:
    manager = ConnectionManager()
    viewer = Viewer()
    await manager.connect(viewer)
    context = multiprocessing.get_context(method)
    clients = [f"client_{i}" for i in range(3)]
    children = [
        context.Process(target=talkers.guide_client, args=(manager, str(tmp_path), client, 3)) for client in clients
    ]

    for child in children:
        child.start()

    def ended() -> int:
        return sum(m["type"] == "round_end" for m in viewer.seen)

    await until(lambda: ended() >= 9, "each client has ended each round")
    for child in children:
        await asyncio.to_thread(child.join, 30)

    told = [m for m in viewer.seen if m["type"] in ("round_start", "round_end")]
    assert len({m["run_id"] for m in told}) == 1
    assert Counter((m["type"], m["client_id"], m["round"]) for m in told) == {
        (kind, client, number): 1 for kind in ("round_start", "round_end") for client in clients for number in (1, 2, 3)
    }
    await manager.disconnect(viewer)


# Each worker imports torch, but where it is forked.
@pytest.mark.parametrize("method", [m if m == "fork" else pytest.param(m, marks=pytest.mark.long) for m in METHODS])
def test_the_workers_of_a_data_loader_are_seen_whole_and_no_one_of_them_is_mourned(
    method: str, tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    data = pytest.importorskip("torch.utils.data", reason="torch is not installed")
    count = 24
    logger = ProgressLogger(tmp_path, "exp", run_id="run")
    loader = data.DataLoader(talkers.TalkingImages(logger, count), num_workers=2, multiprocessing_context=method)
    for _ in range(2):
        assert sum(len(batch) for batch in loader) == count
    logger.log_training_complete({})

    hub = Hub(MemoryStore())
    hub.follow(str(tmp_path))
    hub.start()
    wait_until(lambda: hub.run("run") and hub.run("run").status == "completed", "the run has ended")
    messages = [json.loads(message) for message in hub.events(run_id="run", after=0, limit=999).messages]
    hub.close()
    said = [m["data"] for m in messages if m["type"] == "said"]
    print(f"{method}: {len(said)} of {2 * count} messages of {len({one['by'] for one in said})} workers seen")
    assert Counter(one["number"] for one in said) == dict.fromkeys(range(count), 2)
    assert len({one["by"] for one in said}) == 4
    assert not [m for m in messages if m["type"] in ("alert", "training_error")]
