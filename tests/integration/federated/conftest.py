"""Few images, tiny networks, and a look into the journals."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from federated_pneumonia_detection.federated.environment import prepare

prepare()

import torch  # noqa: E402

with warnings.catch_warnings():
    # Flower imports typer, and typer a name that click will drop; Ray has some of its own.
    warnings.simplefilter("ignore")
    import flwr.simulation  # noqa: F401
    from flwr.app import Context, Message
    from flwr.clientapp.typing import ClientAppCallable

from federated_pneumonia_detection.config import FederatedConfig, make_config  # noqa: E402
from federated_pneumonia_detection.federated import FederatedTrainer  # noqa: E402

SMALL: dict[str, Any] = {
    "model_args": {"channels": [4, 4, 8]},
    "batch_size": 16,
    "threads": 1,
    "device": "cpu",
    "test_time_augmentation": False,
}


@pytest.fixture(autouse=True)
def no_run_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FPD_RUN_ID", raising=False)
    monkeypatch.delenv("FPD_DATA", raising=False)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def small_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """192 images in which pneumonia is a brighter half: enough to learn from in a round."""
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for split, count in (("train", 120), ("val", 36), ("test", 36)):
        labels = np.arange(count) % 3 > 0
        images = rng.integers(0, 160, (count, 28, 28))
        images[:, 14:] += 60 * labels[:, None, None]
        arrays[f"{split}_images"] = images.astype(np.uint8)
        arrays[f"{split}_labels"] = labels.astype(np.uint8)[:, None]
    path = tmp_path_factory.mktemp("source") / "small.npz"
    np.savez(path, **arrays)
    return path


@pytest.fixture
def make_trainer(tmp_path: Path) -> Callable[..., FederatedTrainer]:
    def make(*mods: Any, where: Path = tmp_path, reply_timeout_s: float = 60.0, **changes: Any) -> FederatedTrainer:
        config = make_config({**SMALL, **changes}, "federated")
        assert isinstance(config, FederatedConfig)
        trainer = FederatedTrainer(
            config=config,
            checkpoint_dir=where / "checkpoints",
            logs_dir=where / "logs",
            reply_timeout_s=reply_timeout_s,
        )
        trainer._client_mods = mods
        return trainer

    return make


@pytest.fixture
def told(tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """All messages of a run's journals, the server's or one client's, without the lines that frame them."""

    def read(client_id: str | None = None, *, where: Path = tmp_path, kind: str | None = None) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for path in sorted((where / "logs" / "progress").glob("*.jsonl")):
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            if lines[0]["client_id"] == client_id:
                found += [line for line in lines if line["type"] not in ("journal", "journal_end")]
        return [message for message in found if kind is None or message["type"] == kind]

    return read


class FailsIn:
    """A mod that makes a client raise in some rounds; a class, so that Ray can send it to its actors."""

    def __init__(self, *rounds: int, clients: tuple[int, ...] = (0, 1, 2)) -> None:
        self.rounds = rounds
        self.clients = clients

    def __call__(self, message: Message, context: Context, call_next: ClientAppCallable) -> Message:
        round_num = int(message.content["config"]["server-round"])  # type: ignore[arg-type]
        if round_num in self.rounds and int(context.node_config["partition-id"]) in self.clients:
            raise MemoryError(f"no memory is left\nin round {round_num}")
        return call_next(message, context)


@pytest.fixture
def fails_in() -> type[FailsIn]:
    return FailsIn
