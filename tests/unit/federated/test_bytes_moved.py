"""What a client received and sent in a round: measured on the messages themselves."""

from __future__ import annotations

from pathlib import Path

from flower_strangers import MakeApp, run, told
from flwr.app import Context, Message
from flwr.clientapp.typing import ClientAppCallable
from flwr.serverapp.strategy import FedAvg

from federated_pneumonia_detection.federated.client_watch import progress_mod
from federated_pneumonia_detection.federated.strategy_watch import watch_strategy
from federated_pneumonia_detection.progress import FederatedProgressLogger


class Weighing:
    """A mod that keeps what passes: as much as Flower itself says a message weighs."""

    def __init__(self) -> None:
        self.down: list[int] = []
        self.up: list[int] = []

    def __call__(self, message: Message, context: Context, call_next: ClientAppCallable) -> Message:
        if message.metadata.message_type != "train":
            return call_next(message, context)
        self.down.append(sum(record.count_bytes() for record in message.content.values()))
        reply = call_next(message, context)
        if not reply.has_error():
            self.up.append(sum(record.count_bytes() for record in reply.content.values()))
        return reply


def test_the_end_of_a_round_tells_what_its_messages_weighed(
    adding_app: MakeApp, node_configs: list[dict[str, object]], tmp_path: Path
) -> None:
    weighing = Weighing()
    with FederatedProgressLogger(None, tmp_path, "strangers", run_id="r1") as logger:
        run(
            adding_app(mods=[weighing, progress_mod(str(tmp_path))]),
            FedAvg(fraction_evaluate=0.0),
            node_configs,
            watch=lambda strategy: watch_strategy(strategy, logger),
        )
    ends = [m for name in range(3) for m in told(tmp_path, f"client_{name}") if m["type"] == "round_end"]
    assert sorted(end["bytes_down"] for end in ends) == sorted(weighing.down)
    assert sorted(end["bytes_up"] for end in ends) == sorted(weighing.up)
    assert min(weighing.up) > 100


def test_what_was_sent_to_a_client_that_failed_is_told_by_the_server(
    adding_app: MakeApp, node_configs: list[dict[str, object]], tmp_path: Path
) -> None:
    weighing = Weighing()
    app = adding_app(
        lambda partition, round_num: (partition, round_num) == (1, 2), mods=[weighing, progress_mod(str(tmp_path))]
    )
    with FederatedProgressLogger(None, tmp_path, "strangers", run_id="r1") as logger:
        run(
            app,
            FedAvg(fraction_evaluate=0.0),
            node_configs,
            watch=lambda strategy: watch_strategy(strategy, logger),
        )
    (failed,) = [m for m in told(tmp_path) if m["type"] == "client_failed"]
    assert failed["client_id"] == "client_1"
    assert failed["bytes_down"] in weighing.down
