from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp.strategy import FedAdam, FedAvg, FedMedian, FedProx, FedYogi, Krum

from federated_pneumonia_detection.config import FederatedConfig
from federated_pneumonia_detection.config.strategies import SETTINGS
from federated_pneumonia_detection.federated.errors import TooFewAnswers, UnknownStrategy
from federated_pneumonia_detection.federated.strategies import (
    STRATEGIES,
    build_strategy,
    draw_by_seed,
    mean_where_known,
    strategy_of,
)


def reply(values: dict[str, list[float]], weight: int) -> Message:
    arrays = ArrayRecord({key: Array(np.array(value, np.float32)) for key, value in values.items()})
    content = RecordDict({"arrays": arrays, "metrics": MetricRecord({"num-examples": weight})})
    return Message(content, reply_to=asked())


def asked() -> Message:
    from flwr.supercore.task_identity import TaskIdentity

    TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 1
    return Message(RecordDict(), dst_node_id=7, message_type="train")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("fedavg", FedAvg),
        ("fedprox", FedProx),
        ("fedadam", FedAdam),
        ("fedyogi", FedYogi),
        ("fedmedian", FedMedian),
        ("krum", Krum),
    ],
)
def test_each_strategy_is_had_by_its_name(name: str, kind: type) -> None:
    assert isinstance(build_strategy(name), kind)


@pytest.mark.parametrize("name", STRATEGIES)
def test_no_strategy_waits_for_more_than_one_node(name: str) -> None:
    strategy = build_strategy(name)

    assert (strategy.min_train_nodes, strategy.min_available_nodes) == (1, 1)


def test_a_misspelt_strategy_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownStrategy, match=r"'fedporx'; did you mean 'fedprox'\?"):
        build_strategy("fedporx")


def test_a_misspelt_setting_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownStrategy, match=r"fedprox has no setting 'proximal_nu'; did you mean 'proximal_mu'\?"):
        build_strategy("fedprox", proximal_nu=0.1)


def test_a_setting_of_another_strategy_is_refused() -> None:
    with pytest.raises(UnknownStrategy, match="fedavg has no setting 'eta'"):
        build_strategy("fedavg", eta=0.1)


SAID: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "fedavg": ({}, {}),
    "fedprox": ({"proximal_mu": 0.3}, {"proximal_mu": 0.3}),
    "fedadam": (
        {"server_learning_rate": 0.02, "server_beta_1": 0.8, "server_beta_2": 0.9, "server_tau": 0.1},
        {"eta": 0.02, "beta_1": 0.8, "beta_2": 0.9, "tau": 0.1},
    ),
    "fedyogi": ({"server_learning_rate": 0.02}, {"eta": 0.02, "beta_1": 0.9, "tau": 1e-3}),
    "fedmedian": ({}, {}),
    "krum": ({"malicious_clients": 2}, {"num_malicious_nodes": 2}),
}


@pytest.mark.parametrize("name", STRATEGIES)
def test_what_a_configuration_says_reaches_the_strategy(name: str) -> None:
    said, had = SAID[name]

    strategy = strategy_of(FederatedConfig(strategy=name, num_clients=20, fraction_train=0.5, **said))

    assert strategy.fraction_train == 0.5  # type: ignore[attr-defined]
    assert {key: getattr(strategy, key) for key in had} == had


def test_every_strategy_of_the_configuration_can_be_built() -> None:
    assert set(STRATEGIES) == set(SETTINGS["strategy"])


@pytest.mark.parametrize(("name", "needed", "settings"), [("fedmedian", 3, {}), ("krum", 5, {"malicious_clients": 1})])
def test_too_few_updates_to_be_safe_end_the_run(name: str, needed: int, settings: dict[str, Any]) -> None:
    strategy = strategy_of(FederatedConfig(strategy=name, num_clients=5, **settings))
    replies = [reply({"weight": [float(number)]}, 10) for number in range(needed - 1)]

    with pytest.raises(
        TooFewAnswers, match=f"round 4: {name} needs {needed} updates to be safe, and {needed - 1} came"
    ):
        strategy.aggregate_train(4, replies)


def test_krum_is_not_moved_by_a_client_that_lies() -> None:
    strategy = strategy_of(FederatedConfig(strategy="krum", num_clients=5, malicious_clients=1))
    honest = [reply({"weight": [1.0 + number / 10]}, 10) for number in range(4)]

    arrays, _ = strategy.aggregate_train(1, [*honest, reply({"weight": [1e6]}, 10)])

    assert arrays is not None
    assert 1.0 <= arrays["weight"].numpy()[0] <= 1.3


@pytest.mark.parametrize("name", ["fedadam", "fedyogi"])
def test_an_optimiser_of_the_server_leaves_the_statistics_of_a_batch_norm_to_averaging(name: str) -> None:
    """Adam's step on a running variance near zero made it negative, and the network gave NaN from then on."""
    strategy = build_strategy(name, eta=1.0, averaged=["variance"])
    strategy.current_arrays = {"weight": np.array([1.0]), "variance": np.array([0.5])}

    arrays, _ = strategy.aggregate_train(
        1, [reply({"weight": [2.0], "variance": [0.1]}, 10), reply({"weight": [4.0], "variance": [0.4]}, 20)]
    )

    assert arrays is not None
    np.testing.assert_allclose(arrays["variance"].numpy(), [0.3], rtol=1e-6)
    assert arrays["weight"].numpy()[0] != pytest.approx(10 / 3)


def test_a_client_of_one_class_does_not_take_the_others_their_auroc() -> None:
    asked()
    one, two = (
        RecordDict({"m": MetricRecord({"num-examples": weight, "train_loss": loss, "train_auroc": auroc})})
        for weight, loss, auroc in ((10, 1.0, math.nan), (30, 2.0, 0.9))
    )

    mean = mean_where_known([one, two], "num-examples")

    assert dict(mean) == {"train_loss": 1.75, "train_auroc": pytest.approx(0.9)}


class _Nodes:
    def get_node_ids(self) -> list[int]:
        return list(range(100, 120))


def test_the_same_clients_are_drawn_each_time_and_others_in_the_next_round() -> None:
    def drawn(round_num: int) -> list[int]:
        strategy = build_strategy("fedavg", fraction_train=0.25)
        draw_by_seed(strategy, 3)
        asked()
        messages = strategy.configure_train(round_num, ArrayRecord(), ConfigRecord(), _Nodes())  # type: ignore[arg-type]
        return [message.metadata.dst_node_id for message in messages]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_drawing_leaves_the_random_state_of_the_process_alone() -> None:
    strategy = build_strategy("fedavg")
    draw_by_seed(strategy, 3)
    asked()
    before = random.getstate()

    strategy.configure_train(1, ArrayRecord(), ConfigRecord(), _Nodes())  # type: ignore[arg-type]

    assert random.getstate() == before
