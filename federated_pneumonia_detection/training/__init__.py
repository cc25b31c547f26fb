"""Training with Lightning, and everything that makes a run of it: network, recipe, callback, trainer, checkpoints.

The names are imported when they are first used: most callers need one of them, and torch takes seconds to import.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from federated_pneumonia_detection.training.centralized_trainer import CentralizedTrainer
    from federated_pneumonia_detection.training.checkpoints import load_checkpoint
    from federated_pneumonia_detection.training.epochs import evaluate_locally, train_locally
    from federated_pneumonia_detection.training.errors import TrainingCancelled, TrainingError
    from federated_pneumonia_detection.training.metrics_collector import MetricsCollectorCallback
    from federated_pneumonia_detection.training.networks import build_network
    from federated_pneumonia_detection.training.training_callbacks import prepare_trainer_and_callbacks_pl

__all__ = [
    "CentralizedTrainer",
    "MetricsCollectorCallback",
    "TrainingCancelled",
    "TrainingError",
    "build_network",
    "evaluate_locally",
    "load_checkpoint",
    "prepare_trainer_and_callbacks_pl",
    "train_locally",
]

_HOME = {
    "CentralizedTrainer": "centralized_trainer",
    "MetricsCollectorCallback": "metrics_collector",
    "TrainingCancelled": "errors",
    "TrainingError": "errors",
    "build_network": "networks",
    "evaluate_locally": "epochs",
    "load_checkpoint": "checkpoints",
    "prepare_trainer_and_callbacks_pl": "training_callbacks",
    "train_locally": "epochs",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
