"""Where X-rays come from: npz, folders, CSV, zip, DICOM, phantoms; inspection, splits, partitions. No torch."""

from federated_pneumonia_detection.data.dataset import CLASSES, SPLITS, Dataset, Split
from federated_pneumonia_detection.data.errors import DataError
from federated_pneumonia_detection.data.phantoms import PHANTOM_NOTE, make_phantoms
from federated_pneumonia_detection.data.sources import Found, find_source, load_source

__all__ = [
    "CLASSES",
    "PHANTOM_NOTE",
    "SPLITS",
    "DataError",
    "Dataset",
    "Found",
    "Split",
    "find_source",
    "load_source",
    "make_phantoms",
]
