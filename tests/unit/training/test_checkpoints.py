import json
import os
import pickle

import pytest
import torch

from federated_pneumonia_detection.config import FederatedConfig
from federated_pneumonia_detection.training.checkpoints import (
    checkpoint_folder,
    describe_checkpoint,
    find_checkpoint,
    load_checkpoint,
    save_best,
)
from federated_pneumonia_detection.training.errors import BadCheckpoint, TrainingError
from federated_pneumonia_detection.training.networks import build_network


@pytest.fixture
def saved(tmp_path, tiny_config):
    network = build_network(tiny_config, seed=7)
    return save_best(
        network, tiny_config, tmp_path / "run", epoch=2, metrics={"val_loss": 0.5}, about={"phantom": True}
    )


def test_what_was_saved_judges_as_before(saved, tiny_config):
    network, config = load_checkpoint(saved)
    assert config == tiny_config
    images = torch.rand(2, 1, 12, 12)
    with torch.no_grad():
        assert torch.equal(network(images), build_network(tiny_config, seed=7).eval()(images))


def test_the_weights_are_a_plain_state_dict(saved, tiny_config):
    state = torch.load(saved, weights_only=True)
    build_network(tiny_config).load_state_dict(state)


def test_the_folder_and_the_description_name_the_checkpoint_too(saved):
    assert load_checkpoint(saved.parent)[1] == load_checkpoint(saved.with_suffix(".json"))[1]
    told = describe_checkpoint(saved)
    assert (told["epoch"], told["metrics"], told["phantom"]) == (2, {"val_loss": 0.5}, True)


def test_a_federated_configuration_comes_back_as_one(tmp_path, tiny_config):
    config = FederatedConfig(**tiny_config.model_dump(), num_clients=5)
    save_best(build_network(config), config, tmp_path, epoch=1, metrics={})
    assert load_checkpoint(tmp_path)[1] == config


def test_nothing_half_written_is_left_behind(saved):
    assert sorted(p.name for p in saved.parent.iterdir()) == ["best.json", "best.pt"]


class _Bomb:
    """Runs a command when it is unpickled."""


def test_a_pickle_that_would_run_code_is_refused_and_runs_nothing(saved, tmp_path):
    marker = tmp_path / "ran"
    _Bomb.__reduce__ = lambda self: (os.system, (f"touch {marker}",))
    saved.write_bytes(pickle.dumps(_Bomb()))
    with pytest.raises(BadCheckpoint, match=r"best\.pt"):
        load_checkpoint(saved)
    torch.save({"head": _Bomb()}, saved)
    with pytest.raises(BadCheckpoint, match="holds more than tensors"):
        load_checkpoint(saved)
    assert not marker.exists()


@pytest.mark.parametrize("kept", [0, 10, 500])
def test_a_torn_file_is_told_as_damaged(saved, kept):
    saved.write_bytes(saved.read_bytes()[:kept])
    with pytest.raises(BadCheckpoint, match="damaged"):
        load_checkpoint(saved)


def test_weights_of_another_network_are_told(saved):
    torch.save(torch.nn.Linear(2, 2).state_dict(), saved)
    with pytest.raises(BadCheckpoint, match="weights of another network than small_resnet"):
        load_checkpoint(saved)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "cannot be read"),
        ("[]", "no description"),
        ('{"format": 9, "config": {}}', "format 9"),
        ('{"format": 1, "config": {"epoch": 3}}', "epochs"),
    ],
)
def test_a_wrong_description_is_told(saved, text, told):
    saved.with_suffix(".json").write_text(text)
    with pytest.raises(BadCheckpoint, match=told):
        load_checkpoint(saved)


def test_a_missing_one_is_told(tmp_path, saved):
    with pytest.raises(BadCheckpoint, match="not found"):
        load_checkpoint(tmp_path / "nowhere")
    saved.unlink()
    with pytest.raises(BadCheckpoint, match="not found"):
        load_checkpoint(saved)


def test_a_run_is_found_by_its_name_or_as_the_latest(saved, tmp_path):
    assert find_checkpoint("run", tmp_path) == find_checkpoint("latest", tmp_path) == saved
    assert find_checkpoint(str(saved.parent), tmp_path / "elsewhere") == saved
    with pytest.raises(BadCheckpoint, match="runs with a checkpoint: run"):
        find_checkpoint("ruin", tmp_path)
    with pytest.raises(BadCheckpoint, match="no run has left a checkpoint"):
        find_checkpoint("latest", tmp_path / "elsewhere")


def test_each_run_has_a_folder_of_its_own_once(tmp_path):
    assert checkpoint_folder(tmp_path, "run-1") == tmp_path / "run-1"
    assert checkpoint_folder(tmp_path / "run-1", "run-1") == tmp_path / "run-1"


def test_a_folder_that_cannot_be_written_is_told(tmp_path, tiny_config):
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="cannot be written"):
        save_best(build_network(tiny_config), tiny_config, tmp_path / "file", epoch=1, metrics={})


def test_the_description_is_strict_json(saved):
    json.loads(saved.with_suffix(".json").read_text(), parse_constant=pytest.fail)
