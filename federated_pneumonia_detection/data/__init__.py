"""Where X-rays come from: npz, folders, CSV, zip, DICOM, phantoms; inspection, splits, partitions. No torch."""

from federated_pneumonia_detection.data.cache import cache_directory
from federated_pneumonia_detection.data.catalogue import Catalogue, open_catalogue
from federated_pneumonia_detection.data.dataset import CLASSES, SPLITS, Dataset, Split
from federated_pneumonia_detection.data.errors import DataError
from federated_pneumonia_detection.data.images import IMAGE_SUFFIXES, read_image
from federated_pneumonia_detection.data.inspection import Inspection, inspect_source
from federated_pneumonia_detection.data.partitions import partition
from federated_pneumonia_detection.data.phantoms import PHANTOM_NOTE, make_phantoms
from federated_pneumonia_detection.data.sources import Found, find_source, load_source

__all__ = [
    "CLASSES",
    "IMAGE_SUFFIXES",
    "PHANTOM_NOTE",
    "SPLITS",
    "Catalogue",
    "DataError",
    "Dataset",
    "Found",
    "Inspection",
    "Split",
    "cache_directory",
    "find_source",
    "inspect_source",
    "load_source",
    "make_phantoms",
    "open_catalogue",
    "partition",
    "read_image",
]
