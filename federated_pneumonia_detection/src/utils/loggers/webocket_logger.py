"""The guide's import path for the `ConnectionManager`, misspelt as there; it lives in the part `hub`."""

from federated_pneumonia_detection.hub import ConnectionManager

__all__ = ["ConnectionManager"]
