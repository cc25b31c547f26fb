"""The application over a hub that holds one run, without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from federated_pneumonia_detection.hub.alerts import Alerted
from federated_pneumonia_detection.hub.hub import Hub, Page, Subscription
from federated_pneumonia_detection.hub.state import RunState
from federated_pneumonia_detection.hub.stores.store import Stored
from federated_pneumonia_detection.server.app import create_app
from federated_pneumonia_detection.server.service import Service
from federated_pneumonia_detection.server.settings import ServerSettings
from federated_pneumonia_detection.server.supervision import Supervisor


class OneRun(Hub):
    """What a server asks of a hub, answered for one run called `a-run`."""

    log_id = "a-log"  # type: ignore[assignment]
    top = 0  # type: ignore[assignment]

    def __init__(self) -> None:
        self.state = RunState("a-run", experiment_name="A run", status="completed")
        self.said: list[tuple[str, msgspec.Struct]] = []
        self.expected: list[str] = []

    def start(self) -> None:
        pass

    def close(self) -> None:
        pass

    def stats(self) -> dict[str, float]:
        return {"top": 0.0}

    def runs(self) -> list[RunState]:
        return [self.state]

    def undescribed(self) -> list[RunState]:
        return [self.state]

    def messages(self, **cursor: Any) -> list[Stored]:
        return []

    def alerts(self, **wanted: Any) -> list[Alerted]:
        return []

    def run(self, run_id: str) -> RunState | None:
        return self.state if self.resolve(run_id) else None

    def resolve(self, run_id: str) -> str | None:
        return "a-run" if run_id in ("a-run", "latest") else None

    def expect(self, run_id: str, **about: Any) -> None:
        self.expected.append(run_id)

    def say(self, run_id: str, message: msgspec.Struct) -> None:
        self.said.append((run_id, message))

    def is_elsewhere(self, run_id: str) -> bool:
        return False

    def events(self, **cursor: Any) -> Page:
        return Page("a-log", 0, True, [])

    def subscribe(self, **cursor: Any) -> Subscription:
        return _Silent()

    def document(self, run_id: str) -> tuple[bytes, str]:
        return b'{"metadata":{}}', '"e1"'

    def page(self, run_id: str) -> bytes:
        return b'{"log_id":"a-log","top":0}'

    def series(self, run_id: str, **wanted: Any) -> dict[str, Any]:
        return {"series": [], "wanted": wanted}

    def export(self, run_id: str, format: str) -> Iterator[bytes]:
        yield b"a,b\n"


class _Silent(Subscription):
    async def __anext__(self) -> Any:
        await asyncio.Event().wait()


@pytest.fixture
def settings(tmp_path: Path) -> ServerSettings:
    data = tmp_path / "data"
    data.mkdir()
    return ServerSettings(
        log_dir=tmp_path / "logs",
        data_roots=(data,),
        max_runs=0,  # nothing is started here
        page_dir=tmp_path / "page",
        allow_origins=("http://lab.example:3000",),
    )


@pytest.fixture
def hub() -> OneRun:
    return OneRun()


@pytest.fixture
def service(settings: ServerSettings, hub: OneRun) -> Service:
    return Service(settings, hub, Supervisor(settings, lambda: hub))


@pytest.fixture
async def client(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """Speaks to the application as `http://localhost:8000`."""
    app = create_app(service=service)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as speaking:
        yield speaking
