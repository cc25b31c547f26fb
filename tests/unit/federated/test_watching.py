"""Progress around a stranger's Flower app: what is told, and that nothing else changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flower_strangers import MakeApp, bits, run, told, types
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.clientapp.mod import message_size_mod
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAdam, FedAvg, FedProx, FedTrimmedAvg, Strategy
from flwr.supercore.task_identity import TaskIdentity

from federated_pneumonia_detection.federated.batches import current_progress
from federated_pneumonia_detection.federated.client_watch import progress_mod, watch_client_app
from federated_pneumonia_detection.federated.grid import GuardedGrid
from federated_pneumonia_detection.federated.local_engine import LocalGrid, run_local
from federated_pneumonia_detection.federated.roster import Roster
from federated_pneumonia_detection.federated.strategy_watch import watch_strategy
from federated_pneumonia_detection.progress import FederatedProgressLogger

NAMES = Roster({1000: "client_0", 1001: "client_1", 1002: "client_2"})
"""As the embedded grid numbers its nodes."""


class Connecting(LocalGrid):
    """A grid to which one node more has connected each second time somebody looks."""

    def __init__(self, nodes: list[int]) -> None:
        self._nodes, self._looks = nodes, 0

    def get_node_ids(self) -> list[int]:
        self._looks += 1
        return self._nodes[: (self._looks - 1) // 2]


def stages(messages: list[dict[str, Any]]) -> list[tuple[str, int, list[str] | None]]:
    return [(m["stage"], m["round"], m["connected"]) for m in messages if m["type"] == "stage"]


@pytest.mark.parametrize(
    "make_strategy",
    [
        lambda: FedAvg(fraction_evaluate=0.0),
        lambda: FedProx(fraction_evaluate=0.0, proximal_mu=0.1),
        lambda: FedAdam(fraction_evaluate=0.0),
        lambda: FedTrimmedAvg(fraction_evaluate=0.0),
    ],
)
def test_weights_are_bit_for_bit_the_same_with_and_without_progress(
    make_strategy: Callable[[], Strategy],
    adding_app: MakeApp,
    node_configs: list[dict[str, object]],
    tmp_path: Path,
) -> None:
    plain = run(adding_app(), make_strategy(), node_configs)
    with FederatedProgressLogger(None, tmp_path, "strangers", run_id="r1") as logger:
        watched = run(
            adding_app(mods=[progress_mod(str(tmp_path))]),
            make_strategy(),
            node_configs,
            watch=lambda strategy: watch_strategy(strategy, logger),
        )

    assert bits(watched) == bits(plain)
    assert watched.train_metrics_clientapp == plain.train_metrics_clientapp
    assert watched.evaluate_metrics_serverapp == plain.evaluate_metrics_serverapp == {}


def test_a_watched_strategy_is_the_same_object_of_the_same_class(tmp_path: Path) -> None:
    strategy = FedAvg()

    assert watch_strategy(strategy, FederatedProgressLogger(None, tmp_path, run_id="r1")) is strategy
    assert type(strategy) is FedAvg


def test_server_and_clients_are_one_run_although_nobody_named_it(
    adding_app: MakeApp, node_configs: list[dict[str, object]], tmp_path: Path
) -> None:
    with FederatedProgressLogger(None, tmp_path, "strangers") as logger:
        run(
            adding_app(mods=[progress_mod(str(tmp_path), experiment_name="strangers")]),
            FedAvg(fraction_evaluate=0.0),
            node_configs,
            watch=lambda strategy: watch_strategy(strategy, logger),
        )

    heads = [json.loads(path.read_text().splitlines()[0]) for path in tmp_path.glob("*.jsonl")]
    assert {head["run_id"] for head in heads} == {logger.run_id}
    assert {head["experiment_name"] for head in heads} == {"strangers"}
    assert {head["client_id"] for head in heads} == {None, "client_0", "client_1", "client_2"}
    once = ["round_start", "round_aggregated", "round_end"]
    assert types(told(tmp_path)) == ["run_start", *once, *once, "training_complete"]
    assert types(told(tmp_path, "client_2")) == ["round_start", "round_end"] * 2


def test_the_server_says_what_it_does_of_a_round_and_whom_it_has_asked(
    adding_app: MakeApp, node_configs: list[dict[str, object]], tmp_path: Path
) -> None:
    with FederatedProgressLogger(None, tmp_path) as logger:
        run(
            adding_app(mods=[progress_mod(str(tmp_path))]),
            FedAvg(),
            node_configs,
            rounds=1,
            evaluate_fn=lambda server_round, arrays: MetricRecord({"val_loss": 1.0}),
            watch=lambda strategy: watch_strategy(strategy, logger, roster=NAMES),
        )

    everybody = ["client_0", "client_1", "client_2"]
    assert stages(told(tmp_path)) == [
        ("training", 1, everybody),
        ("aggregating", 1, None),
        ("evaluating", 1, everybody),
        ("evaluating", 1, None),
    ]


def test_a_strategy_that_waits_for_nodes_says_which_are_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Flower looks once a second.
    monkeypatch.setattr("flwr.serverapp.strategy.strategy_utils.sleep", lambda seconds: None)
    for name in ("_run_id", "_task_id", "_node_id"):
        monkeypatch.setattr(TaskIdentity, name, 1)
    with FederatedProgressLogger(None, tmp_path) as logger:
        strategy = watch_strategy(FedAvg(fraction_evaluate=0.0, min_available_nodes=3), logger, roster=NAMES)
        strategy.configure_train(1, ArrayRecord(), ConfigRecord(), Connecting([1000, 1001, 1002]))

    waits = [m for m in told(tmp_path) if m["type"] == "stage" and m["stage"] == "waiting_for_clients"]
    assert [(m["round"], m["expected"], m["connected"]) for m in waits] == [
        (1, 3, []),
        (1, 3, ["client_0"]),
        (1, 3, ["client_0", "client_1"]),
    ]


def test_clients_alone_take_flowers_own_number_as_their_run(
    adding_app: MakeApp, node_configs: list[dict[str, object]], tmp_path: Path
) -> None:
    run(adding_app(mods=[progress_mod(str(tmp_path))]), FedAvg(fraction_evaluate=0.0), node_configs)

    runs = {json.loads(path.read_text().splitlines()[0])["run_id"] for path in tmp_path.glob("*.jsonl")}
    assert len(runs) == 1
    assert runs.pop().startswith("flwr-")


def test_an_app_that_is_finished_is_watched_from_outside(
    adding_app: MakeApp, node_configs: list[dict[str, object]], tmp_path: Path
) -> None:
    """Flower binds an app's mods when its functions are registered: later ones do nothing."""
    app = watch_client_app(adding_app(mods=[message_size_mod]), progress_mod(str(tmp_path)))

    run(app, FedAvg(fraction_evaluate=0.0), node_configs, rounds=1)

    (end,) = [m for m in told(tmp_path, "client_1") if m["type"] == "round_end"]
    assert end["fit_metrics"] == {"train_loss": 0.5, "num_samples": 20}


def test_a_failing_client_is_named_even_where_only_flower_knows_the_node(
    adding_app: MakeApp, node_configs: list[dict[str, object]], tmp_path: Path
) -> None:
    app = adding_app(lambda partition, round_num: (partition, round_num) == (1, 2), mods=[progress_mod(str(tmp_path))])
    with FederatedProgressLogger(None, tmp_path, "strangers", run_id="r1") as logger:
        run(
            app,
            FedAvg(fraction_evaluate=0.0),
            node_configs,
            watch=lambda strategy: watch_strategy(strategy, logger),
        )

    (failed,) = [m for m in told(tmp_path) if m["type"] == "client_failed"]
    assert (failed["client_id"], failed["round"]) == ("client_1", 2)
    assert failed["error"] == "ValueError: the images of round 2 are gone"
    assert types(told(tmp_path, "client_1")) == ["round_start", "round_end", "round_start", "training_error"]
    error = told(tmp_path, "client_1")[-1]
    assert error["error"] == failed["error"]
    assert "the images of round 2 are gone" in error["detail"].splitlines()[-1]


def test_a_run_without_any_update_ends_as_an_error_whatever_flower_says(
    adding_app: MakeApp, node_configs: list[dict[str, object]], tmp_path: Path
) -> None:
    with FederatedProgressLogger(None, tmp_path, "strangers", run_id="r1") as logger:
        run(
            adding_app(lambda partition, round_num: True),
            FedAvg(fraction_evaluate=0.0),
            node_configs,
            watch=lambda strategy: watch_strategy(strategy, logger),
        )

    last = told(tmp_path)[-1]
    assert last["type"] == "training_error"
    assert last["error"].startswith("no client sent an update: client_1000: ValueError: the images of round 2")


def test_the_central_evaluation_is_the_aggregate_and_is_called_as_without(
    adding_app: MakeApp, node_configs: list[dict[str, object]], tmp_path: Path
) -> None:
    rounds_seen: list[int] = []

    def evaluate(round_num: int, arrays: ArrayRecord) -> MetricRecord:
        rounds_seen.append(round_num)
        return MetricRecord({"val_loss": 1.0 / (1 + round_num), "num_samples": 9})

    with FederatedProgressLogger(None, tmp_path, "strangers", run_id="r1") as logger:
        run(
            adding_app(),
            FedAvg(fraction_evaluate=0.0),
            node_configs,
            evaluate_fn=evaluate,
            watch=lambda strategy: watch_strategy(strategy, logger),
        )

    assert rounds_seen == [0, 1, 2]
    aggregated = [m for m in told(tmp_path) if m["type"] == "round_aggregated"]
    assert [m["metrics"]["val_loss"] for m in aggregated] == [0.5, pytest.approx(1 / 3)]
    assert aggregated[0]["num_clients"] == 3


def evaluating(app: ClientApp) -> ClientApp:
    @app.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        partition = int(context.node_config["partition-id"])
        metrics = MetricRecord({"val_loss": float(partition), "num-examples": 5})
        return Message(RecordDict({"metrics": metrics}), reply_to=message)

    return app


def test_where_clients_evaluate_that_follows_as_the_rounds_evaluation(
    adding_app: MakeApp, node_configs: list[dict[str, object]], tmp_path: Path
) -> None:
    app = evaluating(adding_app(mods=[progress_mod(str(tmp_path))]))
    with FederatedProgressLogger(None, tmp_path, "strangers", run_id="r1") as logger:
        run(app, FedAvg(), node_configs, watch=lambda strategy: watch_strategy(strategy, logger))

    messages = told(tmp_path, "client_2")
    assert types(messages) == ["round_start", "round_end", "round_end"] * 2
    assert messages[1]["fit_metrics"] == {"train_loss": pytest.approx(1 / 3), "num_samples": 30}
    assert messages[1]["eval_metrics"] == {}
    assert (messages[2]["round"], messages[2]["fit_metrics"]) == (1, {})
    assert messages[2]["eval_metrics"] == {"val_loss": 2.0, "num_samples": 5}
    aggregated = [m for m in told(tmp_path) if m["type"] == "round_aggregated"]
    assert aggregated[0]["metrics"]["val_loss"] == 1.0
    assert aggregated[0]["metrics"]["num_samples"] == 15


def test_what_happens_within_the_round_is_told_by_the_client_itself(
    node_configs: list[dict[str, object]], tmp_path: Path
) -> None:
    app = ClientApp(mods=[progress_mod(str(tmp_path))])

    @app.train()
    def train(message: Message, context: Context) -> Message:
        progress = current_progress()
        assert progress is not None
        progress.step(1, 1, 1, {"train_loss": 0.5})
        progress.local_epoch(1, {"train_loss": 0.5})
        metrics = MetricRecord({"num-examples": 1})
        return Message(RecordDict({"a": message.content["arrays"], "m": metrics}), reply_to=message)

    run(app, FedAvg(fraction_evaluate=0.0), node_configs, rounds=1)

    assert types(told(tmp_path, "client_0")) == ["round_start", "step", "local_epoch", "round_end"]
    assert current_progress() is None


def test_the_operators_directory_wins_and_a_path_in_a_message_is_not_looked_at(
    adding_app: MakeApp, tmp_path: Path
) -> None:
    node_configs: list[dict[str, object]] = [{"partition-id": 0, "log-dir": str(tmp_path / "operators")}]
    server = ServerApp()

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        config = ConfigRecord({"log-dir": str(tmp_path / "servers"), "run-id": "../../x"})
        FedAvg(fraction_evaluate=0.0, min_train_nodes=1, min_available_nodes=1).start(
            grid=GuardedGrid(grid, roster=Roster(), check=lambda: None),
            initial_arrays=ArrayRecord({"w": Array(np.zeros(1, np.float32))}),
            num_rounds=1,
            train_config=config,
        )

    run_local(server, adding_app(mods=[progress_mod(str(tmp_path / "mods"))]), node_configs)

    assert [path.name for path in tmp_path.iterdir()] == ["operators"]
    assert len(told(tmp_path / "operators", "client_0")) == 2


def test_clients_are_told_which_attempt_it_is_also_where_they_see_no_other_journal(
    adding_app: MakeApp, node_configs: list[dict[str, object]], tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    for _ in range(2):
        with FederatedProgressLogger(None, tmp_path, "strangers", run_id="r1") as logger:
            run(
                adding_app(mods=[progress_mod(str(elsewhere))]),
                FedAvg(fraction_evaluate=0.0),
                node_configs,
                watch=lambda strategy, logger=logger: watch_strategy(strategy, logger),
            )

    client = told(elsewhere, "client_1")
    assert [(message["type"], message.get("attempt")) for message in client] == [
        *[("round_start", None), ("round_end", None)] * 2,
        *[("round_start", 2), ("round_end", 2)] * 2,
    ]
    assert [m.get("attempt") for m in told(tmp_path) if m["type"] == "round_aggregated"] == [None, None, 2, 2]
