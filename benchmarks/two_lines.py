"""What our lines cost a Flower app: the quickstart with them and without, in pairs, on the same images and weights.

The embedded grid carries both, one client after the other in this process, so that nothing but the lines differs. Each
pair is run in the other order than the last, and the figure is the median of the pairs' ratios. On a machine that has
other work the processor time says more than the wall time.
"""

from __future__ import annotations

import logging
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

from benchmarks._figures import figure
from federated_pneumonia_detection.federated.environment import prepare

prepare()

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from flower_quickstart import copy_app, loaded, train  # noqa: E402

PAIRS = 16


def main() -> int:
    """Print each pair and the median."""
    logging.getLogger("flwr").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    walls: list[float] = []
    processors: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        apps = {ours: copy_app(folder / f"app-{ours}", with_our_lines=ours) for ours in (True, False)}
        weights = {}
        for pair in range(-1, PAIRS):  # the first warms up
            took: dict[bool, tuple[float, float]] = {}
            for ours in (True, False) if pair % 2 else (False, True):
                with loaded(apps[ours]) as (server, client):
                    sys.modules["pytorchexample.task"].images_of("train")  # what is loaded once is not timed
                    sys.modules["pytorchexample.task"].images_of("val")
                    wall_s, processor_s = time.perf_counter(), time.process_time()
                    weights[ours] = train((server, client), folder / f"run-{ours}")
                    took[ours] = (time.perf_counter() - wall_s, time.process_time() - processor_s)
            same = all(torch.equal(value, weights[False][key]) for key, value in weights[True].items())
            assert same, "the weights differ"
            if pair >= 0:
                walls.append(took[True][0] / took[False][0])
                processors.append(took[True][1] / took[False][1])
                print(
                    f"  {took[True][1]:.3f} and {took[False][1]:.3f} s of processor, {processors[-1]:.4f}", flush=True
                )
    load = f"load {os.getloadavg()[0]:.1f}, {PAIRS} pairs"
    figure("processor time with our lines ÷ without", statistics.median(processors), "", at_most=1.01, note=load)
    figure("wall time with our lines ÷ without", statistics.median(walls), "", at_most=1.01, note=load)
    return 0


if __name__ == "__main__":
    sys.exit(main())
