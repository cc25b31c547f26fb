"""What one uses of a run in a notebook: data frames of it, and itself live in a cell.

`import federated_pneumonia_detection as fpd` names all of it; nothing here is imported before it is used.
"""

from federated_pneumonia_detection.notebook.run import Run, run, runs, watch

__all__ = ["Run", "run", "runs", "watch"]
