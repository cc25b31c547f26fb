"""A federated run that goes on from a round: the same global models as without the interruption."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from federated_pneumonia_detection.federated import AllClientsFailed, FederatedTrainer
from federated_pneumonia_detection.progress.asked import points
from federated_pneumonia_detection.progress.errors import CannotGoOn

Make = Callable[..., FederatedTrainer]


@pytest.mark.parametrize("strategy", ["fedavg", "fedadam"])
def test_the_rounds_are_bit_for_bit_those_of_the_uninterrupted_run(
    make_trainer: Make, fails_in: type[Any], small_source: Path, tmp_path: Path, told: Any, strategy: str
) -> None:
    changes = {"num_rounds": 4, "strategy": strategy, "num_clients": 2}
    whole = make_trainer(where=tmp_path / "whole", **changes).train(small_source, run_id="run")
    with pytest.raises(AllClientsFailed):
        make_trainer(fails_in(4), **changes).train(small_source, run_id="run")
    assert points(tmp_path / "checkpoints" / "run", "round") == [1, 2, 3]

    # Nothing is told but the run: not even its configuration.
    results = make_trainer().resume("run", from_round=2)

    assert results["history"] == whole["history"]
    assert [row["round"] for row in results["history"]] == [1, 2, 3, 4]
    one, other = (torch.load(x["best_model_path"], weights_only=True) for x in (whole, results))
    assert all(torch.equal(one[name], other[name]) for name in one)
    starts = told(kind="run_start")
    assert [(m["attempt"], m.get("from_round")) for m in starts] == [(1, None), (2, 2)]
    second = [m for m in told() if m.get("attempt", 1) == 2]
    assert [m["round"] for m in second if m["type"] == "round_aggregated"] == [3, 4]
    clients = [m for m in told("client_0") if m.get("attempt", 1) == 2]
    assert [m["round"] for m in clients if m["type"] == "round_end"] == [3, 4]
    assert {m["total_rounds"] for m in clients if m["type"] == "round_start"} == {4}


def test_the_newest_three_rounds_and_the_best_are_kept(make_trainer: Make, small_source: Path, tmp_path: Path) -> None:
    results = make_trainer(num_rounds=5, num_clients=1).train(small_source, run_id="run")
    assert points(tmp_path / "checkpoints" / "run", "round") == sorted({3, 4, 5, results["best_round"]})


def test_a_round_that_is_not_there_is_named_with_those_that_are(
    make_trainer: Make, fails_in: type[Any], small_source: Path, told: Any
) -> None:
    with pytest.raises(AllClientsFailed):
        make_trainer(fails_in(3), num_clients=2).train(small_source, run_id="run")
    before = len(told())
    with pytest.raises(CannotGoOn, match="no checkpoint of round 9; there are those of rounds 1 and 2"):
        make_trainer().resume("run", from_round=9)
    assert len(told()) == before
