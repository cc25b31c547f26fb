"""How often a run ends before the bound that the page gives for its end, which should hold for nine of ten.

200 simulated runs with noise, stragglers, changing load and early stopping, each asked at several moments of its life;
the state is folded from their messages as in the hub. `python -m benchmarks.forecast 1000` takes more of them.
"""

from __future__ import annotations

import sys
from collections import defaultdict

from benchmarks._figures import figure
from benchmarks._simulated import BEGIN, SimulatedRun, simulated_run
from federated_pneumonia_detection.hub.fold import fold_all
from federated_pneumonia_detection.hub.forecast import Forecast
from federated_pneumonia_detection.hub.time_left import time_left

RUNS = 200
MOMENTS = (0.1, 0.25, 0.5, 0.75, 0.9)
LEAST, MOST = 85.0, 95.0


def told_at(run: SimulatedRun, at_s: float) -> Forecast | None:
    """What is forecast so many seconds after the run's beginning."""
    state = fold_all("simulated", run.until(at_s))
    return time_left(state, BEGIN.timestamp() + at_s)


def held(runs: list[SimulatedRun], part: float) -> list[tuple[str, bool, bool]]:
    """For each run that has a forecast when so much of it is over: its kind, and whether bound and median held."""
    found = []
    for run in runs:
        at_s = part * run.end_s
        left = told_at(run, at_s)
        if left is not None:
            rest_s = run.end_s - at_s
            found.append((run.kind, rest_s <= left.run_p90_s, rest_s <= left.run_p50_s))
    return found


def main() -> None:
    """Print how often the bound held, at each moment and for each kind of run."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    runs = [simulated_run(seed) for seed in range(count)]
    kinds: dict[str, list[bool]] = defaultdict(list)
    everything: list[bool] = []
    for part in MOMENTS:
        told = held(runs, part)
        bounds = [bound for _, bound, _ in told]
        everything += bounds
        for kind, bound, _ in told:
            kinds[kind].append(bound)
        medians = 100 * sum(median for _, _, median in told) / len(told)
        name = f"P90 held, {100 * part:.0f} % of the run over"
        note = f"P50 in {medians:.0f} %, {len(told)} runs"
        figure(name, 100 * sum(bounds) / len(bounds), "% of runs", note=note)
    for kind, bounds in sorted(kinds.items()):
        figure(f"P90 held, {kind}", 100 * sum(bounds) / len(bounds), "% of moments", note=f"{len(bounds)} moments")
    share = 100 * sum(everything) / len(everything)
    figure("P90 held, all moments", share, "% of moments", at_least=LEAST, at_most=MOST, note=f"{count} runs")


if __name__ == "__main__":
    main()
