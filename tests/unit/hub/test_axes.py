"""Where figures lie on the axes that runs share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from federated_pneumonia_detection.hub.axes import AXES, Axes, Place

RECORDINGS = Path(__file__).parents[2] / "recordings"
BEGUN = "2026-11-24T10:00:00+00:00"
SPLITS = {"splits": {"train": {"n": 100}}}


def start(**fields: Any) -> dict[str, Any]:
    return {"type": "run_start", "timestamp": BEGUN, "data": SPLITS, **fields}


def end(client: str, round_: int, n: int, **fields: Any) -> dict[str, Any]:
    return {"type": "round_end", "client_id": client, "round": round_, "fit_metrics": {"num_samples": n}, **fields}


def everywhere(axes: Axes, place: Place) -> dict[str, float | None]:
    return {axis: axes.at(place, axis) for axis in AXES}


def test_a_centralised_run_has_seen_its_training_split_once_an_epoch_and_moves_nothing() -> None:
    axes = Axes([start()])
    at = "2026-11-24T10:01:30+00:00"
    assert everywhere(axes, Place(epoch=3, timestamp=at)) == {
        "images": 300,
        "epochs": 3,
        "rounds": None,
        "seconds": 90,
        "bytes": None,
    }
    assert axes.at(Place(epoch=3, step=5, total_steps=20), "images") == 225
    assert axes.at(Place(epoch=3, step=5), "epochs") is None


def test_a_round_counts_what_each_client_that_sent_had_trained_on_in_its_local_epochs() -> None:
    axes = Axes(
        [
            start(config={"local_epochs": 2}),
            end("a", 1, 60, bytes_down=1000, bytes_up=900),
            end("b", 1, 40, bytes_down=1000, bytes_up=900),
            {"type": "local_epoch", "client_id": "a", "round": 2, "local_epoch": 1},
            end("a", 2, 60, bytes_down=1000, bytes_up=900),
            {"type": "client_failed", "client_id": "b", "round": 2, "error": "gone", "bytes_down": 1000},
        ]
    )
    assert everywhere(axes, Place(round=1)) == {
        "images": 200,
        "epochs": 2,
        "rounds": 1,
        "seconds": None,
        "bytes": 3800,
    }
    # It stopped after one of two local epochs, and the other one sent nothing; what was sent to it was sent.
    assert everywhere(axes, Place(round=2)) | {"seconds": None} == {
        "images": 260,
        "epochs": 2.6,
        "rounds": 2,
        "seconds": None,
        "bytes": 6700,
    }


def test_within_a_round_a_client_counts_by_its_local_epochs_and_steps() -> None:
    data = {**SPLITS, "clients": {"a": {"train": {"n": 50}}}}
    messages = [start(data=data, config={"local_epochs": 4}), end("a", 1, 50)]
    axes = Axes([*messages, {"type": "local_epoch", "client_id": "a", "round": 2, "local_epoch": 1}])
    one = Place("a", round=2, local_epoch=1)
    assert [axes.at(one, axis) for axis in ("images", "epochs", "rounds")] == [250, 5, 1.25]
    half = Place("a", round=2, epoch=2, step=5, total_steps=10)
    assert [axes.at(half, axis) for axis in ("images", "epochs", "rounds")] == [275, 5.5, 1.375]


def test_what_nobody_told_is_not_guessed() -> None:
    axes = Axes([{"type": "round_end", "client_id": "a", "round": 1, "fit_metrics": {}}])
    assert everywhere(axes, Place(round=1)) == {**dict.fromkeys(AXES), "rounds": 1}
    assert everywhere(axes, Place("a", round=7)) == {**dict.fromkeys(AXES), "rounds": 7}
    assert axes.at(Place(epoch=1), "images") is None


def test_a_round_that_was_superseded_counts_once() -> None:
    axes = Axes(
        [
            start(),
            *(end("a", number, 10) for number in (1, 2, 3)),
            start(attempt=2, from_round=1),
            end("a", 2, 20, attempt=2),
        ]
    )
    assert [axes.at(Place(round=number), "images") for number in (1, 2)] == [10, 30]


@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("*.axes.json")), ids=lambda path: path.stem)
def test_a_recorded_run_lies_where_it_is_expected(path: Path) -> None:
    lines = path.with_name(path.name.replace(".axes.json", ".jsonl")).read_text(encoding="utf-8").splitlines()
    messages = [json.loads(line) for line in lines]
    axes = Axes(messages)
    told = [m for m in messages if "client_id" not in m]
    said = [m for m in told if m["type"] == "round_aggregated" or (m["type"], m.get("phase")) == ("epoch_end", "val")]
    for message, expected in zip(said, json.loads(path.read_text(encoding="utf-8")), strict=True):
        place = Place(epoch=message.get("epoch"), round=message.get("round"), timestamp=message["timestamp"])
        found = {axis: at if at is None else round(at, 3) for axis, at in everywhere(axes, place).items()}
        assert found == {axis: expected[axis] for axis in AXES}
