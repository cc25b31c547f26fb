"""The guide's import path for the loggers with a WebSocket; they live in `federated_pneumonia_detection.progress`."""

from federated_pneumonia_detection.progress import WebSocketFederatedProgressLogger, WebSocketProgressLogger

__all__ = ["WebSocketFederatedProgressLogger", "WebSocketProgressLogger"]
