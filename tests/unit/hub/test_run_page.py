"""All of a run in one answer."""

from __future__ import annotations

import json
from collections.abc import Callable

from federated_pneumonia_detection.hub.run_page import page
from federated_pneumonia_detection.hub.series import columns
from federated_pneumonia_detection.hub.state import RunState
from federated_pneumonia_detection.hub.stores.store import NOBODY, Arrival, Batch, Store


def test_it_holds_the_state_every_message_and_the_steps_no_client_made(
    store: Store, arrival: Callable[..., Arrival]
) -> None:
    store.append(
        Batch(
            [
                arrival(1, type="run_start", mode="centralized"),
                arrival(2, type="step", phase="train", step=1, metrics={"train_loss": 0.5}),
                arrival(1, writer="c", client_id="client_0", type="round_start", round=1),
                arrival(2, writer="c", client_id="client_0", type="step", phase="train", step=1, metrics={"a": 1.0}),
                arrival(1, writer="o", run_id="another", type="run_start"),
            ]
        )
    )
    opened = json.loads(page(store, RunState("run", status="running")))
    assert (opened["log_id"], opened["top"], opened["state"]["status"]) == (store.log_id, 3, "running")
    assert [(said["type"], said["run_id"], said["offset"]) for said in opened["messages"]] == [
        ("run_start", "run", 1),
        ("round_start", "run", 2),
    ]
    (steps,) = opened["steps"]
    assert (steps["client_id"], steps["metrics"]) == (None, {"train_loss": [0.5]})


def test_it_comes_whole_however_long_the_run(store: Store, arrival: Callable[..., Arrival], monkeypatch) -> None:
    monkeypatch.setattr("federated_pneumonia_detection.hub.run_document._PAGE", 3)
    for many in (3, 7):
        store.append(Batch([arrival(n, type="epoch_start", epoch=n) for n in range(1, many + 1)]))
        opened = json.loads(page(store, RunState("run")))
        assert [said["epoch"] for said in opened["messages"]] == list(range(1, many + 1))
        assert opened["top"] == many


def test_what_no_client_said_can_be_asked_for(store: Store, arrival: Callable[..., Arrival]) -> None:
    store.append(Batch([arrival(1, type="alert"), arrival(1, writer="c", client_id="client_0", type="alert")]))
    assert [message.offset for message in store.read(after=0, limit=9, run_id="run", client_id=NOBODY)] == [1]


def test_the_steps_of_a_long_run_are_left_out_and_series_has_them_with_every_spike(
    store: Store, arrival: Callable[..., Arrival], monkeypatch
) -> None:
    monkeypatch.setattr("federated_pneumonia_detection.hub.run_page.MOST_STEPS", 100)
    losses = [40.0 if n == 137 else 0.5 for n in range(1, 202)]
    steps = [
        arrival(n, type="step", phase="train", step=n, metrics={"train_loss": loss}) for n, loss in enumerate(losses, 1)
    ]
    store.append(Batch(steps))
    opened = json.loads(page(store, RunState("run")))
    assert (opened["steps"], opened["steps_left_out"]) == ([], True)
    (thin,) = columns(store, "run", since=0, points=20)["steps"]
    assert len(thin["row"]) < 30
    assert thin["thinned"] == 201
    assert thin["metrics"]["train_loss"][thin["row"].index(137)] == 40.0
