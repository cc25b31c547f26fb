"""What is measured, by TorchMetrics. The positive class is pneumonia (1); sensitivity is called recall here.

Degenerate splits: a metric whose denominator is empty is 0 by TorchMetrics' convention, but an AUROC, a recall and a
specificity without any image of the class they are about mean nothing and are NaN here (``null`` in a message).
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics import MetricCollection
from torchmetrics.classification import (
    BinaryAccuracy,
    BinaryAUROC,
    BinaryConfusionMatrix,
    BinaryF1Score,
    BinaryPrecision,
    BinaryRecall,
    BinaryROC,
    BinarySpecificity,
)

__all__ = ["METRIC_NAMES", "binary_metrics", "measure", "metric_collection", "roc_and_confusion"]

METRIC_NAMES = ("loss", "accuracy", "recall", "precision", "specificity", "f1", "auroc")


def metric_collection(threshold: float, *, prefix: str = "") -> MetricCollection:
    """The metrics of ``METRIC_NAMES`` but the loss, over probabilities and labels.

    Args:
        threshold: From this probability on an image counts as pneumonia.
        prefix: Put before each name, as ``val_``.
    """
    return MetricCollection(
        {
            "accuracy": BinaryAccuracy(threshold),
            "recall": BinaryRecall(threshold),
            "precision": BinaryPrecision(threshold),
            "specificity": BinarySpecificity(threshold),
            "f1": BinaryF1Score(threshold),
            "auroc": BinaryAUROC(),
        },
        prefix=prefix,
    )


def measure(collection: MetricCollection, logits: Tensor, labels: Tensor) -> dict[str, float]:
    """One value for each metric over all of ``logits`` and ``labels``; the collection is empty afterwards.

    Args:
        collection: From ``metric_collection``.
        logits: ``(N,)``, N of at least 1.
        labels: 0 and 1, ``(N,)``.
    """
    with warnings.catch_warnings():
        # "No positive samples in targets": told by NaN below, which the caller can see.
        warnings.filterwarnings("ignore", message="No (positive|negative) samples", category=UserWarning)
        collection.update(torch.sigmoid(logits.float()).nan_to_num(nan=0.0), labels.long())
        values = {name: float(value) for name, value in collection.compute().items()}
    collection.reset()
    positive = int((labels == 1).sum())
    undefined = {"auroc"} if positive in (0, labels.numel()) else set()
    undefined |= {"recall"} if positive == 0 else set()
    undefined |= {"specificity"} if positive == labels.numel() else set()
    prefix = collection.prefix or ""
    ordered = [f"{prefix}{name}" for name in METRIC_NAMES if f"{prefix}{name}" in values]
    # Seven digits are all that single precision tells; 0.58 is not to be read as 0.5799999833106995.
    return {n: math.nan if n.removeprefix(prefix) in undefined else float(f"{values[n]:.7g}") for n in ordered}


def binary_metrics(
    logits: Tensor, labels: Tensor, *, threshold: float, loss: float | None = None, prefix: str = ""
) -> dict[str, float]:
    """All of ``METRIC_NAMES`` at once (``loss`` only if given), named with ``prefix``.

    Args:
        logits: ``(N,)``.
        labels: 0 and 1, ``(N,)``.
        threshold: From this probability on an image counts as pneumonia.
        loss: Stands first if given.
        prefix: Put before each name, as ``test_``.
    """
    first = {} if loss is None else {f"{prefix}loss": loss}
    return {**first, **measure(metric_collection(threshold, prefix=prefix), logits, labels)}


def roc_and_confusion(logits: Tensor, labels: Tensor, *, threshold: float, points: int = 200) -> dict[str, Any]:
    """The ROC curve, thinned to at most ``points``, and the confusion matrix.

    Returns:
        ``fpr``, ``tpr``, ``threshold`` (lists of one length, from (0, 0) to (1, 1); the first threshold, which no
        image reaches, is 1) and ``confusion`` (``tn``, ``fp``, ``fn``, ``tp``). With one class only the curve is empty.
    """
    probabilities, truth = torch.sigmoid(logits.float()), labels.long()
    matrix = BinaryConfusionMatrix(threshold)(probabilities, truth).tolist()
    confusion = {"tn": matrix[0][0], "fp": matrix[0][1], "fn": matrix[1][0], "tp": matrix[1][1]}
    positive = int(truth.sum())
    if positive in (0, truth.numel()):
        return {"fpr": [], "tpr": [], "threshold": [], "confusion": confusion}
    # Double precision: sums of thousands of single steps must still end in exactly (1, 1).
    fpr, tpr, cuts = (t.double().numpy() for t in BinaryROC()(probabilities, truth))
    chosen = _thinned(fpr, tpr, points)
    columns = {"fpr": fpr, "tpr": tpr, "threshold": np.clip(cuts, 0.0, 1.0)}
    return {**{k: [round(float(v), 6) for v in c[chosen]] for k, c in columns.items()}, "confusion": confusion}


def _thinned(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any], points: int) -> np.ndarray[Any, Any]:
    """Indices of the corners of a staircase; if they are too many, evenly spread along its length."""
    turns = np.ones(len(x), dtype=bool)
    turns[1:-1] = (x[2:] - x[1:-1]) * (y[1:-1] - y[:-2]) != (y[2:] - y[1:-1]) * (x[1:-1] - x[:-2])
    corners = np.flatnonzero(turns)
    if len(corners) <= points:
        return corners
    along = np.concatenate(([0.0], np.cumsum(np.abs(np.diff(x[corners])) + np.abs(np.diff(y[corners])))))
    wanted = np.searchsorted(along, np.linspace(0.0, along[-1], points))
    return corners[np.unique(np.clip(wanted, 0, len(corners) - 1))]
