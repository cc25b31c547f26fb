import numpy as np
import pytest
from PIL import Image

from federated_pneumonia_detection.training.checkpoints import save_best
from federated_pneumonia_detection.training.errors import TrainingError
from federated_pneumonia_detection.training.networks import build_network
from federated_pneumonia_detection.training.predict import find_images, predict_images


@pytest.fixture
def checkpoint(tmp_path, tiny_config):
    return save_best(build_network(tiny_config), tiny_config, tmp_path / "run", epoch=1, metrics={})


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    random = np.random.default_rng(0)
    for name in ("b.png", "a.png", "more/c.jpeg"):
        Image.fromarray(random.integers(0, 256, (20, 30), dtype=np.uint8)).save(folder / name)
    return folder


def test_a_folder_stands_for_all_images_below_it_in_order(checkpoint, pictures):
    found = predict_images(checkpoint, [pictures], device="cpu")
    assert [p.path.name for p in found] == ["a.png", "b.png", "c.jpeg"]
    assert all(0 < p.probability < 1 for p in found)
    assert all(p.label == ("pneumonia" if p.probability >= p.threshold else "normal") for p in found)


def test_the_threshold_of_the_configuration_holds_unless_another_is_given(checkpoint, pictures):
    assert predict_images(checkpoint, [pictures], device="cpu")[0].threshold == 0.5
    assert predict_images(checkpoint, [pictures], threshold=0.0, device="cpu")[0].label == "pneumonia"
    assert predict_images(checkpoint, [pictures], threshold=1.0, device="cpu")[0].label == "normal"


def test_an_image_that_is_none_is_told_and_stops_nothing(checkpoint, pictures):
    (pictures / "aa.png").write_text("no picture")
    found = predict_images(checkpoint, [pictures], device="cpu")
    assert [p.error is None for p in found] == [True, False, True, True]
    assert found[1].label is None
    assert "aa.png" in found[1].error
    assert found[0].probability == predict_images(checkpoint, [pictures / "a.png"], device="cpu")[0].probability


def test_a_path_that_is_not_there_and_a_folder_without_images_are_told(tmp_path):
    with pytest.raises(TrainingError, match="no such image or folder"):
        find_images([tmp_path / "nowhere.png"])
    with pytest.raises(TrainingError, match="no image below it"):
        find_images([tmp_path])
