"""The guide's import path for the loggers without a WebSocket; they live in the part `progress`."""

from federated_pneumonia_detection.progress import FederatedProgressLogger, ProgressLogger

__all__ = ["FederatedProgressLogger", "ProgressLogger"]
