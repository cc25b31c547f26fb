import math

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from federated_pneumonia_detection.training.metrics import METRIC_NAMES, binary_metrics, roc_and_confusion


@pytest.fixture
def answers() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    labels = (torch.rand(500) < 0.7).long()
    return torch.randn(500) + labels, labels


def test_scikit_learn_finds_the_same_numbers(answers):
    logits, labels = answers
    ours = binary_metrics(logits, labels, threshold=0.6)
    probability, truth = torch.sigmoid(logits).double().numpy(), labels.numpy()
    said = probability >= 0.6
    assert ours["accuracy"] == pytest.approx(sk.accuracy_score(truth, said))
    assert ours["recall"] == pytest.approx(sk.recall_score(truth, said))
    assert ours["precision"] == pytest.approx(sk.precision_score(truth, said))
    assert ours["specificity"] == pytest.approx(sk.recall_score(1 - truth, ~said))
    assert ours["f1"] == pytest.approx(sk.f1_score(truth, said))
    assert ours["auroc"] == pytest.approx(sk.roc_auc_score(truth, probability))


def test_they_stand_in_one_order_with_the_loss_first(answers):
    assert tuple(binary_metrics(*answers, threshold=0.5, loss=1.0)) == METRIC_NAMES
    assert next(iter(binary_metrics(*answers, threshold=0.5, prefix="val_"))) == "val_accuracy"


@pytest.mark.parametrize(("label", "undefined"), [(1, {"specificity", "auroc"}), (0, {"recall", "auroc"})])
def test_what_one_class_alone_cannot_tell_is_nan(label, undefined):
    found = binary_metrics(torch.tensor([0.5, -0.5]), torch.tensor([label, label]), threshold=0.5)
    assert {name for name, value in found.items() if math.isnan(value)} == undefined


def test_the_curve_runs_from_corner_to_corner_and_keeps_its_area(answers):
    logits, labels = answers
    curve = roc_and_confusion(logits, labels, threshold=0.5, points=200)
    assert (curve["fpr"][0], curve["tpr"][0]) == (0.0, 0.0)
    assert (curve["fpr"][-1], curve["tpr"][-1]) == (1.0, 1.0)
    assert len(curve["fpr"]) == len(curve["tpr"]) == len(curve["threshold"]) <= 200
    assert np.trapezoid(curve["tpr"], curve["fpr"]) == pytest.approx(sk.roc_auc_score(labels, logits), abs=1e-5)


def test_a_long_curve_is_thinned_and_hardly_loses_area():
    torch.manual_seed(1)
    labels = (torch.rand(20_000) < 0.5).long()
    logits = torch.randn(20_000) + labels
    curve = roc_and_confusion(logits, labels, threshold=0.5, points=200)
    assert len(curve["fpr"]) <= 200
    assert np.trapezoid(curve["tpr"], curve["fpr"]) == pytest.approx(sk.roc_auc_score(labels, logits), abs=2e-3)


def test_the_confusion_matrix_counts_each_image_once(answers):
    logits, labels = answers
    found = roc_and_confusion(logits, labels, threshold=0.5)["confusion"]
    tn, fp, fn, tp = sk.confusion_matrix(labels, logits >= 0).ravel()
    assert found == {"tn": tn, "fp": fp, "fn": fn, "tp": tp}


def test_one_class_has_no_curve_but_a_confusion_matrix():
    found = roc_and_confusion(torch.tensor([1.0, -1.0]), torch.tensor([1, 1]), threshold=0.5)
    assert found["fpr"] == found["tpr"] == found["threshold"] == []
    assert found["confusion"] == {"tn": 0, "fp": 0, "fn": 1, "tp": 1}
