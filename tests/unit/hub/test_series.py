from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_pneumonia_detection.hub.export import exported
from federated_pneumonia_detection.hub.series import columns, keep_extremes
from federated_pneumonia_detection.hub.stores.memory_store import MemoryStore
from federated_pneumonia_detection.hub.stores.store import Arrival, Batch


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def add(store: MemoryStore, *messages: dict[str, Any]) -> None:
    begun = store.top + sum(len(store.steps(run_id="run")) for _ in (0,))
    store.append(
        Batch(
            [
                Arrival(
                    "w",
                    begun + number,
                    "run",
                    message.get("client_id"),
                    message["type"],
                    str(message.get("phase", "")),
                    json.dumps(message).encode(),
                )
                for number, message in enumerate(messages, 1)
            ]
        )
    )


def step(number: int, **metrics: float | None) -> dict[str, Any]:
    return {"type": "step", "epoch": 1, "step": number, "total_steps": 9, "phase": "train", "metrics": metrics}


@given(st.lists(st.one_of(st.none(), st.floats(-100, 100)), max_size=300), st.integers(2, 60))
def test_downsampling_keeps_first_last_least_and_greatest(values: list[float | None], points: int) -> None:
    kept = keep_extremes(values, points)
    assert kept == sorted(set(kept))
    assert len(kept) <= max(points, 4)
    told = [value for value in values if value is not None]
    if values:
        assert {0, len(values) - 1} <= set(kept)
    if told:
        shown = [value for index in kept if (value := values[index]) is not None]
        assert (min(shown), max(shown)) == (min(told), max(told))


def test_steps_are_columns_and_what_is_missing_is_a_gap(store: MemoryStore) -> None:
    add(store, step(1, train_loss=0.5), step(2, train_loss=None, lr=0.1), step(3, train_loss=0.4))
    (series,) = columns(store, "run")["steps"]
    assert series["row"] == [1, 2, 3]
    assert series["metrics"] == {"train_loss": [0.5, None, 0.4], "lr": [None, 0.1, None]}
    assert [series["step"], series["total_steps"], series["epoch"]] == [[1, 2, 3], [9] * 3, [1] * 3]


def test_one_metric_since_a_row_and_so_many_points(store: MemoryStore) -> None:
    add(store, *(step(number, train_loss=float(number), lr=0.1) for number in range(1, 101)))
    since = columns(store, "run", metric="lr", since=98)
    assert since["steps"][0]["metrics"] == {"lr": [0.1, 0.1]}
    assert since["epochs"] == []
    thin = columns(store, "run", metric="train_loss", points=10)["steps"][0]
    assert len(thin["row"]) <= 10
    assert len(thin["row"]) == len(thin["metrics"]["train_loss"]) == len(thin["timestamp"])
    assert thin["metrics"]["train_loss"][-1] == 100.0


def test_what_epochs_and_rounds_ended_with_is_grouped_by_type_client_and_phase(store: MemoryStore) -> None:
    add(
        store,
        {"type": "epoch_end", "epoch": 1, "phase": "val", "metrics": {"val_auroc": 0.9}},
        {
            "type": "round_end",
            "round": 1,
            "client_id": "c",
            "fit_metrics": {"train_loss": 0.5},
            "eval_metrics": {"val_loss": 0.4},
        },
        {"type": "local_epoch", "round": 1, "local_epoch": 2, "client_id": "c", "metrics": {"train_loss": 0.6}},
        {"type": "round_aggregated", "round": 1, "metrics": {"val_auroc": 0.95}},
    )
    groups = {(each["type"], each["client_id"], each["phase"]): each for each in columns(store, "run")["epochs"]}
    assert set(groups) == {
        ("epoch_end", None, "val"),
        ("round_end", "c", "fit"),
        ("round_end", "c", "eval"),
        ("local_epoch", "c", "train"),
        ("round_aggregated", None, "val"),
    }
    assert groups["round_end", "c", "eval"]["metrics"] == {"val_loss": [0.4]}
    assert groups["local_epoch", "c", "train"]["local_epoch"] == [2]


@pytest.mark.parametrize("metrics", [None, 7, "text", [1], {"a": "text"}, {"a": {"b": 1}}, {"a": True}])
def test_metrics_of_another_form_are_no_line(store: MemoryStore, metrics: Any) -> None:
    add(store, {"type": "step", "phase": "train", "metrics": metrics}, {"type": "epoch_end", "metrics": metrics})
    found = columns(store, "run")
    assert found["steps"][0]["metrics"] == {}
    assert found["epochs"][0]["metrics"] == {}


def test_csv_has_a_row_for_each_measurement_and_no_formula_in_it(store: MemoryStore) -> None:
    add(
        store, {"type": "epoch_end", "epoch": 1, "phase": "val", "client_id": "=cmd()", "metrics": {"+a": -0.5, "b": 1}}
    )
    rows = list(csv.DictReader(io.StringIO(b"".join(exported(store, "run", "csv")).decode())))
    assert [(row["client_id"], row["'+a"], row["b"], row["offset"]) for row in rows] == [("'=cmd()", "-0.5", "1", "1")]


def test_json_lines_are_the_messages_in_order_steps_among_them(store: MemoryStore) -> None:
    add(store, step(1, a=1.0), {"type": "epoch_end", "phase": "train"}, step(2, a=1.0), step(3, a=1.0))
    lines = [json.loads(line) for line in b"".join(exported(store, "run", "jsonl")).splitlines()]
    assert [line.get("offset") or f"row {line['row']}" for line in lines] == ["row 1", 1, "row 2", "row 3"]
    assert b"".join(exported(store, "nobody", "jsonl")) == b""
