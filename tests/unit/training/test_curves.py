"""What is told of a test beside its metrics, against scikit-learn and TorchMetrics."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from torchmetrics.classification import BinaryCalibrationError

from federated_pneumonia_detection.training.curves import (
    BINS,
    HARDEST,
    calibration,
    curves_of,
    hardest,
    precision_recall,
)


@pytest.fixture
def answers() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    labels = (torch.rand(500) < 0.7).long()
    return torch.randn(500) + labels, labels


def test_scikit_learn_finds_the_same_precision_and_recall(answers):
    logits, labels = answers
    found = precision_recall(logits, labels, points=10_000)
    precision, recall, _ = sk.precision_recall_curve(labels.numpy(), torch.sigmoid(logits).numpy())
    # TorchMetrics keeps the points of thresholds below which every image with pneumonia is found; they lie on a line.
    assert found["pr_recall"][-len(recall) :] == pytest.approx(recall.tolist(), abs=1e-6)
    assert found["pr_precision"][-len(recall) :] == pytest.approx(precision.tolist(), abs=1e-6)
    expected = sk.average_precision_score(labels.numpy(), torch.sigmoid(logits).numpy())
    assert found["average_precision"] == pytest.approx(expected, abs=1e-6)


def test_a_long_curve_is_thinned_and_keeps_both_ends(answers):
    found = precision_recall(*answers, points=50)
    assert len(found["pr_recall"]) == len(found["pr_precision"]) == len(found["pr_threshold"]) <= 50
    assert found["pr_recall"][0] == 1.0
    assert (found["pr_recall"][-1], found["pr_precision"][-1], found["pr_threshold"][-1]) == (0.0, 1.0, 1.0)


def test_others_find_the_same_calibration(answers):
    logits, labels = answers
    found = calibration(logits, labels)
    probabilities = torch.sigmoid(logits)
    assert found["brier"] == pytest.approx(sk.brier_score_loss(labels.numpy(), probabilities.numpy()), abs=1e-6)
    expected = BinaryCalibrationError(n_bins=BINS, norm="l1")(probabilities, labels)
    assert found["calibration_error"] == pytest.approx(float(expected), abs=1e-5)
    assert sum(found["bin_n"]) == 500
    assert sum(found["bin_pneumonia"]) == int(labels.sum())


def test_an_empty_bin_predicts_nothing_and_the_last_one_holds_one():
    found = calibration(torch.tensor([-math.inf, math.inf]), torch.tensor([0, 1]))
    assert found["bin_n"] == [1, *[0] * (BINS - 2), 1]
    assert found["bin_predicted"] == [0.0, *[None] * (BINS - 2), 1.0]
    assert (found["brier"], found["calibration_error"]) == (0.0, 0.0)


def test_the_worst_errors_come_first_and_then_the_nearest_misses():
    logits = torch.tensor([2.0, -3.0, 0.5, 0.1, -0.2])
    labels = torch.tensor([0, 1, 1, 0, 0])
    # Wrong by 3, by 2 and by 0.1; then right by 0.2 and by 0.5.
    assert hardest(logits, labels, threshold=0.5) == [1, 0, 3, 4, 2]


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.8])
def test_as_many_of_the_hardest_are_wrong_as_the_confusion_counts(answers, threshold):
    logits, labels = answers
    confusion = curves_of(logits, labels, threshold=threshold)["confusion"]
    wrong = confusion["fp"] + confusion["fn"]
    order = np.array(hardest(logits, labels, threshold=threshold, most=500))
    mistaken = (torch.sigmoid(logits) > threshold).long() != labels
    assert mistaken[order[:wrong]].all()
    assert not mistaken[order[wrong:]].any()


def test_of_one_class_alone_there_are_no_curves_and_of_no_image_no_figures():
    one_class = curves_of(torch.tensor([0.5, -0.5]), torch.tensor([1, 1]), threshold=0.5)
    assert (one_class["fpr"], one_class["pr_recall"], one_class["average_precision"]) == ([], [], None)
    assert one_class["brier"] is not None
    none = calibration(torch.zeros(0), torch.zeros(0, dtype=torch.long))
    assert (none["brier"], none["calibration_error"]) == (None, None)


def test_of_many_images_few_are_named(answers):
    assert len(curves_of(*answers, threshold=0.5)["hardest"]) == HARDEST
