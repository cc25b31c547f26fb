"""How good a federated run is after three rounds on PneumoniaMNIST, on either engine, and how long it takes.

Three clients, three rounds, one local epoch, everything else by default. What was chosen was chosen on the validation
split; the test split is read once at the end of each run. `python -m benchmarks.federated local` names the engine.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from benchmarks._figures import figure
from federated_pneumonia_detection.config import make_config
from federated_pneumonia_detection.data import find_source
from federated_pneumonia_detection.federated import FederatedTrainer

GOALS = {"AUROC": 0.93, "seconds": 300.0}


def run(engine: str, folder: Path) -> dict[str, float]:
    """One run; its test figures, and the seconds from the call to its return."""
    config = make_config({"engine": engine, "num_clients": 3, "num_rounds": 3, "local_epochs": 1}, "federated")
    trainer = FederatedTrainer(config=config, checkpoint_dir=folder, logs_dir=folder)  # type: ignore[arg-type]
    begin_s = time.monotonic()
    final = trainer.train(None, "benchmark")["final_metrics"]
    return {
        "AUROC": final["test_auroc"],
        "accuracy": final["test_accuracy"],
        "val AUROC": final["best_val_auroc"],
        "seconds": time.monotonic() - begin_s,
    }


def main() -> int:
    """Print a line for each engine, each figure beside its goal."""
    if find_source(None).phantom:
        print("no X-rays: FPD_DATA names none; phantoms would say nothing about this figure")
        return 1
    for engine in sys.argv[1:] or ["local", "ray"]:
        with tempfile.TemporaryDirectory() as folder:
            figures = run(engine, Path(folder))
        told = "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
        print(f"{engine:6} {told}  (load {os.getloadavg()[0]:.1f})", flush=True)
        note = f"accuracy {figures['accuracy']:.4g}"
        figure(f"test AUROC, {engine}", figures["AUROC"], "", at_least=GOALS["AUROC"], note=note)
        figure(f"time of a run, {engine}", figures["seconds"], "s", at_most=GOALS["seconds"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
