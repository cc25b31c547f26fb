"""Runs to and from other trackers: TensorBoard, MLflow, W&B, Trackio out; tfevents, Lightning's CSV, NVFLARE in.

Each neighbour is a module of its own, imported when it is asked for; none is needed for anything else.
"""

from federated_pneumonia_detection.neighbours.errors import NeighbourError
from federated_pneumonia_detection.neighbours.importing import Imported, import_file
from federated_pneumonia_detection.neighbours.points import NEIGHBOURS, Exported, export_run

__all__ = ["NEIGHBOURS", "Exported", "Imported", "NeighbourError", "export_run", "import_file"]
