from __future__ import annotations

import math
import random

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp.strategy import FedAdam, FedAvg, FedProx

from federated_pneumonia_detection.config import FederatedConfig
from federated_pneumonia_detection.federated.errors import UnknownStrategy
from federated_pneumonia_detection.federated.strategies import (
    build_strategy,
    draw_by_seed,
    mean_where_known,
    settings_of,
)


def reply(values: dict[str, list[float]], weight: int) -> Message:
    arrays = ArrayRecord({key: Array(np.array(value, np.float32)) for key, value in values.items()})
    content = RecordDict({"arrays": arrays, "metrics": MetricRecord({"num-examples": weight})})
    return Message(content, reply_to=asked())


def asked() -> Message:
    from flwr.supercore.task_identity import TaskIdentity

    TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 1
    return Message(RecordDict(), dst_node_id=7, message_type="train")


@pytest.mark.parametrize(("name", "kind"), [("fedavg", FedAvg), ("fedprox", FedProx), ("fedadam", FedAdam)])
def test_each_strategy_is_had_by_its_name(name: str, kind: type) -> None:
    assert isinstance(build_strategy(name), kind)


@pytest.mark.parametrize("name", ["fedavg", "fedprox", "fedadam"])
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


@pytest.mark.parametrize("name", ["fedavg", "fedprox", "fedadam"])
def test_what_a_configuration_says_reaches_the_strategy(name: str) -> None:
    config = FederatedConfig(strategy=name, fraction_train=0.5, proximal_mu=0.3, server_learning_rate=0.02)

    strategy = build_strategy(name, **settings_of(config))

    assert strategy.fraction_train == 0.5
    assert getattr(strategy, "proximal_mu", 0.3) == 0.3
    assert getattr(strategy, "eta", 0.02) == 0.02


def test_fedadam_averages_the_statistics_of_a_batch_norm() -> None:
    """Adam's step on a running variance near zero made it negative, and the network gave NaN from then on."""
    strategy = build_strategy("fedadam", eta=1.0, averaged=["variance"])
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
