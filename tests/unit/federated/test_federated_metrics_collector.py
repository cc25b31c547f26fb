from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import pytorch_lightning as pl

from federated_pneumonia_detection.federated import FederatedMetricsCollector


def told(log_dir: Path) -> list[dict[str, Any]]:
    found = []
    for path in sorted(log_dir.glob("*.jsonl")):
        found += [json.loads(line) for line in path.read_text().splitlines()]
    return [message for message in found if message["type"] not in ("journal", "journal_end")]


def types(messages: list[dict[str, Any]]) -> list[str]:
    return [message["type"] for message in messages]


class Module(pl.LightningModule):
    """Two batches an epoch, a loss in training and one in validation."""

    def __init__(self, fails: bool = False) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)
        self.fails = fails

    def training_step(self, batch: torch.Tensor, index: int) -> torch.Tensor:
        if self.fails:
            raise ValueError("a bad batch")
        loss = self.layer(batch).square().mean()
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: torch.Tensor, index: int) -> None:
        self.log("val_loss", self.layer(batch).square().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)

    def train_dataloader(self) -> Any:
        return torch.utils.data.DataLoader(torch.ones(4, 2), batch_size=2)

    def val_dataloader(self) -> Any:
        return torch.utils.data.DataLoader(torch.ones(2, 2), batch_size=2)


@pytest.fixture
def fit(tmp_path: Path) -> Callable[..., None]:
    def run(collector: FederatedMetricsCollector, epochs: int = 1, **module: Any) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trainer = pl.Trainer(
                max_epochs=epochs,
                accelerator="cpu",
                callbacks=[collector],
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                default_root_dir=tmp_path,
            )
            trainer.fit(Module(**module))

    return run


def collector(tmp_path: Path, **options: Any) -> FederatedMetricsCollector:
    return FederatedMetricsCollector("client_0", run_id="r1", progress_log_dir=tmp_path / "progress", **options)


def test_by_hand_a_round_is_told_as_the_guide_shows_it(tmp_path: Path) -> None:
    metrics = collector(tmp_path)

    metrics.start_round(1, 5)
    metrics.end_round(1, {"train_loss": 0.4, "num_samples": 1000}, {"val_loss": 0.3, "num_samples": 200})
    metrics.close()

    start, end = told(tmp_path / "progress")
    assert (start["type"], start["round"], start["total_rounds"], start["client_id"]) == (
        "round_start",
        1,
        5,
        "client_0",
    )
    assert end["fit_metrics"] == {"train_loss": 0.4, "num_samples": 1000}
    assert end["eval_metrics"] == {"val_loss": 0.3, "num_samples": 200}


def test_in_a_trainer_it_tells_steps_and_local_epochs_and_no_epochs(tmp_path: Path, fit: Callable[..., None]) -> None:
    metrics = collector(tmp_path)
    for round_num in (1, 2):
        metrics.start_round(round_num, 2)
        fit(metrics, epochs=2)
        metrics.end_round(round_num, {}, {})
    metrics.close()

    messages = told(tmp_path / "progress")
    once = ["round_start", "step", "step", "local_epoch", "step", "step", "local_epoch", "round_end"]
    assert types(messages) == [*once, *once]
    epochs = [message for message in messages if message["type"] == "local_epoch"]
    assert [(message["round"], message["local_epoch"]) for message in epochs] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert epochs[0]["metrics"].keys() == {"train_loss", "val_loss"}
    step = messages[1]
    assert (step["epoch"], step["step"], step["total_steps"], step["round"]) == (1, 1, 2, 1)


def test_between_two_rounds_it_is_silent(tmp_path: Path, fit: Callable[..., None]) -> None:
    metrics = collector(tmp_path)
    metrics.start_round(1, 2)
    metrics.end_round(1, {}, {})
    fit(metrics)
    metrics.end_round(1, {}, {})
    metrics.close()

    assert types(told(tmp_path / "progress")) == ["round_start", "round_end"]


def test_an_exception_ends_the_clients_part_and_goes_on_its_way(tmp_path: Path, fit: Callable[..., None]) -> None:
    metrics = collector(tmp_path)
    metrics.start_round(1, 2)

    with pytest.raises(ValueError, match="a bad batch"):
        fit(metrics, fails=True)

    error = told(tmp_path / "progress")[-1]
    assert (error["type"], error["client_id"]) == ("training_error", "client_0")
    assert error["error"] == "ValueError: a bad batch"


def test_the_rounds_are_kept_where_asked(tmp_path: Path) -> None:
    metrics = collector(tmp_path, save_dir=tmp_path / "metrics")
    metrics.start_round(1, 1)
    metrics.end_round(1, {"train_loss": torch.tensor(0.5), "num_samples": 4}, {"val_loss": 0.25, "num_samples": 2})
    metrics.close()

    (path,) = (tmp_path / "metrics").iterdir()
    assert path.name == "r1_client_0_rounds.json"
    assert json.loads(path.read_text()) == [
        {"round": 1, "train_loss": 0.5, "num_samples": 4, "val_loss": 0.25, "eval_num_samples": 2}
    ]


def test_without_logging_it_collects_and_says_nothing(tmp_path: Path) -> None:
    metrics = collector(tmp_path, enable_progress_logging=False)
    metrics.start_round(1, 1)
    metrics.end_round(1, {"train_loss": 0.5}, {})
    metrics.error("never mind")
    metrics.close()

    assert metrics.history == [{"round": 1, "train_loss": 0.5}]
    assert not (tmp_path / "progress").exists()


def test_three_collectors_without_a_run_are_one_run(tmp_path: Path) -> None:
    collectors = [FederatedMetricsCollector(f"client_{n}", progress_log_dir=tmp_path) for n in range(3)]
    for metrics in collectors:
        metrics.start_round(1, 1)
        metrics.end_round(1, {}, {})
    for metrics in collectors:
        metrics.close()

    assert len({metrics.run_id for metrics in collectors}) == 1
