"""PneumoniaMNIST as it is: counts, duplicates, speed."""

import time

import pytest

from federated_pneumonia_detection.data import inspect_source, load_source

pytestmark = pytest.mark.xrays


def test_the_published_counts_are_found(xrays):
    splits = load_source(xrays).describe()["splits"]
    assert splits == {
        "train": {"n": 4708, "normal": 1214, "pneumonia": 3494},
        "val": {"n": 524, "normal": 135, "pneumonia": 389},
        "test": {"n": 624, "normal": 234, "pneumonia": 390},
    }


def test_twenty_six_training_copies_are_dropped_and_none_of_test(xrays):
    slim = load_source(xrays).without_duplicates()
    assert slim.describe()["splits"]["train"]["n"] == 4708 - 26
    assert slim.describe()["splits"]["test"]["n"] == 624


def test_inspection_reports_the_images_that_lie_in_two_splits(xrays):
    found = inspect_source(xrays)
    assert found.across_splits == 8
    assert found.problems == []
    assert not found.phantom


def test_loading_takes_less_than_half_a_second(xrays):
    best = min(_seconds_to_load(xrays) for _ in range(3))
    assert best < 0.5


def _seconds_to_load(source):
    began = time.process_time()
    load_source(source)
    return time.process_time() - began
