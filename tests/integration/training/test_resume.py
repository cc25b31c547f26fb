"""A run that goes on from a checkpoint: the same curve as without the interruption, and what keeps it from going on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from federated_pneumonia_detection.config import TrainingConfig
from federated_pneumonia_detection.data import DataError
from federated_pneumonia_detection.progress.asked import points
from federated_pneumonia_detection.progress.cancel import request_cancel
from federated_pneumonia_detection.progress.errors import CannotGoOn
from federated_pneumonia_detection.training import CentralizedTrainer, TrainingError
from federated_pneumonia_detection.training.module import PneumoniaModule


class Interrupted(Exception):
    """The training was interrupted, as a power cut would."""


@pytest.fixture
def make(tmp_path: Path, config: TrainingConfig) -> Any:
    def make(where: str, **changes: Any) -> CentralizedTrainer:
        changed = TrainingConfig.model_validate({**config.model_dump(), "epochs": 5, **changes})
        return CentralizedTrainer(config=changed, checkpoint_dir=tmp_path / where, logs_dir=tmp_path / where / "logs")

    return make


@pytest.fixture
def break_off(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes the training raise in the middle of an epoch, counted from 1; `None` lets it be."""
    at: list[int | None] = [None]
    step = PneumoniaModule.training_step

    def breaking(self: PneumoniaModule, batch: Any, batch_idx: int) -> Any:
        if at[0] is not None and self.current_epoch + 1 == at[0] and batch_idx == 2:
            raise Interrupted
        return step(self, batch, batch_idx)

    monkeypatch.setattr(PneumoniaModule, "training_step", breaking)

    def set_epoch(epoch: int | None) -> None:
        at[0] = epoch

    return set_epoch


def curve(directory: Path, attempt: int | None = None) -> list[tuple[int, str, dict[str, Any]]]:
    found = []
    for path in sorted(directory.glob("*.jsonl"), key=lambda path: (len(path.name), path.name)):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        started = [line["attempt"] for line in lines if line["type"] == "run_start"]
        if attempt is None or attempt in started:
            found += [(x["epoch"], x["phase"], x["metrics"]) for x in lines if x["type"] == "epoch_end"]
    return found


# A network with dropout draws from torch's own chance, which has to be where it would have been, too.
DROPOUT = {
    "model": "monai.DenseNet",
    "model_args": {"init_features": 4, "growth_rate": 2, "block_config": [1, 1], "dropout_prob": 0.2},
}


@pytest.mark.parametrize(
    ("network", "start"),
    [({}, 2), (DROPOUT, 3), ({"num_workers": 2}, 2)],
    ids=["small", "dropout", "workers"],
)
def test_the_curve_is_bit_for_bit_the_uninterrupted_one(
    make: Any, source: Path, tmp_path: Path, break_off: Any, network: dict[str, Any], start: int
) -> None:
    whole = make("whole", **network).train(source, "x", run_id="run")
    break_off(4)
    with pytest.raises(Interrupted):
        make("broken", **network).train(source, "x", run_id="run")
    break_off(None)
    resumed = CentralizedTrainer(checkpoint_dir=tmp_path / "broken", logs_dir=tmp_path / "broken" / "logs")
    results = resumed.resume("run", from_epoch=start)

    said = {(e, p): m for e, p, m in curve(tmp_path / "broken" / "logs" / "progress", 2)}
    expected = {(e, p): m for e, p, m in curve(tmp_path / "whole" / "logs" / "progress") if e > start or p == "test"}
    assert said == expected
    one, other = (torch.load(x["best_model_path"], weights_only=True) for x in (whole, results))
    assert all(torch.equal(one[name], other[name]) for name in one)
    for same in ("total_epochs", "best_epoch", "best_val_loss"):
        assert whole["final_metrics"][same] == results["final_metrics"][same]


def test_the_newest_three_epochs_and_the_best_are_kept(make: Any, source: Path, tmp_path: Path) -> None:
    results = make("runs", epochs=6).train(source, "x", run_id="run")
    kept = points(tmp_path / "runs" / "run", "epoch")
    assert kept == sorted({4, 5, 6, results["best_epoch"]})
    # What goes on has no need of trust: tensors, numbers and texts.
    for number in kept:
        torch.load(tmp_path / "runs" / "run" / f"epoch-{number}.pt", weights_only=True)


def test_without_a_wish_it_goes_on_from_the_newest_and_says_so(
    make: Any, source: Path, tmp_path: Path, break_off: Any, told: Any
) -> None:
    break_off(3)
    with pytest.raises(Interrupted):
        make("runs").train(source, "squares", run_id="run")
    break_off(None)
    trainer = CentralizedTrainer(checkpoint_dir=tmp_path / "runs", logs_dir=tmp_path / "runs" / "logs")
    assert trainer.resume("run")["status"] == "completed"
    first, second = (m for m in told(tmp_path / "runs" / "logs" / "progress") if m["type"] == "run_start")
    assert "from_epoch" not in first
    assert (second["attempt"], second["from_epoch"], second["experiment_name"]) == (2, 2, "squares")
    assert second["config"] == first["config"]


def test_a_stopped_run_keeps_its_epochs_and_not_the_broken_one(make: Any, source: Path, tmp_path: Path) -> None:
    trainer = make("runs", epochs=500)
    seen = []
    original = PneumoniaModule.on_train_batch_start

    def asking(self: PneumoniaModule, batch: Any, batch_idx: int) -> None:
        original(self, batch, batch_idx)
        if self.current_epoch == 2 and batch_idx == 1 and not seen:
            seen.append(True)
            request_cancel(tmp_path / "runs" / "logs" / "progress", "run", reason="enough", by="anna")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PneumoniaModule, "on_train_batch_start", asking)
        assert trainer.train(source, "x", run_id="run")["status"] == "cancelled"
    kept = points(tmp_path / "runs" / "run", "epoch")
    last = max(e for e, _, _ in curve(tmp_path / "runs" / "logs" / "progress"))
    assert kept[-1] == last


@pytest.mark.parametrize(
    ("number", "why"),
    [(9, "there is no checkpoint of epoch 9; there are those of epochs 1 and 2, and 0 starts over"), (0, None)],
)
def test_a_checkpoint_that_is_not_there_is_named_with_those_that_are(
    make: Any, source: Path, tmp_path: Path, break_off: Any, number: int, why: str | None
) -> None:
    break_off(3)
    with pytest.raises(Interrupted):
        make("runs").train(source, "x", run_id="run")
    break_off(None)
    trainer = CentralizedTrainer(checkpoint_dir=tmp_path / "runs", logs_dir=tmp_path / "runs" / "logs")
    if why is None:
        assert trainer.resume("run", from_epoch=number)["final_metrics"]["total_epochs"] == 5
        return
    journals = len(list((tmp_path / "runs" / "logs" / "progress").glob("*.jsonl")))
    with pytest.raises(CannotGoOn, match=why):
        trainer.resume("run", from_epoch=number)
    assert len(list((tmp_path / "runs" / "logs" / "progress").glob("*.jsonl"))) == journals, "no attempt was begun"


def test_what_keeps_a_run_from_going_on_is_one_clear_sentence(
    make: Any, source: Path, tmp_path: Path, break_off: Any
) -> None:
    trainer = CentralizedTrainer(checkpoint_dir=tmp_path / "runs", logs_dir=tmp_path / "runs" / "logs")
    with pytest.raises(CannotGoOn, match="no checkpoint of it was found"):
        trainer.resume("nobody")
    break_off(3)
    with pytest.raises(Interrupted):
        make("runs").train(source, "x", run_id="run")
    break_off(None)
    checkpoint = tmp_path / "runs" / "run" / "epoch-2.pt"
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[:1000])
    with pytest.raises(TrainingError, match=r"epoch-2\.pt: .*damaged"):
        trainer.resume("run")
    checkpoint.write_bytes(whole)
    kept_elsewhere = shutil.copy(source, tmp_path / "kept.npz")
    arrays = dict(np.load(source))
    np.savez(source, **{**arrays, "train_images": 255 - arrays["train_images"]})
    with pytest.raises(CannotGoOn, match="are not those it was begun with"):
        trainer.resume("run")
    source.unlink()
    with pytest.raises(DataError, match="there is no such file or folder"):
        trainer.resume("run")
    shutil.copy(kept_elsewhere, source)
    assert trainer.resume("run")["status"] == "completed"


def test_a_run_whose_last_epoch_is_done_has_nothing_to_go_on_with(make: Any, source: Path) -> None:
    trainer = make("runs", epochs=2)
    trainer.train(source, "x", run_id="run")
    with pytest.raises(CannotGoOn, match="epoch 2 was its last one"):
        trainer.resume("run")


def test_a_checkpoint_that_cannot_be_written_is_told_once_and_stops_nothing(
    make: Any, source: Path, told: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("federated_pneumonia_detection.training.epoch_points.write_point", full)
    assert make("runs", epochs=2).train(source, "x", run_id="run")["status"] == "completed"
    alerts = [m for m in told(tmp_path / "runs" / "logs" / "progress") if m["type"] == "alert"]
    assert [m["title"] for m in alerts] == ["No checkpoint of epoch 1"]
    assert "No space left on device" in alerts[0]["text"]
