import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federated_pneumonia_detection.data import DataError
from federated_pneumonia_detection.data.splits import SHARES, cut_splits


@settings(deadline=None)  # a busy machine is no failure
@given(normal=st.integers(3, 80), ill=st.integers(3, 80), per_patient=st.integers(1, 3), seed=st.integers(0, 3))
def test_each_split_gets_both_classes_and_no_patient_stands_in_two(normal, ill, per_patient, seed):
    labels = np.repeat(np.array([0] * normal + [1] * ill, np.int64), per_patient)
    patients = np.repeat(np.arange(normal + ill), per_patient)
    splits = np.array(cut_splits(labels, patients, seed=seed, shares=SHARES, where="here"))
    homes = {split: set(patients[splits == split].tolist()) for split in SHARES}
    assert sum(len(home) for home in homes.values()) == normal + ill
    for split in SHARES:
        assert set(labels[splits == split].tolist()) == {0, 1}


def test_the_shares_are_kept_in_each_class():
    labels = np.array([0] * 100 + [1] * 300)
    splits = np.array(cut_splits(labels, None, seed=0, shares=SHARES, where="here"))
    counts = {split: np.bincount(labels[splits == split]).tolist() for split in SHARES}
    assert counts == {"train": [70, 210], "val": [10, 30], "test": [20, 60]}


def test_the_same_seed_cuts_the_same_way_and_another_does_not():
    labels = np.arange(60) % 2

    def cut(seed):
        return cut_splits(labels, None, seed=seed, shares=SHARES, where="here")

    assert cut(1) == cut(1)
    assert cut(1) != cut(2)


@pytest.mark.parametrize(("patients", "noun"), [(None, "2 images"), (np.array([0, 0, 0, 1, 2, 3, 4, 4]), "1 patient,")])
def test_a_class_too_small_for_every_split_is_named(patients, noun):
    labels = np.array([0, 0, 1, 1, 1, 1, 1, 1]) if patients is None else np.array([0, 0, 0, 1, 1, 1, 1, 1])
    with pytest.raises(DataError) as caught:
        cut_splits(labels, patients, seed=0, shares=SHARES, where="here")
    assert f"class normal has {noun}" in caught.value.what
    assert caught.value.where == "here"
