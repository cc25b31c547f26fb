"""What our lines cost a Flower app: the quickstart with them and without, in pairs, on the same images and weights.

The embedded grid carries both, one client after the other in this process, so that nothing but the lines differs. Two
figures come of it. The first is the processor time that is spent within our lines (on each thread that enters them, and
on the one of our own that keeps the documents) beside all that the process spends: it does not depend on what else the
machine does. The second is the median of the pairs' ratios, each pair run in the other order than the last, with what
the median of so many pairs may be off by chance: on a shared machine that is several times what is looked for.
"""

from __future__ import annotations

import logging
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks._figures import figure
from federated_pneumonia_detection.federated import batches, client_watch, strategy_watch
from federated_pneumonia_detection.federated.environment import prepare

prepare()

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from flower_quickstart import copy_app, loaded, train  # noqa: E402

PAIRS = 16
LONGER, LONGER_RUNS = {"local-epochs": 5}, 3
OWN_THREAD = "progress-upkeep"


class OwnTime:
    """The processor time, in seconds, that threads spend within our lines.

    What it takes to look at the clock is taken off: it is measured each time, right before, since between two batches
    the processor's caches are full of other things.
    """

    def __init__(self) -> None:
        self.spent_s = 0.0
        self._lock = threading.Lock()
        self._inside = threading.local()

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Within it time is ours; what is within it already counts once."""
        if getattr(self._inside, "is_so", False):
            yield
            return
        self._inside.is_so, before, begun = True, time.thread_time(), time.thread_time()
        try:
            yield
        finally:
            self._add(time.thread_time() - begun - (begun - before))

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, counted."""
        inside, clock = self._inside, time.thread_time

        def counted(*args: Any, **kwargs: Any) -> Any:
            if getattr(inside, "is_so", False):
                return function(*args, **kwargs)
            inside.is_so, before, begun = True, clock(), clock()
            try:
                return function(*args, **kwargs)
            finally:
                self._add(clock() - begun - (begun - before))

        return counted

    def _add(self, seconds: float) -> None:
        self._inside.is_so = False
        with self._lock:
            self.spent_s += seconds

    def enter(self) -> None:
        """Count from now on wherever anybody's code enters ours: the guarded blocks, and what a batch calls."""
        for module in (batches, client_watch, strategy_watch):
            module.harmless = self._guarded(module.harmless)  # type: ignore[attr-defined]
        for name in ("begin_pass", "batch", "end_pass", "optimizer_stepped", "flush"):
            setattr(batches.BatchTeller, name, self.around(getattr(batches.BatchTeller, name)))

    def _guarded(self, harmless: Callable[[str], Any]) -> Callable[[str], Any]:
        @contextmanager
        def guarded(what: str) -> Iterator[None]:
            with self.counted(), harmless(what):
                yield

        return guarded


def own_threads_s() -> float:
    """The processor time of the thread that our lines start, in seconds since it began."""
    own = [thread for thread in threading.enumerate() if thread.name == OWN_THREAD and thread.ident is not None]
    return sum(time.clock_gettime(time.pthread_getcpuclockid(thread.ident)) for thread in own if thread.ident)


def by_chance(ratios: list[float]) -> str:
    """What the median of these ratios may be off by, as ± twice its standard error."""
    error = 1.253 * statistics.stdev(ratios) / len(ratios) ** 0.5
    return f"± {2 * error:.2f} by chance"


class Took(NamedTuple):
    """What one run of the app took, in seconds, and the weights it left."""

    wall_s: float
    processor_s: float
    own_s: float
    weights: dict[str, torch.Tensor]

    @property
    def share(self) -> float:
        """The processor time within our lines beside that of everything else."""
        return self.own_s / (self.processor_s - self.own_s)


def run(app: Path, folder: Path, own: OwnTime, **config: Any) -> Took:
    """Run the app once, from the same seed each time."""
    with loaded(app) as apps:
        for split in ("train", "val"):  # what is loaded once is not timed
            sys.modules["pytorchexample.task"].images_of(split)
        wall_s, processor_s, own_s = time.perf_counter(), time.process_time(), own.spent_s + own_threads_s()
        weights = train(apps, folder, **config)
        return Took(
            time.perf_counter() - wall_s,
            time.process_time() - processor_s,
            own.spent_s + own_threads_s() - own_s,
            weights,
        )


def main() -> int:
    """Print each pair and the median."""
    logging.getLogger("flwr").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    own = OwnTime()
    own.enter()
    walls: list[float] = []
    processors: list[float] = []
    shares: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        apps = {ours: copy_app(folder / f"app-{ours}", with_our_lines=ours) for ours in (True, False)}
        for pair in range(-1, PAIRS):  # the first warms up
            order = (True, False) if pair % 2 else (False, True)
            took = {ours: run(apps[ours], folder / f"run-{ours}", own) for ours in order}
            ours, theirs = took[True], took[False]
            assert all(torch.equal(value, theirs.weights[key]) for key, value in ours.weights.items())
            if pair >= 0:
                walls.append(ours.wall_s / theirs.wall_s)
                processors.append(ours.processor_s / theirs.processor_s)
                shares.append(ours.share)
                print(
                    f"  {ours.processor_s:.3f} and {theirs.processor_s:.3f} s of processor, {processors[-1]:.4f};"
                    f" within our lines {ours.share:.2%}",
                    flush=True,
                )
        longer = [run(apps[True], folder / "longer", own, **LONGER).share for _ in range(LONGER_RUNS)]
    load = f"load {os.getloadavg()[0]:.1f}, {PAIRS} pairs"
    print(f"with our lines ÷ without, by time spent within them, and by pairs ({load}):")
    percent = "% of the rest"
    figure("processor time within our lines", 100 * statistics.median(shares), percent, at_most=1.0)
    figure("the same, five local epochs a round", 100 * statistics.median(longer), percent, at_most=1.0)
    figure("processor time with our lines ÷ without", statistics.median(processors), "", note=by_chance(processors))
    figure("wall time with our lines ÷ without", statistics.median(walls), "", note=by_chance(walls))
    return 0


if __name__ == "__main__":
    sys.exit(main())
