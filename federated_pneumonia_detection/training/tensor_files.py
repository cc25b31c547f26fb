"""Reading what `torch.save` wrote, from wherever it came: tensors and numbers, and nothing that runs."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import torch

from federated_pneumonia_detection.training.errors import BadCheckpoint, one_line

__all__ = ["read_tensors"]


def read_tensors(path: Path) -> Any:
    """What the file holds, on the CPU; nothing in it is executed.

    Raises:
        BadCheckpoint: It is missing, damaged, or holds more than tensors and numbers.
    """
    try:
        with warnings.catch_warnings():
            # A file of unusual make is told by the errors below, or is fine.
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise BadCheckpoint(path, "not found") from None
    except pickle.UnpicklingError as error:
        raise BadCheckpoint(path, "holds more than tensors, or is damaged; it was not loaded") from error
    # torch raises nearly anything for a file that is damaged.
    except Exception as error:
        raise BadCheckpoint(path, f"is damaged ({one_line(error)})") from error
