import dataclasses
import json

import numpy as np

from federated_pneumonia_detection.data.dataset import Dataset, image_keys


def _dataset(train, val, test, patients=None):
    """Images of 8 x 8 pixels that each have one value; odd values are pneumonia."""
    values = {"train": train, "val": val, "test": test}
    images = {s: np.array([np.full((8, 8), v, np.uint8) for v in vs]).reshape(-1, 8, 8) for s, vs in values.items()}
    labels = {s: np.array([v % 2 for v in vs], np.int64) for s, vs in values.items()}
    who = {"train": patients, "val": None, "test": None}
    return Dataset("tiny", images, labels, who)


def test_a_description_counts_each_class_of_each_split_and_is_json():
    told = json.loads(json.dumps(_dataset([1, 3, 2], [4], [5]).describe()))
    assert told["splits"] == {
        "train": {"n": 3, "normal": 1, "pneumonia": 2},
        "val": {"n": 1, "normal": 1, "pneumonia": 0},
        "test": {"n": 1, "normal": 0, "pneumonia": 1},
    }
    assert told["name"] == "tiny"
    assert told["phantom"] is False
    assert told["image_size"] == 8


def test_the_digest_depends_on_every_pixel_and_label_and_on_nothing_else():
    one = _dataset([1, 2], [3], [4])
    assert one.digest == _dataset([1, 2], [3], [4]).digest
    assert dataclasses.replace(one, name="other", notes=["x"], digest="").digest == one.digest
    assert _dataset([2, 1], [3], [4]).digest != one.digest
    other = {**one.labels, "val": 1 - one.labels["val"]}
    assert dataclasses.replace(one, labels=other, digest="").digest != one.digest


def test_training_images_that_occur_elsewhere_again_are_left_out():
    slim = _dataset([1, 2, 1, 3, 4, 5], [3], [4, 4], np.arange(6)).without_duplicates()
    assert slim.images["train"][:, 0, 0].tolist() == [1, 2, 5]
    assert slim.labels["train"].tolist() == [1, 0, 1]
    assert slim.patients["train"].tolist() == [0, 1, 5]
    assert (len(slim.labels["val"]), len(slim.labels["test"])) == (1, 2)
    assert slim.notes == ["3 training images that occur elsewhere again were left out"]


def test_a_set_without_duplicates_stays_the_same_object():
    whole = _dataset([1, 2], [3], [4])
    assert whole.without_duplicates() is whole


def test_images_have_the_same_key_only_when_all_pixels_are_the_same():
    images = np.zeros((3, 8, 8), np.uint8)
    images[1, 7, 7] = 1
    first, second, third = image_keys(images)
    assert first == third
    assert first != second
