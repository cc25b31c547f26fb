"""Runs that were never trained: their messages, as a training would have written them, with the times of a model.

The model is not the forecast's: machines with a day's load, garbage collections, hospitals of different size, one of
which is sometimes slow, losses with and without a plateau, and early stopping.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

__all__ = ["SimulatedRun", "simulated_run"]

BEGIN = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


@dataclass(frozen=True)
class SimulatedRun:
    """One run, whole.

    Attributes:
        kind: `centralised` or `federated`, with early stopping or without.
        messages: in the order they were written.
        units: when each epoch or round began, seconds after the beginning.
        end_s: when it ended, seconds after the beginning.
    """

    kind: str
    messages: list[dict[str, Any]]
    units: list[float]
    end_s: float

    def until(self, at_s: float) -> list[dict[str, Any]]:
        """What had been written so many seconds after the beginning."""
        now = stamp(at_s)
        return [message for message in self.messages if message["timestamp"] <= now]


def stamp(at_s: float) -> str:
    """The time so many seconds after the beginning, as a message has it."""
    return (BEGIN + timedelta(seconds=at_s)).isoformat(timespec="microseconds")


def simulated_run(seed: int) -> SimulatedRun:
    """The run of this seed."""
    return _Simulation(random.Random(f"run {seed}")).run()


class _Simulation:
    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.federated = draw.random() < 0.5
        self.planned = draw.randint(6, 25) if self.federated else draw.randint(10, 50)
        self.patience = draw.choice([None, None, 3, 4, 6, 10])
        self.base_s = math.exp(draw.uniform(math.log(3), math.log(400)))
        self.noise = math.exp(draw.uniform(math.log(0.015), math.log(0.2)))
        self.pauses = draw.choice([0.0, 0.0, 0.02, 0.06])
        self.load = draw.choice([0.0, 0.0, draw.uniform(0.0, 0.25)])
        self.load_period_s = draw.uniform(600, 20_000)
        self.load_phase = draw.uniform(0, 2 * math.pi)
        self.start_up = draw.choice([0.0, 0.15, 0.8])
        self.hospitals = [draw.gammavariate(12, 1 / 12) for _ in range(draw.randint(2, 8))]
        if draw.random() < 0.3:
            self.hospitals[0] *= draw.uniform(1.5, 4)
        self.floor, self.falls = draw.uniform(0.1, 0.4), draw.uniform(0.5, 0.9)
        self.loss_noise, self.overfits = draw.uniform(0.003, 0.05), draw.choice([0.0, 0.0, 0.004])
        self.now_s = 0.0
        self.messages: list[dict[str, Any]] = []

    def run(self) -> SimulatedRun:
        config = {"early_stopping_patience": self.patience, "num_clients": len(self.hospitals)}
        total = {"total_rounds": self.planned} if self.federated else {"total_epochs": self.planned}
        mode = "federated" if self.federated else "centralized"
        self.say("run_start", experiment_name="simulated", mode=mode, config=config, **total)
        self.now_s += self.draw.uniform(0.05, 0.5) * self.base_s
        units = []
        for number in self.numbers():
            units.append(self.now_s)
            self.round(number) if self.federated else self.epoch(number)
        # The test split is read once.
        self.now_s += self.draw.uniform(0.02, 0.25) * self.base_s
        self.say("training_complete", final_metrics={})
        stops = "may stop early" if self.patience else "all the way"
        return SimulatedRun(f"{mode}, {stops}", self.messages, units, self.now_s)

    def numbers(self) -> Iterator[int]:
        self.losses: list[float] = []
        for number in range(1, self.planned + 1):
            overfitting = self.overfits * max(0.0, number - 8)
            self.losses.append(
                self.floor + 0.5 * self.falls**number + overfitting + self.draw.gauss(0, self.loss_noise)
            )
            yield number
            best = self.losses.index(min(self.losses)) + 1
            if self.patience is not None and number - best >= self.patience:
                return

    def slowly(self, duration_s: float) -> float:
        """A duration as this machine makes it: noise, load, and now and then a long pause."""
        shape = 1 / self.noise**2
        day = 1 + self.load * math.sin(2 * math.pi * self.now_s / self.load_period_s + self.load_phase)
        stall = self.draw.uniform(1.5, 4) if self.draw.random() < self.pauses else 1.0
        return duration_s * day * stall * self.draw.gammavariate(shape, 1 / shape)

    def epoch(self, number: int) -> None:
        about = {"epoch": number, "total_epochs": self.planned}
        self.say("epoch_start", **about)
        self.now_s += self.slowly(0.85 * self.base_s) + (self.start_up * self.base_s if number == 1 else 0)
        self.say("epoch_end", **about, phase="train", metrics={"train_loss": 0.5})
        self.now_s += self.slowly(0.15 * self.base_s)
        self.say("epoch_end", **about, phase="val", metrics={"val_loss": self.losses[-1], "val_auroc": 0.9})

    def round(self, number: int) -> None:
        about = {"round": number, "total_rounds": self.planned}
        self.say("round_start", **about)
        began_s, sent = self.now_s, []
        for index, factor in enumerate(self.hospitals):
            self.say("round_start", **about, client_id=f"client_{index}")
            took_s = self.slowly(factor * self.base_s) + (self.start_up * self.base_s if number == 1 else 0)
            sent.append((began_s + took_s, index))
        for self.now_s, index in sorted(sent):
            told = {"fit_metrics": {"num_samples": 100}, "eval_metrics": {}}
            self.say("round_end", round=number, client_id=f"client_{index}", **told)
        self.now_s += self.slowly(0.1 * self.base_s)
        metrics = {"val_loss": self.losses[-1], "val_auroc": 0.9}
        self.say("round_aggregated", round=number, metrics=metrics, num_clients=len(self.hospitals), failed_clients=[])

    def say(self, type_: str, **more: Any) -> None:
        self.messages.append({"type": type_, "timestamp": stamp(self.now_s), "run_id": "simulated", **more})
