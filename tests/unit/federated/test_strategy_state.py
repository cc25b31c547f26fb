from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from flwr.app import ArrayRecord
from flwr.serverapp.strategy import DifferentialPrivacyServerSideFixedClipping, FedAdam, FedAvg

from federated_pneumonia_detection.federated.strategy_state import ACCOUNT, count_on, give_back, strategy_state


class Account:
    """As Flower's accountant, which is not installed everywhere."""

    def __init__(self) -> None:
        self.releases = 0

    def state_dict(self) -> dict[str, object]:
        return {"compositions": [{"count": self.releases}]}

    def load_state_dict(self, state: Any) -> None:
        self.releases = state["compositions"][0]["count"]


def test_moments_come_back_as_they_were_through_a_file_that_cannot_run_anything(tmp_path: Path) -> None:
    before, after = FedAdam(), FedAdam()
    before.m_t, before.v_t = {"w": np.array([1.5, 2.0], np.float32)}, {"w": np.array([0.25, 0.5])}
    torch.save(strategy_state(before), tmp_path / "state.pt")
    give_back(after, torch.load(tmp_path / "state.pt", weights_only=True))
    assert after.m_t is not None
    assert after.v_t is not None
    assert np.array_equal(after.m_t["w"], before.m_t["w"])
    assert after.m_t["w"].dtype == np.float32
    assert np.array_equal(after.v_t["w"], before.v_t["w"])


def test_the_strategy_within_and_what_was_spent_come_back_too() -> None:
    def make() -> Any:
        private: Any = DifferentialPrivacyServerSideFixedClipping(FedAdam(), 1.0, 0.5, 2)
        private.accountant = Account()
        return private

    before, after = make(), make()
    before.strategy.m_t = {"w": np.ones(3)}
    before.accountant.releases = 7
    state = strategy_state(before)
    assert state[ACCOUNT] == {"compositions": [{"count": 7}]}
    give_back(after, state)
    assert after.accountant.releases == 7
    assert np.array_equal(after.strategy.m_t["w"], np.ones(3))


def test_rounds_are_counted_on_for_whoever_stands_around_the_strategy() -> None:
    strategy = FedAvg()
    seen: list[tuple[str, int]] = []

    def flowers(num_rounds: int, evaluate_fn: Any) -> str:
        evaluate_fn(0, ArrayRecord())
        for number in range(1, num_rounds + 1):
            strategy.configure_train(number, ArrayRecord(), None, None)
            evaluate_fn(number, ArrayRecord())
        return "result"

    strategy.start = flowers
    count_on(strategy, 5)
    # Put around it afterwards, as a watch is.
    strategy.configure_train = lambda number, *_: seen.append(("train", number))
    result: Any = strategy.start(num_rounds=7, evaluate_fn=lambda n, _: seen.append(("evaluate", n)))
    assert result == "result"
    assert seen == [("evaluate", 0), ("train", 6), ("evaluate", 6), ("train", 7), ("evaluate", 7)]
