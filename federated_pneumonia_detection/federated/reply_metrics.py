"""What stands in Flower's messages and replies: their configuration and metrics, under our names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from flwr.app import Message

__all__ = ["WEIGHT", "WHO", "config_of", "fit_and_evaluated", "metrics_of", "size_bytes"]

WEIGHT = "num-examples"
"""Flower's key for the weight of a reply."""

WHO = "fpd-client"
"""The record of a reply, and the key in it, that says who sent it."""

_EVAL_WEIGHT = "val-examples"


def config_of(message: Message) -> Mapping[str, Any]:
    """The configuration that came with a message."""
    # Under whatever key the strategy puts it.
    return {key: value for record in message.content.config_records.values() for key, value in record.items()}


def size_bytes(message: Message) -> int:
    """What a message that is no error carries, as Flower measures it: serialised arrays, names, metrics, settings."""
    return sum(record.count_bytes() for record in message.content.values())


def _known(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Without what could not be measured: strategies want the same keys of every client, people want no false alarm."""
    return {
        key: value
        for key, value in metrics.items()
        if "loss" in key or not isinstance(value, float) or not math.isnan(value)
    }


def metrics_of(reply: Message) -> dict[str, Any]:
    """The metrics of a reply that is no error."""
    return {key: value for record in reply.content.metric_records.values() for key, value in record.items()}


def fit_and_evaluated(metrics: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Metrics of training, and those of validation (`val_…`, `val-…`), each with its number of images."""
    metrics = _known(metrics)
    fit = {key: value for key, value in metrics.items() if not key.startswith(("val_", "val-"))}
    evaluated = {key: value for key, value in metrics.items() if key.startswith("val_")}
    if WEIGHT in fit:
        fit["num_samples"] = fit.pop(WEIGHT)
    for part, prefix in ((fit, "num-"), (evaluated, "val-num-")):
        for name in ("normal", "pneumonia"):
            if (count := metrics.get(f"{prefix}{name}")) is not None:
                part.pop(f"{prefix}{name}", None)
                part[f"num_{name}"] = count
    if metrics.get(_EVAL_WEIGHT) == 0:
        evaluated.clear()
    if _EVAL_WEIGHT in metrics:
        evaluated["num_samples"] = metrics[_EVAL_WEIGHT]
    return fit, evaluated
