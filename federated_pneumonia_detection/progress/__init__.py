"""What a training process imports: messages, journals, the polled document and the four loggers.

A logger appends to a journal of its own and keeps a JSON document beside it. Everything else (a server's log, a
viewer's frames, a run's status) is made from journals by whoever reads them. Standard library and msgspec alone.
"""

from federated_pneumonia_detection.progress.loggers import (
    FederatedProgressLogger,
    ProgressLogger,
    WebSocketFederatedProgressLogger,
    WebSocketProgressLogger,
)
from federated_pneumonia_detection.progress.protocol import WebSocketManager

__all__ = [
    "FederatedProgressLogger",
    "ProgressLogger",
    "WebSocketFederatedProgressLogger",
    "WebSocketManager",
    "WebSocketProgressLogger",
]
