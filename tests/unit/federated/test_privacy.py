"""Differential privacy: what is clipped, what is counted, and how it compares with the exact account."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.supercore.task_identity import TaskIdentity

from federated_pneumonia_detection.config import FederatedConfig
from federated_pneumonia_detection.federated.errors import AccountantMissing
from federated_pneumonia_detection.federated.privacy import effective_noise
from federated_pneumonia_detection.federated.strategies import strategy_of
from federated_pneumonia_detection.federated.strategy_facts import privacy_spent
from federated_pneumonia_detection.federated.weights import load_weights, statistics_of, weights_of


class Nodes:
    def __init__(self, count: int) -> None:
        self.count = count

    def get_node_ids(self) -> list[int]:
        return list(range(100, 100 + self.count))


@pytest.fixture(autouse=True)
def identity() -> None:
    TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 1


def play(config: FederatedConfig, updates: list[dict[str, float]], rounds: int = 1) -> tuple[object, dict[str, float]]:
    """Rounds in which every client sends the zeros it got and its update; the strategy, and the last model."""
    strategy = strategy_of(config)
    arrays = ArrayRecord({name: Array(np.zeros(1, np.float32)) for name in updates[0]})
    for number in range(1, rounds + 1):
        asked = list(strategy.configure_train(number, arrays, ConfigRecord(), Nodes(len(updates))))  # type: ignore[arg-type]
        replies = [
            Message(
                RecordDict(
                    {
                        "arrays": ArrayRecord(
                            {name: Array(arrays[name].numpy() + np.float32(value)) for name, value in update.items()}
                        ),
                        "metrics": MetricRecord({"num-examples": 10 * (index + 1)}),
                    }
                ),
                reply_to=message,
            )
            for index, (message, update) in enumerate(zip(asked, updates, strict=True))
        ]
        made, _ = strategy.aggregate_train(number, replies)
        assert made is not None
    return strategy, {name: float(array.numpy()[0]) for name, array in made.items()}


def exact_epsilon(noise: float, rounds: int, delta: float) -> float:
    """What that many Gaussian releases cost exactly (Balle and Wang, 2018), by bisection."""
    phi, sigma = NormalDist().cdf, noise / math.sqrt(rounds)
    low, high = 0.0, 1000.0
    for _ in range(200):
        middle = (low + high) / 2
        reached = phi(0.5 / sigma - middle * sigma) - math.exp(middle) * phi(-0.5 / sigma - middle * sigma)
        low, high = (middle, high) if reached > delta else (low, middle)
    return high


def test_updates_are_clipped_and_count_alike_whoever_has_more_images() -> None:
    config = FederatedConfig(privacy="server_fixed", num_clients=2, noise_multiplier=0.0, clipping_norm=1.0)

    _, made = play(config, [{"w": 100.0}, {"w": 0.5}])

    assert made["w"] == pytest.approx((1.0 + 0.5) / 2)


def test_a_variance_is_kept_from_becoming_negative() -> None:
    strategy = strategy_of(FederatedConfig(privacy="server_fixed", num_clients=1, noise_multiplier=0.0))
    arrays = ArrayRecord({"bn.running_var": Array(np.array([0.5], np.float32))})
    (asked,) = strategy.configure_train(1, arrays, ConfigRecord(), Nodes(1))  # type: ignore[arg-type]
    content = {"a": ArrayRecord({"bn.running_var": Array(np.array([-0.3], np.float32))})}
    made, _ = strategy.aggregate_train(
        1, [Message(RecordDict({**content, "m": MetricRecord({"num-examples": 1})}), reply_to=asked)]
    )

    assert made is not None
    assert made["bn.running_var"].numpy()[0] == pytest.approx(0.05)


@pytest.mark.parametrize(("noise", "rounds"), [(1.0, 1), (1.0, 10), (4.0, 50)])
def test_the_account_is_never_less_than_the_exact_one_and_not_much_more(noise: float, rounds: int) -> None:
    pytest.importorskip("dp_accounting")
    config = FederatedConfig(privacy="server_fixed", num_clients=3, noise_multiplier=noise, delta=1e-5)

    strategy, _ = play(config, [{"w": 1.0}, {"w": 2.0}, {"w": 3.0}], rounds)

    exact = exact_epsilon(noise, rounds, 1e-5)
    assert exact <= privacy_spent(strategy)["epsilon"] <= 1.3 * exact  # type: ignore[arg-type]


def test_adaptive_clipping_is_charged_for_the_noise_that_was_added_and_for_the_count() -> None:
    pytest.importorskip("dp_accounting")
    config = FederatedConfig(privacy="server_adaptive", num_clients=3, noise_multiplier=1.0, clipping_norm=0.1)

    strategy, _ = play(config, [{"w": 1.0}, {"w": 2.0}, {"w": 3.0}], 2)

    assert strategy.accountant.num_releases == 2  # type: ignore[attr-defined]
    assert privacy_spent(strategy)["epsilon"] > exact_epsilon(1.0, 2, 1e-5)  # type: ignore[arg-type]


def test_a_norm_that_shrinks_makes_the_noise_count_for_less() -> None:
    assert effective_noise(2.0, 1e9, 1.0, 1.0) == pytest.approx(2.0)
    assert effective_noise(2.0, 1e9, 1.0, 0.5) == pytest.approx(1.0)
    assert effective_noise(1.0, 1.0, 1.0, 1.0) == pytest.approx(math.sqrt(0.5))


def test_a_limit_without_an_account_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "dp_accounting", None)

    with pytest.raises(AccountantMissing, match=r"pip install 'flwr\[dp\]'"):
        strategy_of(FederatedConfig(privacy="server_fixed", max_epsilon=1.0))
    assert privacy_spent(strategy_of(FederatedConfig(privacy="server_fixed"))) == {}


def test_what_is_only_counted_does_not_travel() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    network[1].num_batches_tracked += 7

    sent = weights_of(network)
    other = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    load_weights(other, sent)

    assert "1.num_batches_tracked" not in sent
    assert statistics_of(network) == ["1.running_mean", "1.running_var"]
    assert torch.equal(other[0].weight, network[0].weight)
    with pytest.raises(RuntimeError, match="Missing key"):
        load_weights(network, ArrayRecord({}))
