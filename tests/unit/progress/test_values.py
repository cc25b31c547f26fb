from __future__ import annotations

import decimal
import json
import math
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from federated_pneumonia_detection.progress import values


class Hostile:
    def __float__(self) -> float:
        raise RuntimeError("no")

    def __str__(self) -> str:
        raise RuntimeError("no")


def told(raw: Any) -> Any:
    return values.metrics_of(raw, lambda cause, text: None)[0]


@pytest.mark.parametrize(
    ("value", "becomes"),
    [
        (1, 1),
        (0.5, 0.5),
        (True, True),
        (None, None),
        ("warm-up", "warm-up"),
        ("\ud800", "?"),
        (2**70, float(2**70)),
        (torch.tensor(0.25), 0.25),
        (torch.tensor([3]), 3),
        (torch.tensor(1.5, requires_grad=True), 1.5),
        (torch.tensor(True), True),
        (torch.tensor([1.0, 2.0]), None),
        (np.float32(0.5), 0.5),
        (np.float64(0.5), 0.5),
        (np.int64(7), 7),
        (np.bool_(True), True),
        (np.array([1.0, 2.0]), None),
        (decimal.Decimal("0.5"), 0.5),
        (float("nan"), None),
        (float("inf"), None),
        (np.float32("nan"), None),
        (torch.tensor(float("-inf")), None),
        (1j, None),
        (b"x", None),
        (object(), None),
        (Hostile(), None),
        ([1, 2], None),
    ],
)
def test_a_metric_becomes_a_number_or_what_json_can_tell(value: Any, becomes: Any) -> None:
    result = told({"metric": value, "another": 1.0})["metric"]
    assert result == becomes
    assert type(result) is type(becomes)


def test_a_tensor_on_a_device_without_data_becomes_null() -> None:
    assert told({"metric": torch.empty((), device="meta")}) == {"metric": None}


def test_nested_dicts_are_flattened_and_names_become_text() -> None:
    assert told({"val": {"loss": 1.0, "by": {"class": 2}}, 3: 4.0, None: 1, Hostile(): 2}) == {
        "val/loss": 1.0,
        "val/by/class": 2,
        "3": 4.0,
        "None": 1,
        "<Hostile>": 2,
    }


def test_nan_and_infinity_are_named_once_each() -> None:
    metrics, names = values.metrics_of({"a": float("nan"), "b": {"c": float("inf")}, "d": 1.0}, lambda *_: None)
    assert names == ["a", "b/c"]
    assert metrics == {"a": None, "b/c": None, "d": 1.0}


@pytest.mark.parametrize("raw", [None, {}, [], "text", 3, object(), {"a": {}}])
def test_what_is_no_dict_is_no_metrics(raw: Any) -> None:
    assert told(raw) == {}


def test_what_contains_itself_ends_somewhere() -> None:
    endless: dict[str, Any] = {"a": 1}
    endless["self"] = endless
    assert told(endless)["a"] == 1
    loop: list[Any] = [1]
    loop += [loop, loop]
    json.dumps(values.plain({"loop": loop, "dict": endless}, lambda *_: None))


@pytest.mark.parametrize(
    ("value", "becomes"),
    [
        (3, 3),
        (0, 0),
        (-1, -1),
        (2.0, 2),
        (1.5, None),
        (None, None),
        ("3", None),
        (torch.tensor(3), 3),
        (np.int32(3), 3),
        (float("nan"), None),
        (float("inf"), None),
        (2**100, None),
        (Hostile(), None),
        ([1], None),
    ],
)
def test_an_epoch_is_a_whole_number_or_null(value: Any, becomes: int | None) -> None:
    assert values.whole(value, "epoch", lambda *_: None) == becomes


def test_one_warning_says_what_was_wrong() -> None:
    heard: list[tuple[str, str]] = []
    values.whole(1.5, "epoch", lambda *said: heard.append(said))
    assert heard == [("epoch is no whole number", "epoch is 1.5, not a whole number; it is recorded as null")]


def test_an_event_keeps_its_shape() -> None:
    data = {"list": [1, (2, 3)], "array": np.array([[1, 2], [3, 4]]), "none": None, "nan": math.nan, 1: {"x"}}
    assert values.plain(data, lambda *_: None) == {
        "list": [1, [2, 3]],
        "array": [[1, 2], [3, 4]],
        "none": None,
        "nan": None,
        "1": ["x"],
    }


def test_an_array_of_a_whole_image_is_not_unfolded() -> None:
    assert values.plain(np.zeros((1000, 1000)), lambda *_: None) is None


def test_a_long_curve_is_thinned_to_200_points_with_both_ends() -> None:
    column = values.column(torch.linspace(0, 1, 5001), lambda *_: None)
    assert len(column) == 200
    assert (column[0], column[-1]) == (0.0, 1.0)
    assert values.column([math.inf, 1], lambda *_: None) == [None, 1.0]
    assert values.column(None, lambda *_: None) == []


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.binary()
    | st.just(Hostile()),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.integers() | st.none(), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(anything)
def test_whatever_is_logged_can_be_told_in_json(value: Any) -> None:
    for result in (values.plain(value, lambda *_: None), told({"x": value}), told(value)):
        json.loads(msgspec.json.encode(result), parse_constant=lambda name: pytest.fail(name))
