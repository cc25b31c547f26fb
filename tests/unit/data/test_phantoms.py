import numpy as np
import pytest

from federated_pneumonia_detection.data.phantoms import PHANTOM_COUNTS, make_phantoms


@pytest.fixture(scope="module")
def whole():
    """As many as a run on phantoms gets."""
    return make_phantoms()


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


def test_each_patient_lies_in_one_split_and_has_one_diagnosis(whole):
    homes = {split: set(whole.patients[split].tolist()) for split in PHANTOM_COUNTS}
    assert sum(len(home) for home in homes.values()) == len(set().union(*homes.values()))
    for split in PHANTOM_COUNTS:
        pairs = set(zip(whole.patients[split].tolist(), whole.labels[split].tolist(), strict=True))
        assert len(pairs) == len(homes[split])


def test_no_phantom_occurs_twice_and_both_classes_are_everywhere(whole):
    assert whole.without_duplicates() is whole
    for split, count in PHANTOM_COUNTS.items():
        assert len(whole.labels[split]) == count
        assert 0.4 < whole.labels[split].mean() < 0.75


def test_brightness_alone_does_not_tell_pneumonia(whole):
    """Else a network would learn the exposure within one epoch, and nobody would see it learn."""
    brightness = whole.images["train"].mean(axis=(1, 2))
    ill, well = (brightness[whole.labels["train"] == label] for label in (1, 0))
    auroc = float((ill[:, None] > well[None, :]).mean())
    assert auroc < 0.7
