"""What only the memory store does: it keeps a bounded part of each run."""

from __future__ import annotations

from collections.abc import Callable

from federated_pneumonia_detection.hub.stores.memory_store import MemoryStore
from federated_pneumonia_detection.hub.stores.store import Arrival, Batch

Make = Callable[..., Arrival]


def test_a_long_run_keeps_its_newest_messages_and_says_from_where_on(arrival: Make) -> None:
    store = MemoryStore(max_messages=100)
    for n in range(1, 301, 10):
        store.append(Batch([arrival(number) for number in range(n, n + 10)]))
    store.append(Batch([arrival(1, writer="v", run_id="short")]))

    kept = store.read(after=0, limit=1000, run_id="run")
    assert kept[-1].offset == 300
    assert 100 <= len(kept) <= 110
    assert store.floor("run") == store.floor() == kept[0].offset - 1
    assert store.floor("short") == 0
    assert len(store.read(after=0, limit=1000)) == len(kept) + 1


def test_steps_are_bounded_too_and_keep_their_rows(arrival: Make) -> None:
    store = MemoryStore(max_messages=50)
    for n in range(1, 200):
        store.append(Batch([arrival(n, type="step", phase="train")]))
    assert [step.row for step in store.steps(run_id="run")] == list(range(150, 200))
