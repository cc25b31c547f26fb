"""What the hub's integration tests share: a hub of each kind over a directory, and viewers that keep what they got."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from federated_pneumonia_detection.hub import Hub
from federated_pneumonia_detection.hub.stores.memory_store import MemoryStore
from federated_pneumonia_detection.hub.stores.sql_store import SqlStore
from federated_pneumonia_detection.hub.watch import PollingWatch, best_watch

MakeHub = Callable[..., Hub]


@pytest.fixture
def log_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "progress"
    folder.mkdir()
    return folder


@pytest.fixture(params=["memory, woken", "sqlite, woken", "sqlite, polling"])
def make_hub(request: pytest.FixtureRequest, tmp_path: Path, log_dir: Path) -> Iterator[MakeHub]:
    """Make (and start) a hub over `log_dir`: `make_hub()`; again after `close()` it is the same database."""
    kind, watching = request.param.split(", ")
    made: list[Hub] = []

    def make(**options: Any) -> Hub:
        store = MemoryStore() if kind == "memory" else SqlStore(f"sqlite:///{tmp_path / 'hub.sqlite3'}")
        hub = Hub(store, make_watch=best_watch if watching == "woken" else PollingWatch, **options)
        made.append(hub)
        hub.follow(str(log_dir))
        hub.start()
        return hub

    make.kind = kind  # type: ignore[attr-defined]
    yield make
    for hub in made:
        hub.close()


class Seen:
    """What a viewer got so far."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    def of(self, *types: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] in types]

    @property
    def offsets(self) -> list[int]:
        return [message["offset"] for message in self.messages if "offset" in message]


@pytest.fixture
def watching() -> Callable[..., Any]:
    """`async with watching(hub, after=0) as seen:` keeps what a subscription gives."""

    @asynccontextmanager
    async def watch(hub: Hub, **cursor: Any) -> AsyncIterator[Seen]:
        seen = Seen()
        subscription = hub.subscribe(**cursor)

        async def read() -> None:
            async for frame in subscription:
                seen.messages.append(json.loads(frame))

        task = asyncio.create_task(read())
        try:
            yield seen
        finally:
            subscription.close()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    return watch


@pytest.fixture
def until() -> Callable[..., Any]:
    """`await until(lambda: …, "what")`."""

    async def wait(condition: Callable[[], object], what: str, timeout_s: float = 60) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while not condition():
            if loop.time() > deadline:
                pytest.fail(f"waited {timeout_s:g} s in vain until {what}")
            await asyncio.sleep(0.01)

    return wait
