"""Tiny apps and images for the federated tests."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import pytest

# Flower reads its environment when it is imported.
from federated_pneumonia_detection.federated.environment import prepare

prepare()

import torch  # noqa: E402

with warnings.catch_warnings():
    # Flower imports typer, and typer a name that click will drop.
    warnings.simplefilter("ignore", DeprecationWarning)
    from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
    from flwr.clientapp import ClientApp


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Leave the machine's other cores to whoever needs them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def no_run_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FPD_RUN_ID", raising=False)


@pytest.fixture
def adding_app() -> Callable[..., ClientApp]:
    """A client app that adds its partition number and one to every weight; `fail(partition, round)` makes it raise."""

    def make(fail: Callable[[int, int], bool] = lambda partition, round_num: False, **options: object) -> ClientApp:
        app = ClientApp(**options)  # type: ignore[arg-type]

        @app.train()
        def train(message: Message, context: Context) -> Message:
            partition = int(context.node_config["partition-id"])
            round_num = int(message.content["config"]["server-round"])
            if fail(partition, round_num):
                raise ValueError(f"the images of round {round_num} are gone")
            state = {
                key: value + partition + 1 for key, value in message.content["arrays"].to_torch_state_dict().items()
            }
            metrics = MetricRecord({"train_loss": 1.0 / (partition + 1), "num-examples": 10 * (partition + 1)})
            return Message(RecordDict({"arrays": ArrayRecord(state), "metrics": metrics}), reply_to=message)

        return app

    return make


@pytest.fixture
def node_configs() -> list[dict[str, object]]:
    return [{"partition-id": number, "num-partitions": 3} for number in range(3)]
