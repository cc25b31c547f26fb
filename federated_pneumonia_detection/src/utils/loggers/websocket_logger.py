"""The import path for the `ConnectionManager`, spelt right; it lives in `federated_pneumonia_detection.hub`."""

from federated_pneumonia_detection.hub import ConnectionManager

__all__ = ["ConnectionManager"]
