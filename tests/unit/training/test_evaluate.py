import numpy as np
import pytest

from federated_pneumonia_detection.data import DataError
from federated_pneumonia_detection.training.checkpoints import save_best
from federated_pneumonia_detection.training.evaluate import evaluate_source
from federated_pneumonia_detection.training.networks import build_network


@pytest.fixture
def checkpoint(tmp_path, tiny_config):
    config = tiny_config.model_copy(update={"image_size": 28})
    return save_best(build_network(config), config, tmp_path / "run", epoch=1, metrics={}, about={"phantom": True})


def test_phantoms_are_measured_and_called_phantoms(checkpoint):
    found = evaluate_source(checkpoint, "phantoms", device="cpu")
    assert found.phantom
    assert found.trained_on_phantoms
    assert set(found.metrics) == {"loss", "accuracy", "recall", "precision", "specificity", "f1", "auroc"}
    assert sum(found.curves["confusion"].values()) == sum(found.count.values())


def test_all_splits_together_are_more_than_one(checkpoint):
    one = evaluate_source(checkpoint, "phantoms", device="cpu")
    everything = evaluate_source(checkpoint, "phantoms", part="all", device="cpu")
    assert sum(everything.count.values()) > sum(one.count.values())


def test_a_split_without_images_is_told(checkpoint, monkeypatch):
    import federated_pneumonia_detection.training.evaluate as module

    def without_test(*args, **options):
        data = original(*args, **options)
        data.images["test"], data.labels["test"] = np.empty((0, 28, 28), np.uint8), np.empty(0, np.int64)
        return data

    original = module.load_source
    monkeypatch.setattr(module, "load_source", without_test)
    with pytest.raises(DataError, match="no image in the split 'test'"):
        evaluate_source(checkpoint, "phantoms", device="cpu")
