"""Whole trainings on one machine, from a source to a tested network."""

import dataclasses
import json
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from federated_pneumonia_detection.config import ConfigError, dump_config
from federated_pneumonia_detection.data import DataError
from federated_pneumonia_detection.progress.cancel import request_cancel
from federated_pneumonia_detection.training import (
    CentralizedTrainer,
    TrainingError,
    centralized_trainer,
    load_checkpoint,
)


@pytest.fixture
def trainer(tmp_path, config):
    return CentralizedTrainer(config=config, checkpoint_dir=tmp_path / "checkpoints", logs_dir=tmp_path / "logs")


@pytest.fixture
def progress(tmp_path):
    return tmp_path / "logs" / "progress"


def test_a_run_is_told_from_its_beginning_to_its_test(trainer, source, progress, told):
    results = trainer.train(source, "squares")
    messages = told(progress)
    assert [m["type"] + (" " + m["phase"] if "phase" in m else "") for m in messages] == [
        "run_start",
        *["epoch_start", "epoch_end train", "epoch_end val"] * 2,
        "epoch_end test",
        "test_curves",
        "training_complete",
    ]
    assert all("run_id" not in m for m in messages)
    assert results["status"] == "completed"
    assert json.loads(Path(results["log_file"]).read_text())["metadata"]["status"] == "completed"


def test_it_learns(trainer, source):
    assert trainer.train(source, "squares", epochs=8)["final_metrics"]["test_auroc"] > 0.95


def test_the_results_are_plain_json_and_say_what_the_last_message_says(trainer, source, progress, told):
    results = trainer.train(source, "squares", run_id="mine")
    assert json.loads(json.dumps(results, allow_nan=False)) == results
    assert results["run_id"] == "mine"
    assert results["final_metrics"] == told(progress)[-1]["final_metrics"]
    assert {"total_epochs", "best_epoch", "best_val_recall", "best_val_loss", "duration_seconds"} <= set(
        results["final_metrics"]
    )
    assert {"test_loss", "test_auroc", "test_accuracy", "test_recall", "test_specificity"} <= set(
        results["final_metrics"]
    )
    assert results["best_model_score"] == results["final_metrics"]["best_val_loss"]


def test_the_beginning_says_data_configuration_and_versions_and_no_path(trainer, source, progress, told, tmp_path):
    trainer.train(source, "squares")
    start = told(progress)[0]
    assert start["data"]["splits"]["train"]["n"] == 64
    assert start["data"]["phantom"] is False
    assert start["config"]["batch_size"] == 16
    assert start["total_epochs"] == 2
    assert start["software"]["torch"] == torch.__version__
    assert str(tmp_path) not in json.dumps(start)


def test_phantoms_are_called_phantoms(trainer, progress, told):
    results = trainer.train("phantoms", "x", epochs=1)
    assert results["phantom"] is True
    assert told(progress)[0]["data"]["phantom"] is True


def test_the_best_network_is_kept_as_a_plain_state_dict_with_its_configuration(trainer, source, config):
    results = trainer.train(source, "squares", run_id="mine")
    path = Path(results["best_model_path"])
    assert path.parts[-2:] == ("mine", "best.pt")
    network, kept = load_checkpoint(path)
    assert kept == config
    network.load_state_dict(torch.load(path, weights_only=True))
    assert network(torch.rand(1, 1, 16, 16)).shape == (1,)


def test_the_same_seed_gives_the_same_network_bit_for_bit(trainer, source):
    first, second = (torch.load(trainer.train(source, "x")["best_model_path"], weights_only=True) for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_workers_that_load_images_change_nothing(tmp_path, source, config, trainer):
    with_workers = config.model_copy(update={"num_workers": 2})
    other = CentralizedTrainer(config=with_workers, checkpoint_dir=tmp_path / "c", logs_dir=tmp_path / "l")
    kept = [one.train(source, "x")["best_model_score"] for one in (trainer, other)]
    assert kept[0] == kept[1]


def test_the_test_split_decides_nothing(trainer, source, tmp_path):
    arrays = dict(np.load(source))
    arrays["test_labels"] = 1 - arrays["test_labels"]
    np.savez(tmp_path / "flipped.npz", **arrays)
    kept = [trainer.train(path, "x")["best_model_score"] for path in (source, tmp_path / "flipped.npz")]
    assert kept[0] == kept[1]


def test_only_the_folders_that_were_named_are_written(trainer, source, tmp_path, monkeypatch):
    elsewhere = tmp_path / "cwd"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    trainer.train(source, "squares")
    assert not list(elsewhere.iterdir())
    assert not list(tmp_path.rglob("lightning_logs"))


def test_nothing_is_printed(trainer, source, capfd):
    trainer.train(source, "squares")
    assert capfd.readouterr() == ("", "")


def test_the_callers_state_of_chance_and_threads_stay(trainer, source):
    torch.manual_seed(3)
    expected, threads = torch.rand(1), torch.get_num_threads()
    torch.manual_seed(3)
    trainer.train(source, "squares")
    assert torch.rand(1) == expected
    assert torch.get_num_threads() == threads


def test_a_configuration_is_read_from_yaml_and_epochs_win(tmp_path, source, config, progress, told):
    path = tmp_path / "config.yaml"
    path.write_text(dump_config(config.model_copy(update={"epochs": 7})))
    trainer = CentralizedTrainer(path, tmp_path / "checkpoints", tmp_path / "logs")
    assert trainer.train(source, "squares", epochs=1)["final_metrics"]["total_epochs"] == 1
    assert told(progress)[1]["total_epochs"] == 1


def test_without_validation_the_newest_network_is_kept(trainer, source, monkeypatch):
    def without_val(*args, **options):
        data = original(*args, **options)
        images, labels = dict(data.images), dict(data.labels)
        images["val"], labels["val"] = images["val"][:0], labels["val"][:0]
        return dataclasses.replace(data, images=images, labels=labels)

    original = centralized_trainer.load_source
    monkeypatch.setattr(centralized_trainer, "load_source", without_val)
    results = trainer.train(source, "squares")
    assert results["best_epoch"] == 2
    assert results["best_model_score"] is None


def test_early_stopping_is_off_unless_set(tmp_path, source, config):
    stopping = config.model_copy(update={"epochs": 60, "learning_rate": 5.0, "early_stopping_patience": 1})
    trainer = CentralizedTrainer(config=stopping, checkpoint_dir=tmp_path / "c", logs_dir=tmp_path / "l")
    assert trainer.train(source, "squares")["final_metrics"]["total_epochs"] < 60


@pytest.mark.parametrize("epochs", [0, -1, 1.5, "ten", True])
def test_epochs_that_are_none_are_refused_before_anything_begins(trainer, source, progress, epochs):
    with pytest.raises(ConfigError, match="epochs"):
        trainer.train(source, "squares", epochs=epochs)
    assert not progress.exists()


def test_a_source_that_is_not_there_is_told_and_leaves_no_run(trainer, tmp_path, progress):
    with pytest.raises(DataError, match=r"nowhere\.npz"):
        trainer.train(tmp_path / "nowhere.npz", "squares")
    assert not progress.exists()


def test_a_source_that_is_broken_is_a_failed_run_that_names_no_path(trainer, tmp_path, progress, told):
    (tmp_path / "broken.npz").write_bytes(b"nonsense")
    with pytest.raises(DataError):
        trainer.train(tmp_path / "broken.npz", "squares")
    messages = told(progress)
    assert [m["type"] for m in messages] == ["run_start", "training_error"]
    assert str(tmp_path) not in json.dumps(messages)


def test_a_run_that_somebody_waits_for_fails_where_they_look(trainer, tmp_path, progress, told):
    with pytest.raises(DataError):
        trainer.train(tmp_path / "nowhere.npz", "squares", run_id="awaited")
    assert [m["type"] for m in told(progress)] == ["run_start", "training_error"]


def test_a_model_that_is_not_there_fails_with_the_nearest_name(tmp_path, source, config, progress, told):
    wrong = config.model_copy(update={"model": "monai.DenseNet112"})
    trainer = CentralizedTrainer(config=wrong, checkpoint_dir=tmp_path / "c", logs_dir=tmp_path / "logs")
    with pytest.raises(TrainingError, match=r"did you mean 'monai\.DenseNet121'"):
        trainer.train(source, "squares")
    assert "did you mean 'monai.DenseNet121'" in told(progress)[-1]["error"]


def test_a_loss_that_becomes_nan_is_an_alert_and_one_clear_line(tmp_path, source, config, progress, told, monkeypatch):
    (tmp_path / "broken_networks.py").write_text(
        "import torch\n"
        "from torch import nn\n"
        "class Nan(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.layer, self.seen = nn.Linear(256, 1), 0\n"
        "    def forward(self, x):\n"
        "        self.seen += self.training\n"
        "        return self.layer(x.flatten(1)) * (float('nan') if self.seen > 5 else 1)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("FPD_MODEL_PACKAGES", "broken_networks")
    wrong = config.model_copy(update={"model": "broken_networks.Nan", "model_args": {}})
    trainer = CentralizedTrainer(config=wrong, checkpoint_dir=tmp_path / "c", logs_dir=tmp_path / "logs")
    with pytest.raises(TrainingError, match=r"^the training loss became NaN at epoch 2, step 2$"):
        trainer.train(source, "squares")
    assert [m["type"] for m in told(progress)][-2:] == ["alert", "training_error"]
    assert told(progress)[-1]["error"] == "the training loss became NaN at epoch 2, step 2"


@pytest.mark.parametrize("label", [0, 1])
def test_a_test_split_of_one_class_gives_null_where_nothing_can_be_told(trainer, tmp_path, source, label):
    arrays = dict(np.load(source))
    arrays["test_labels"][:] = label
    np.savez(tmp_path / "one.npz", **arrays)
    final = trainer.train(tmp_path / "one.npz", "squares")["final_metrics"]
    assert final["test_auroc"] is None
    assert final["test_accuracy"] is not None


def test_a_request_to_cancel_ends_it_at_the_next_batch(trainer, source, progress, told, wait_until):
    found = {}
    thread = threading.Thread(target=lambda: found.update(trainer.train(source, "x", epochs=500, run_id="long")))
    thread.start()
    wait_until(lambda: progress.exists() and len(told(progress)) > 4, "two epochs were told")
    request_cancel(progress, "long", reason="enough", by="a test")
    thread.join(20)
    assert found["status"] == "cancelled"
    assert told(progress)[-1]["type"] == "training_cancelled"
    assert found["final_metrics"]["total_epochs"] < 500
    assert Path(found["best_model_path"]).exists()


def test_a_checkpoint_folder_that_cannot_be_written_is_one_clear_line(tmp_path, source, config, progress, told):
    (tmp_path / "in-the-way").write_text("")
    trainer = CentralizedTrainer(config=config, checkpoint_dir=tmp_path / "in-the-way", logs_dir=tmp_path / "logs")
    with pytest.raises(TrainingError, match="cannot be written"):
        trainer.train(source, "squares")
    assert told(progress)[-1]["type"] == "training_error"
