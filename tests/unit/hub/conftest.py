"""What the hub's unit tests share: messages as a journal has them, and stores of each kind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from federated_pneumonia_detection.hub.stores.memory_store import MemoryStore
from federated_pneumonia_detection.hub.stores.sql_store import SqlStore
from federated_pneumonia_detection.hub.stores.store import Arrival, Store


@pytest.fixture
def arrival() -> Callable[..., Arrival]:
    """Make an arrival: `arrival(3, writer="a", type="epoch_end", phase="val")`."""

    def make(n: int, *, writer: str = "w", run_id: str = "run", client_id: str | None = None, **said: Any) -> Arrival:
        message = {"type": "said", **said, "n_said": n}
        return Arrival(
            writer, n, run_id, client_id, message["type"], str(message.get("phase", "")), json.dumps(message).encode()
        )

    return make


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store, of each kind."""
    made: Store
    if request.param == "memory":
        made = MemoryStore()
    elif request.param == "sqlite":
        made = SqlStore(f"sqlite:///{tmp_path / 'contract.sqlite3'}")
    else:
        made = SqlStore(request.getfixturevalue("postgres_url"))
    yield made
    made.close()


@pytest.fixture
def another(store: Store, request: pytest.FixtureRequest) -> Iterator[Store]:
    """Who else appends to `store`'s log: another server where it is shared, else another thread of this process."""
    if not store.is_shared:
        yield store
        return
    made = SqlStore(request.getfixturevalue("postgres_url"))
    yield made
    made.close()
