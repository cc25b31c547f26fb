from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_pneumonia_detection.hub.attempts import Attempts, Wanted
from federated_pneumonia_detection.hub.export import exported
from federated_pneumonia_detection.hub.fold import fold_all
from federated_pneumonia_detection.hub.run_document import document
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


def test_each_point_lies_on_the_axes_that_were_asked_for_however_thin_the_line(store: MemoryStore) -> None:
    add(
        store,
        {"type": "run_start", "data": {"splits": {"train": {"n": 90}}}},
        *(step(number, train_loss=float(number)) for number in range(1, 10)),
        {"type": "epoch_end", "epoch": 1, "phase": "val", "metrics": {"val_loss": 0.5}},
    )
    found = columns(store, "run", x=("images", "bytes"), points=4)
    (steps,), (epochs,) = found["steps"], found["epochs"]
    assert steps["x"]["images"] == pytest.approx([row * 10 for row in steps["row"]])
    assert steps["x"]["bytes"] == [None] * len(steps["row"])
    assert len(steps["row"]) < 9
    assert epochs["x"] == {"images": [90], "bytes": [None]}
    assert "x" not in columns(store, "run")["steps"][0]


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


def begun_twice(from_: dict[str, int]) -> list[dict[str, Any]]:
    """Three epochs, then on from the first, as their writers say it; the last line of the first attempt comes late."""

    def said(attempt: int, epoch: int, second: int, value: float) -> list[dict[str, Any]]:
        mark = {"timestamp": f"2026-11-24T10:00:{second:02}+00:00", **({} if attempt == 1 else {"attempt": attempt})}
        return [
            {"type": "step", "epoch": epoch, "step": 1, "phase": "train", "metrics": {"train_loss": value}, **mark},
            {"type": "epoch_end", "epoch": epoch, "phase": "val", "metrics": {"val_auroc": value}, **mark},
        ]

    start = {"type": "run_start", "mode": "centralized", "timestamp": "2026-11-24T10:00:00+00:00"}
    first = [m for epoch in (1, 2, 3) for m in said(1, epoch, epoch, 0.1 * epoch)]
    again = {**start, "attempt": 2, **from_, "timestamp": "2026-11-24T10:00:30+00:00"}
    return [{**start, "attempt": 1}, *first[:-1], again, *said(2, 2, 31, 0.7), first[-1]]


def test_a_run_that_went_back_has_one_curve_and_all_of_it_or_one_attempt_for_who_asks(store: MemoryStore) -> None:
    messages = begun_twice({"from_epoch": 1})
    add(store, *messages)
    attempts = Attempts(fold_all("run", messages))

    def of(attempt: Wanted, part: str) -> tuple[list[int], list[int], list[bool], list[float | None]]:
        (found,) = columns(store, "run", attempts=attempts, attempt=attempt)[part]
        (values,) = found["metrics"].values()
        return found["epoch"], found["attempt"], found["current"], [round(value, 1) for value in values]

    assert of("current", "epochs") == ([1, 2], [1, 2], [True, True], [0.1, 0.7])
    assert of("current", "steps") == ([1, 2], [1, 2], [True, True], [0.1, 0.7])
    assert of("all", "epochs") == ([1, 2, 2, 3], [1, 1, 2, 1], [True, False, True, False], [0.1, 0.2, 0.7, 0.3])
    assert of("all", "steps") == ([1, 2, 3, 2], [1, 1, 1, 2], [True, False, False, True], [0.1, 0.2, 0.3, 0.7])
    assert of(1, "epochs") == ([1, 2, 3], [1, 1, 1], [True, False, False], [0.1, 0.2, 0.3])
    assert columns(store, "run", attempts=attempts, attempt=9) == columns(store, "nobody") | {"run_id": "run"}

    rows = list(csv.DictReader(io.StringIO(b"".join(exported(store, "run", "csv", attempts)).decode())))
    assert [(row["epoch"], row["attempt"], row["current"]) for row in rows if row["type"] == "epoch_end"] == [
        ("1", "1", "1"),
        ("2", "1", "0"),
        ("2", "2", "1"),
        ("3", "1", "0"),
    ]
    lines = [json.loads(line) for line in b"".join(exported(store, "run", "jsonl", attempts)).splitlines()]
    assert [line["attempt"] for line in lines] == [1, 1, 1, 1, 1, 1, 2, 2, 2, 1]


def test_attempts_of_before_messages_named_theirs_are_told_by_the_clock(store: MemoryStore) -> None:
    messages = [{k: v for k, v in m.items() if m["type"] == "run_start" or k != "attempt"} for m in begun_twice({})]
    add(store, *messages)
    attempts = Attempts(fold_all("run", messages))
    (found,) = columns(store, "run", attempts=attempts, attempt="all")["epochs"]
    assert list(zip(found["epoch"], found["attempt"], found["current"], strict=True)) == [
        (1, 1, False),
        (2, 1, False),
        (2, 2, True),
        (3, 1, False),
    ]


def test_the_document_of_a_run_that_went_back_keeps_all_and_tells_its_attempts(store: MemoryStore) -> None:
    messages = begun_twice({"from_epoch": 1})
    add(store, *messages)
    found = json.loads(document(store, fold_all("run", messages))[0])
    assert [m["epoch"] for m in found["epochs"] if m["type"] == "epoch_end"] == [1, 2, 2, 3]
    assert found["current_epoch"] == 2
    assert [(a["attempt"], a["from"], a["reached"], a["kept"]) for a in found["metadata"]["attempts"]] == [
        (1, 0, 3, 1),
        (2, 1, 2, 2),
    ]
