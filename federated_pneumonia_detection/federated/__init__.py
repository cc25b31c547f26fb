"""Federated training with Flower: one client app, one server app, carried by an engine that they do not know.

The names are imported when they are first used: Flower and torch take seconds, and Flower reads its environment then.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from federated_pneumonia_detection.federated.batches import current_progress, watch_batches
    from federated_pneumonia_detection.federated.client_watch import progress_mod, watch_client_app
    from federated_pneumonia_detection.federated.errors import AllClientsFailed, FederatedError, UnknownStrategy
    from federated_pneumonia_detection.federated.federated_metrics_collector import FederatedMetricsCollector
    from federated_pneumonia_detection.federated.federated_trainer import FederatedTrainer
    from federated_pneumonia_detection.federated.strategies import build_strategy
    from federated_pneumonia_detection.federated.strategy_watch import watch_strategy

__all__ = [
    "AllClientsFailed",
    "FederatedError",
    "FederatedMetricsCollector",
    "FederatedTrainer",
    "UnknownStrategy",
    "build_strategy",
    "current_progress",
    "progress_mod",
    "watch_batches",
    "watch_client_app",
    "watch_strategy",
]

_HOME = {
    "AllClientsFailed": "errors",
    "FederatedError": "errors",
    "FederatedMetricsCollector": "federated_metrics_collector",
    "FederatedTrainer": "federated_trainer",
    "UnknownStrategy": "errors",
    "build_strategy": "strategies",
    "current_progress": "batches",
    "progress_mod": "client_watch",
    "watch_client_app": "client_watch",
    "watch_batches": "batches",
    "watch_strategy": "strategy_watch",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
