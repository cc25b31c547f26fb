"""Measurements of a centralised run, as other trackers keep them, as messages of ours. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from federated_pneumonia_detection.neighbours.names import named
from federated_pneumonia_detection.progress.messages import EpochEnd, Message, RunStart, Step, TrainingComplete

__all__ = ["Measured", "as_messages"]


class Measured(NamedTuple):
    """Some metrics at a global step, under their own names."""

    step: int
    epoch: int | None
    """Counted from 0, where the file says it."""
    timestamp: str
    metrics: dict[str, float | None]


def as_messages(experiment_name: str, measured: Sequence[Measured], config: dict[str, object]) -> list[Message]:
    """The run that these measurements are of.

    An epoch ends wherever something of validation or test stands, or of training under a name that ends in `epoch`;
    where there is nothing of these, everywhere. What stands between is a step. Epochs count from 1, and so do the
    steps in each.
    """
    ends = {one.step for one in measured if any(_ends(name) for name in one.metrics)}
    if not ends:
        ends = {one.step for one in measured if not any(named(name).of == "step" for name in one.metrics)}
    order = sorted(ends)
    first, last = measured[0].timestamp, measured[-1].timestamp
    begun: dict[int, int] = {}
    told: list[Message] = []
    count = 0
    for one in measured:
        passed = sum(1 for end in order if end < one.step) if one.epoch is None else one.epoch
        epoch = passed + 1
        count = max(count, epoch)
        by_phase: dict[str, dict[str, float | None]] = {}
        steps: dict[str, float | None] = {}
        for name, value in one.metrics.items():
            ours = named(name)
            if one.step in ends and ours.of != "step":
                by_phase.setdefault(ours.phase or "train", {})[ours.name] = value
            else:
                steps[ours.name] = value
        if steps:
            number = one.step - begun.setdefault(epoch, one.step) + 1
            told.append(Step(epoch, number, None, "train", dict(steps), timestamp=one.timestamp))
        told += [
            EpochEnd(epoch, None, phase, dict(by_phase[phase]), timestamp=one.timestamp)
            for phase in ("train", "val", "test")
            if phase in by_phase
        ]
    start = RunStart(experiment_name, "centralized", config=config, attempt=1, total_epochs=count, timestamp=first)
    return [start, *told, TrainingComplete({"total_epochs": count}, timestamp=last)]


def _ends(name: str) -> bool:
    ours = named(name)
    return ours.of != "step" and (ours.phase in ("val", "test") or (ours.of == "epoch" and name != "epoch"))
