"""`ConnectionManager` with sockets that only have what it may use."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import pickle
import stat
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from federated_pneumonia_detection.hub import ConnectionManager
from federated_pneumonia_detection.progress import ProgressLogger, WebSocketProgressLogger
from federated_pneumonia_detection.progress.protocol import WebSocketManager


class State(Enum):
    CONNECTING = 0
    CONNECTED = 1
    DISCONNECTED = 2


class Socket:
    """What a manager may use of a WebSocket; anything else raises."""

    def __init__(self, *, accepted: bool = False, stuck: bool = False, **query: str) -> None:
        self.application_state = State.CONNECTED if accepted else State.CONNECTING
        self.client_state = State.CONNECTED
        self.query_params = query
        self.headers: dict[str, str] = {}
        self.accepts = 0
        self.closed: tuple[int, str] | None = None
        self.seen: list[dict[str, Any]] = []
        self.stuck = stuck
        self.gone = False

    async def accept(self) -> None:
        self.accepts += 1
        self.application_state = State.CONNECTED

    async def send_text(self, data: str) -> None:
        if self.gone:
            raise RuntimeError("this socket is gone")
        if self.stuck:
            await asyncio.Event().wait()
        assert isinstance(data, str)
        self.seen.append(json.loads(data))

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        self.closed = (code, reason or "")

    def of(self, type_: str) -> list[dict[str, Any]]:
        return [message for message in self.seen if message["type"] == type_]


@pytest.fixture
def manager() -> Iterator[ConnectionManager]:
    made = ConnectionManager()
    yield made
    made.close()


async def until(condition: Callable[[], object], what: str) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)
    assert condition(), what


def test_it_is_what_loggers_need(manager: ConnectionManager) -> None:
    assert isinstance(manager, WebSocketManager)


def test_made_at_import_it_starts_nothing() -> None:
    import threading

    before = threading.active_count()
    manager = ConnectionManager()
    manager.follow("somewhere")
    assert threading.active_count() == before
    assert manager.active_connections == []


async def test_a_socket_is_accepted_once(manager: ConnectionManager) -> None:
    fresh, accepted = Socket(), Socket(accepted=True)
    await manager.connect(fresh)
    await manager.connect(accepted)
    assert (fresh.accepts, accepted.accepts) == (1, 0)
    assert manager.active_connections == [fresh, accepted]


async def test_what_a_logger_says_after_connect_is_sent(manager: ConnectionManager, tmp_path: Path) -> None:
    socket = Socket()
    await manager.connect(socket)
    logger = WebSocketProgressLogger(websocket_manager=manager, log_dir=tmp_path, broadcast_interval=0)
    logger.log_epoch_start(1, 2)
    logger.log_epoch_end(1, {"val_loss": 0.5}, "val")
    logger.log_training_complete({})
    await until(lambda: socket.of("training_complete"), "all came")
    assert [message["type"] for message in socket.seen] == [
        "subscribed",
        "run_start",
        "epoch_start",
        "epoch_end",
        "training_complete",
    ]
    logger.shutdown()


async def test_disconnect_acts_when_called_and_may_be_awaited(manager: ConnectionManager, tmp_path: Path) -> None:
    one, two = Socket(), Socket()
    await manager.connect(one)
    await manager.connect(two)
    manager.disconnect(one)
    assert manager.active_connections == [two]
    await manager.disconnect(two)
    await manager.disconnect(two)
    assert manager.active_connections == []
    await manager.broadcast({"type": "hello"})
    assert one.of("hello") == two.of("hello") == []


async def test_broadcast_sends_an_object_as_it_is_to_everybody(manager: ConnectionManager) -> None:
    one, two = Socket(), Socket(run_id="latest")
    logger = WebSocketProgressLogger(websocket_manager=manager, enable_file_logging=False)
    await manager.connect(one)
    await manager.connect(two)
    await manager.broadcast({"type": "hello", "nested": {"value": 1}})
    assert one.of("hello") == two.of("hello") == [{"type": "hello", "nested": {"value": 1}}]
    with pytest.raises(TypeError):
        await manager.broadcast({"type": object()})
    logger.shutdown()


async def test_a_stuck_socket_holds_up_nobody_and_is_sent_away(manager: ConnectionManager, tmp_path: Path) -> None:
    stuck, healthy = Socket(stuck=True), Socket()
    await manager.connect(stuck)
    await manager.connect(healthy)
    await manager.broadcast({"type": "hello"})
    assert healthy.of("hello")
    logger = WebSocketProgressLogger(websocket_manager=manager, log_dir=tmp_path, broadcast_interval=0)
    for _ in range(250):
        logger.log_custom_event("said", "x" * 10_000)
    await until(lambda: len(healthy.of("said")) == 250, "the healthy one got everything")
    await until(lambda: stuck.closed is not None, "the stuck one was closed")
    assert stuck.closed is not None
    assert stuck.closed[0] == 4408
    assert manager.active_connections == [healthy]
    logger.shutdown()


async def test_a_socket_that_is_gone_leaves_by_itself(manager: ConnectionManager) -> None:
    socket = Socket()
    await manager.connect(socket)
    socket.gone = True
    await manager.broadcast({"type": "hello"})
    await until(lambda: manager.active_connections == [], "it has left")


@pytest.mark.parametrize(
    ("query", "code"), [({"run_id": "nobody"}, 4404), ({"after": "-1"}, 4400), ({"after": "ten"}, 4400)]
)
async def test_what_cannot_be_had_is_refused_with_a_code(
    manager: ConnectionManager, query: dict[str, str], code: int
) -> None:
    socket = Socket(**query)
    await manager.connect(socket)
    assert socket.closed is not None
    assert socket.closed[0] == code
    assert manager.active_connections == []


async def test_a_viewer_comes_back_with_its_cursor(manager: ConnectionManager, tmp_path: Path) -> None:
    first = Socket()
    await manager.connect(first)
    logger = WebSocketProgressLogger(websocket_manager=manager, log_dir=tmp_path, run_id="run", broadcast_interval=0)
    logger.log_epoch_start(1, 3)
    await until(lambda: first.of("epoch_start"), "it was seen")
    await manager.disconnect(first)
    logger.log_epoch_start(2, 3)
    logger.log_epoch_start(3, 3)
    log_id = first.seen[0]["log_id"]
    again = Socket(after=str(first.seen[-1]["offset"]), log_id=log_id, run_id="run")
    await manager.connect(again)
    await until(lambda: len(again.of("epoch_start")) == 2, "what was missed came")
    assert again.seen[0]["recovered"] is True
    assert [message["epoch"] for message in again.of("epoch_start")] == [2, 3]
    logger.shutdown()


async def test_old_runs_in_a_directory_are_no_news(tmp_path: Path) -> None:
    with ProgressLogger(tmp_path, "old", run_id="old") as old:
        old.log_training_complete({})
    long_ago = (1_600_000_000, 1_600_000_000)
    for path in tmp_path.glob("old*"):
        os.utime(path, long_ago)
    manager = ConnectionManager()
    socket = Socket()
    await manager.connect(socket)
    logger = WebSocketProgressLogger(websocket_manager=manager, log_dir=tmp_path, run_id="new", broadcast_interval=0)
    logger.log_training_complete({})
    await until(lambda: socket.of("training_complete"), "the new run ended")
    assert {message.get("run_id") for message in socket.seen[1:]} == {"new"}
    logger.shutdown()
    manager.close()


async def test_given_a_directory_it_follows_from_the_start(tmp_path: Path) -> None:
    manager = ConnectionManager(log_dir=tmp_path)
    socket = Socket()
    await manager.connect(socket)
    with ProgressLogger(tmp_path, "exp") as logger:
        logger.log_epoch_start(1, 1)
    await until(lambda: socket.of("epoch_start"), "it was seen")
    manager.close()


def test_without_files_the_directory_is_private_and_removed_at_the_end(tmp_path: Path) -> None:
    manager = ConnectionManager()
    path = manager.follow(None)
    assert stat.S_IMODE(Path(path).stat().st_mode) == 0o700
    assert manager.follow(None) == path
    manager.close()
    assert not Path(path).exists()


async def test_pickled_it_is_a_reference_that_tells_its_owner_what_to_follow(
    manager: ConnectionManager, tmp_path: Path
) -> None:
    socket = Socket()
    await manager.connect(socket)
    reference = pickle.loads(pickle.dumps(manager))
    assert reference.follow(None) == manager.follow(None)
    logger = WebSocketProgressLogger(websocket_manager=reference, log_dir=tmp_path / "elsewhere", broadcast_interval=0)
    logger.log_epoch_start(1, 1)
    await until(lambda: socket.of("epoch_start"), "the owner found it")
    assert copy.deepcopy(manager) is manager
    logger.shutdown()


def test_closing_twice_is_fine(manager: ConnectionManager) -> None:
    manager.close()
    manager.close()
