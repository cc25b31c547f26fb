"""Flower apps of every habit, watched by the two lines: what is told, and that a failing watch hurts nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from flower_strangers import MakeApp, bits, run, told, types
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg, Result

from federated_pneumonia_detection.federated.batches import current_progress, watch_batches
from federated_pneumonia_detection.federated.client_watch import progress_mod
from federated_pneumonia_detection.federated.strategy_watch import watch_strategy

Nodes = list[dict[str, object]]
Train = Callable[[torch.nn.Module, torch.optim.Optimizer], None]


@pytest.fixture(autouse=True)
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FPD_LOG_DIR", str(tmp_path))
    return tmp_path


def quiet(**settings: Any) -> FedAvg:
    return FedAvg(**{"fraction_evaluate": 0.0, **settings})


def test_two_lines_without_an_argument_are_a_whole_run(adding_app: MakeApp, node_configs: Nodes, logs: Path) -> None:
    run(adding_app(mods=[progress_mod()]), quiet(), node_configs, watch=watch_strategy)

    once = ["round_start", "round_aggregated", "round_end"]
    assert types(told(logs)) == ["run_start", *once, *once, "training_complete"]
    assert told(logs)[0]["config"] == {"strategy": "FedAvg"}
    assert told(logs)[0]["total_rounds"] == 2
    assert types(told(logs, "client_2")) == ["round_start", "round_end"] * 2
    names = {path.name.partition(".")[0] for path in logs.glob("*.jsonl")}
    assert len(names) == 1
    assert names.pop().startswith("flwr-")


def test_a_client_names_its_round_where_the_server_does_not(node_configs: Nodes, logs: Path) -> None:
    class Silent(FedAvg):
        def configure_train(
            self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
        ) -> Iterable[Message]:
            messages = list(super().configure_train(server_round, arrays, config, grid))
            for message in messages:
                message.content = RecordDict({"arrays": arrays})
            return messages

    app = ClientApp(mods=[progress_mod()])

    @app.train()
    def train(message: Message, context: Context) -> Message:
        return Message(
            RecordDict({"a": message.content["arrays"], "m": MetricRecord({"num-examples": 1})}), reply_to=message
        )

    run(app, Silent(fraction_evaluate=0.0), node_configs, rounds=3)

    assert [(m["type"], m["round"]) for m in told(logs, "client_0")] == [
        (kind, number) for number in (1, 2, 3) for kind in ("round_start", "round_end")
    ]


def test_records_under_keys_of_ones_own(node_configs: Nodes, logs: Path) -> None:
    app = ClientApp(mods=[progress_mod()])

    @app.train()
    def train(message: Message, context: Context) -> Message:
        metrics = MetricRecord({"loss": 0.25, "count": 7})
        return Message(RecordDict({"theirs": message.content["model"], "numbers": metrics}), reply_to=message)

    strategy = quiet(arrayrecord_key="model", configrecord_key="orders", weighted_by_key="count")
    run(app, strategy, node_configs, watch=watch_strategy)

    assert told(logs, "client_1")[1]["fit_metrics"] == {"loss": 0.25, "count": 7}
    assert [m["metrics"]["loss"] for m in told(logs) if m["type"] == "round_aggregated"] == [0.25, 0.25]


def test_several_functions_to_train_and_evaluate_are_all_watched(node_configs: Nodes, logs: Path) -> None:
    class Second(FedAvg):
        def configure_train(
            self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
        ) -> Iterable[Message]:
            messages = list(super().configure_train(server_round, arrays, config, grid))
            return [Message(m.content, m.metadata.dst_node_id, "train.warmup") for m in messages]

    app = ClientApp(mods=[progress_mod()])

    @app.train("warmup")
    def warmup(message: Message, context: Context) -> Message:
        return Message(
            RecordDict({"a": message.content["arrays"], "m": MetricRecord({"num-examples": 3})}), reply_to=message
        )

    @app.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        return Message(RecordDict({"m": MetricRecord({"acc": 0.5, "num-examples": 3})}), reply_to=message)

    run(app, Second(), node_configs, rounds=1, watch=watch_strategy)

    assert types(told(logs, "client_0")) == ["round_start", "round_end", "round_end"]
    assert told(logs, "client_0")[2]["eval_metrics"] == {"acc": 0.5, "num_samples": 3}


def test_a_strategy_with_a_start_of_its_own_is_watched_as_far_as_it_goes(
    adding_app: MakeApp, node_configs: Nodes, logs: Path
) -> None:
    class Own(FedAvg):
        def start(self, grid: Grid, **given: Any) -> Result:  # type: ignore[override]
            arrays = given["initial_arrays"]
            for number in (1, 2):
                messages = self.configure_train(number, arrays, ConfigRecord(), grid)
                arrays, _ = self.aggregate_train(number, grid.send_and_receive(messages, timeout=60))
            return Result(arrays=arrays)

    run(adding_app(mods=[progress_mod()]), Own(), node_configs, watch=watch_strategy)

    once = ["round_start", "round_aggregated", "round_end"]
    assert types(told(logs)) == ["run_start", *once, *once, "training_complete"]


def test_an_exception_of_the_strategy_is_told_and_raised(adding_app: MakeApp, node_configs: Nodes, logs: Path) -> None:
    class Broken(FedAvg):
        def aggregate_train(self, server_round: int, replies: Iterable[Message]) -> Any:
            raise ZeroDivisionError("no weights at all")

    with pytest.raises(ZeroDivisionError):
        run(adding_app(mods=[progress_mod()]), Broken(fraction_evaluate=0.0), node_configs, watch=watch_strategy)

    assert told(logs)[-1]["error"].endswith("ZeroDivisionError: no weights at all")


@pytest.mark.parametrize("what", ["directory", "name", "config"])
def test_a_watch_that_fails_changes_no_weight(
    adding_app: MakeApp, node_configs: Nodes, tmp_path: Path, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    def nobody(context: Context) -> str:
        raise RuntimeError("who knows")

    (tmp_path / "file").write_text("in the way")
    directory = str(tmp_path / "file" / "logs") if what == "directory" else str(tmp_path)
    nodes = [{**node, "log-dir": "\0" if what == "config" else directory} for node in node_configs]
    mod = progress_mod(directory, client_id=nobody) if what == "name" else progress_mod(directory)

    plain = run(adding_app(), quiet(), node_configs)
    watched = run(
        adding_app(mods=[mod]), quiet(), nodes, watch=lambda strategy: watch_strategy(strategy, log_dir=directory)
    )

    assert bits(watched) == bits(plain)
    if what != "config":
        assert any(record.name.startswith("federated_pneumonia_detection.progress") for record in caplog.records)


def test_a_logger_that_breaks_leaves_the_strategy_alone(adding_app: MakeApp, node_configs: Nodes) -> None:
    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise OSError(f"no {name}")

    watched = run(
        adding_app(),
        quiet(),
        node_configs,
        watch=lambda strategy: watch_strategy(strategy, Broken()),  # type: ignore[arg-type]
    )

    assert bits(watched) == bits(run(adding_app(), quiet(), node_configs))


def test_what_the_strategy_has_spent_of_its_privacy_is_a_metric_of_the_round(
    adding_app: MakeApp, node_configs: Nodes, logs: Path
) -> None:
    strategy = quiet()
    strategy.privacy_spent = lambda: SimpleNamespace(epsilon=1.5, delta=1e-5)  # type: ignore[attr-defined]

    run(adding_app(), strategy, node_configs, rounds=1, watch=watch_strategy)

    (aggregated,) = [m for m in told(logs) if m["type"] == "round_aggregated"]
    assert (aggregated["metrics"]["epsilon"], aggregated["metrics"]["delta"]) == (1.5, 1e-5)


def test_a_round_that_made_no_model_is_told(adding_app: MakeApp, node_configs: Nodes, logs: Path) -> None:
    class Picky(FedAvg):
        def aggregate_train(self, server_round: int, replies: Iterable[Message]) -> Any:
            return None, None

    run(adding_app(), Picky(fraction_evaluate=0.0), node_configs, rounds=1, watch=watch_strategy)

    (alert,) = [m for m in told(logs) if m["type"] == "alert"]
    assert alert["text"] == "the strategy made no model of 3 answers: the one before stays"


# -- within the round ------------------------------------------------------------------------------------------------


def torch_app(train_one: Train) -> ClientApp:
    app = ClientApp(mods=[progress_mod()])

    @app.train()
    def train(message: Message, context: Context) -> Message:
        network = torch.nn.Linear(7, 1)
        train_one(network, torch.optim.SGD(network.parameters(), lr=0.1))
        metrics = MetricRecord({"num-examples": 1})
        return Message(RecordDict({"a": message.content["arrays"], "m": metrics}), reply_to=message)

    return app


def step(network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    network(torch.ones(1, 7)).sum().backward()
    optimizer.step()


def within(logs: Path) -> list[tuple[Any, ...]]:
    found = [m for m in told(logs, "client_0") if m["type"] in ("step", "local_epoch")]
    return [
        ("step", m["epoch"], m["step"], m["total_steps"]) if m["type"] == "step" else ("epoch", m["local_epoch"])
        for m in found
    ]


@pytest.fixture
def every_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    from federated_pneumonia_detection.federated import batches

    monkeypatch.setattr(batches, "_INTERVAL_S", 0.0)


@pytest.mark.usefixtures("every_batch")
def test_an_optimizers_steps_are_told_though_the_app_says_nothing(node_configs: Nodes, logs: Path) -> None:
    def train(network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
        other = torch.optim.SGD(torch.nn.Linear(1, 1).parameters(), lr=0.1)
        for _ in range(3):
            step(network, optimizer)
            other.step()

    run(torch_app(train), quiet(), node_configs, rounds=1)

    assert within(logs) == [("step", 1, 2, None), ("step", 1, 3, None)]


@pytest.mark.usefixtures("every_batch")
def test_a_watched_loader_tells_batches_and_local_epochs(node_configs: Nodes, logs: Path) -> None:
    def train(network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
        loader = watch_batches(torch.utils.data.DataLoader(range(6), batch_size=3))
        assert (len(loader), loader.batch_size) == (2, 3)  # type: ignore[arg-type,attr-defined]
        for _ in range(2):
            for _batch in loader:
                step(network, optimizer)

    run(torch_app(train), quiet(), node_configs, rounds=1)

    assert within(logs) == [
        *[("step", 1, 1, 2), ("step", 1, 2, 2), ("epoch", 1)],
        *[("step", 2, 1, 2), ("step", 2, 2, 2), ("epoch", 2)],
    ]


@pytest.mark.usefixtures("every_batch")
def test_what_the_app_tells_itself_is_not_told_twice(node_configs: Nodes, logs: Path) -> None:
    def train(network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
        progress = current_progress()
        assert progress is not None
        for epoch in (1, 2):
            for number, _ in enumerate(watch_batches(range(2)), start=1):
                step(network, optimizer)
                progress.step(epoch, number, 2, {"train_loss": 0.5})
            progress.local_epoch(epoch, {"train_loss": 0.5})

    run(torch_app(train), quiet(), node_configs, rounds=1)

    assert within(logs) == [
        *[("step", 1, 1, 2), ("step", 1, 2, 2), ("epoch", 1)],
        *[("step", 2, 1, 2), ("step", 2, 2, 2), ("epoch", 2)],
    ]


def test_many_fast_batches_are_told_now_and_then_and_the_last_one_always(node_configs: Nodes, logs: Path) -> None:
    def train(network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
        for _ in watch_batches(range(5000)):
            pass

    run(torch_app(train), quiet(), node_configs[:2], rounds=1)

    steps = within(logs)
    assert steps[0] == ("step", 1, 1, 5000)
    assert steps[-2:] == [("step", 1, 5000, 5000), ("epoch", 1)]
    assert len(steps) < 500


def test_outside_a_watched_client_batches_are_what_they_were() -> None:
    batches = [1, 2, 3]

    assert watch_batches(batches) is batches


def test_weights_of_a_network_are_the_same_with_everything_watched(node_configs: Nodes) -> None:
    def app(mods: list[Any]) -> ClientApp:
        made = ClientApp(mods=mods)

        @made.train()
        def train(message: Message, context: Context) -> Message:
            torch.manual_seed(int(context.node_config["partition-id"]))
            network = torch.nn.Linear(7, 1)
            optimizer = torch.optim.Adam(network.parameters())
            for _batch in watch_batches(range(5)):
                step(network, optimizer)
            w = Array(network.weight.detach().numpy().ravel())
            content = {"a": ArrayRecord({"w": w}), "m": MetricRecord({"num-examples": 1})}
            return Message(RecordDict(content), reply_to=message)

        return made

    watched = run(app([progress_mod()]), quiet(), node_configs, watch=watch_strategy)

    assert bits(watched) == bits(run(app([]), quiet(), node_configs))
    assert np.isfinite(watched.arrays["w"].numpy()).all()
