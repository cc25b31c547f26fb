"""What is told of a test beside its metrics: curves, calibration, and which images were hardest.

Everything here is over a whole split. Of a single image no value is told, only its place in the split.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics.classification import BinaryAveragePrecision, BinaryPrecisionRecallCurve

from federated_pneumonia_detection.training.metrics import roc_and_confusion

__all__ = ["BINS", "HARDEST", "calibration", "curves_of", "hardest", "precision_recall"]

Floats: TypeAlias = NDArray[np.float64]

BINS = 10
"""Bins of equal width that the predicted probabilities are counted in; the last one holds 1."""

HARDEST = 24
"""How many of the hardest images are named at most."""


def curves_of(logits: Tensor, labels: Tensor, *, threshold: float) -> dict[str, Any]:
    """All that ``log_test_curves`` tells of a split, by the names it takes.

    Args:
        logits: ``(N,)``.
        labels: 0 and 1, ``(N,)``.
        threshold: Above this probability an image counts as pneumonia.
    """
    logits = logits.float().cpu()
    return {
        **roc_and_confusion(logits, labels, threshold=threshold),
        "chosen": threshold,
        **precision_recall(logits, labels),
        **calibration(logits, labels),
        "hardest": hardest(logits, labels, threshold=threshold),
    }


def precision_recall(logits: Tensor, labels: Tensor, *, points: int = 200) -> dict[str, Any]:
    """The precision-recall curve, thinned to at most ``points``, and the average precision.

    Returns:
        ``pr_recall``, ``pr_precision``, ``pr_threshold`` (of one length, from the greatest recall to the least; the
        last point, recall 0 and precision 1, has the threshold 1, which no image is above) and
        ``average_precision``. With one class only the curve is empty and the average is None.
    """
    probabilities, truth = torch.sigmoid(logits.float()), labels.long()
    positive = int(truth.sum())
    if positive in (0, truth.numel()):
        return {"pr_recall": [], "pr_precision": [], "pr_threshold": [], "average_precision": None}
    precision, recall, cuts = (t.double().numpy() for t in BinaryPrecisionRecallCurve()(probabilities, truth))
    columns = {"pr_recall": recall, "pr_precision": precision, "pr_threshold": np.append(cuts, 1.0)}
    chosen = _along(recall, precision, points)
    average = float(BinaryAveragePrecision()(probabilities, truth))
    return {**{name: _told(column[chosen]) for name, column in columns.items()}, "average_precision": _rounded(average)}


def calibration(logits: Tensor, labels: Tensor) -> dict[str, Any]:
    """How far the predicted probabilities are to be believed: ``BINS`` bins of equal width, and two figures.

    Returns:
        ``bin_n`` (images in each bin), ``bin_pneumonia`` (those of them with pneumonia), ``bin_predicted`` (the mean
        predicted probability; None in an empty bin), ``brier`` (the mean squared difference between probability and
        truth: Brier, 1950) and ``calibration_error`` (the expected calibration error: the mean over all images of
        their bin's distance between predicted and observed; Guo et al., 2017, with the probability of pneumonia in
        place of a confidence). Without images both figures are None.
    """
    probabilities: Floats = torch.sigmoid(logits.double()).nan_to_num(nan=0.0).cpu().numpy()
    truth: Floats = labels.double().cpu().numpy()
    place = np.minimum((probabilities * BINS).astype(np.intp), BINS - 1)
    n, cases, total = (np.bincount(place, weights=weights, minlength=BINS) for weights in (None, truth, probabilities))
    count = len(truth)
    return {
        "bin_n": [int(one) for one in n],
        "bin_pneumonia": [int(one) for one in cases],
        # Three digits are all that is drawn, and all that is to be told of a bin with one image in it.
        "bin_predicted": [round(float(t / m), 3) if m else None for t, m in zip(total, n, strict=True)],
        "brier": _rounded(float(np.mean((probabilities - truth) ** 2))) if count else None,
        "calibration_error": _rounded(float(np.abs(total - cases).sum()) / count) if count else None,
    }


def hardest(logits: Tensor, labels: Tensor, *, threshold: float, most: int = HARDEST) -> list[int]:
    """Places in the split of the images that were judged most wrongly, the worst first; then the nearest misses.

    An image is the harder the farther its logit lies on the wrong side of the threshold's. So of a list that is
    longer than the errors in the confusion matrix, those come first.
    """
    probabilities = torch.sigmoid(logits.float()).nan_to_num(nan=0.0).double().cpu().numpy()
    positive = labels.cpu().numpy() == 1
    with np.errstate(divide="ignore"):
        distance = np.log(probabilities) - np.log1p(-probabilities) - (np.log(threshold) - np.log1p(-threshold))
    margin = np.where(positive, distance, -distance)
    wrong = positive != (probabilities > threshold)
    order = np.lexsort((margin, ~wrong))
    return [int(index) for index in order[:most]]


def _along(x: Floats, y: Floats, points: int) -> NDArray[np.intp]:
    """Indices of at most ``points`` points, evenly spread along a curve's length, both ends among them."""
    if len(x) <= points:
        return np.arange(len(x))
    along = np.concatenate(([0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))))
    wanted = np.searchsorted(along, np.linspace(0.0, along[-1], points))
    return np.unique(np.append(np.clip(wanted, 0, len(x) - 1)[:-1], len(x) - 1))


def _told(column: Floats) -> list[float]:
    return [_rounded(float(value)) for value in column]


def _rounded(value: float) -> float:
    return round(value, 6)
