import numpy as np
import pytest

from federated_pneumonia_detection.data.phantoms import PHANTOM_COUNTS, make_phantoms

FEW = {"train": 30, "val": 10, "test": 10}


def test_phantoms_say_that_they_are_no_xrays():
    phantoms = make_phantoms(counts=FEW)
    assert phantoms.phantom
    assert phantoms.describe()["phantom"] is True
    assert "phantoms, not X-rays" in phantoms.notes


def test_the_same_seed_gives_the_same_bytes_and_another_does_not():
    assert make_phantoms(counts=FEW, seed=3).digest == make_phantoms(counts=FEW, seed=3).digest
    assert make_phantoms(counts=FEW, seed=3).digest != make_phantoms(counts=FEW, seed=4).digest


@pytest.mark.parametrize("image_size", [8, 28, 64, 120])
def test_phantoms_come_in_the_size_asked_for(image_size):
    phantoms = make_phantoms(counts=FEW, image_size=image_size)
    assert phantoms.images["val"].shape == (10, image_size, image_size)
    assert phantoms.images["val"].dtype == np.uint8


def test_each_patient_lies_in_one_split_and_has_one_diagnosis():
    phantoms = make_phantoms()
    homes = {split: set(phantoms.patients[split].tolist()) for split in PHANTOM_COUNTS}
    assert sum(len(home) for home in homes.values()) == len(set().union(*homes.values()))
    for split in PHANTOM_COUNTS:
        pairs = set(zip(phantoms.patients[split].tolist(), phantoms.labels[split].tolist(), strict=True))
        assert len(pairs) == len(homes[split])


def test_no_phantom_occurs_twice_and_both_classes_are_everywhere():
    phantoms = make_phantoms()
    assert phantoms.without_duplicates() is phantoms
    for split, count in PHANTOM_COUNTS.items():
        assert len(phantoms.labels[split]) == count
        assert 0.4 < phantoms.labels[split].mean() < 0.75


def test_brightness_alone_does_not_tell_pneumonia():
    """Else a network would learn the exposure within one epoch, and nobody would see it learn."""
    from sklearn.metrics import roc_auc_score

    phantoms = make_phantoms()
    brightness = phantoms.images["train"].mean(axis=(1, 2))
    assert roc_auc_score(phantoms.labels["train"], brightness) < 0.7
