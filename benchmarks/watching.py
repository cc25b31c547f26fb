"""What watching costs a training: one training, of which every other step is told, by lot, with the page open.

`fpd serve` follows the run and Chromium shows it (a bare viewer where there is no Chromium), all on the machine that
trains. Two figures: what the callback does, timed where it is done, with what its helper threads take; and, since that
could hide what it makes slower elsewhere, how much longer steps that are told take than their neighbours that are not,
with its interval. Which of two neighbours is told is drawn by lot, so that whatever else the machine does meets both
alike. Where the interval is wider than the claim, it says so: a busy machine cannot show half a percent.
"""

from __future__ import annotations

import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl

from benchmarks._figures import figure
from benchmarks._server import Server, serving
from federated_pneumonia_detection.config import TrainingConfig
from federated_pneumonia_detection.data import load_source
from federated_pneumonia_detection.training import MetricsCollectorCallback, build_network
from federated_pneumonia_detection.training.data_module import XrayDataModule
from federated_pneumonia_detection.training.devices import torch_threads
from federated_pneumonia_detection.training.module import PneumoniaModule
from federated_pneumonia_detection.training.quiet import quiet_lightning

EPOCHS = 16
DRAWS = 2000
KEPT = 0.8
"""Of the pairs, the middle part that is looked at: a shared machine makes some steps many times as long."""
GOAL_PERCENT = 0.5
RUN = "watching"
PAGE = """
import shutil, sys
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
    browser.new_page().goto(sys.argv[1])
    print("open", flush=True)
    sys.stdin.readline()
    browser.close()
"""
VIEWER = """
import sys, threading
from websockets.sync.client import connect
with connect(sys.argv[1], max_size=None) as viewer:
    print("open", flush=True)
    threading.Thread(target=lambda: (sys.stdin.readline(), viewer.close()), daemon=True).start()
    for _ in viewer:
        pass
"""
Times = tuple[float, float]


class Pair(NamedTuple):
    """Two steps in a row, one of them told: seconds of the processor, and by the clock."""

    told: Times
    silent: Times


def _now() -> Times:
    return time.process_time(), time.perf_counter()


def _since(before: Times) -> Times:
    cpu_s, wall_s = _now()
    return cpu_s - before[0], wall_s - before[1]


def _timed(hook: Callable[..., None], *arguments: Any) -> Times:
    """What a call takes of the processor, on this thread alone, and by the clock."""
    cpu_s, wall_s = time.thread_time(), time.perf_counter()
    hook(*arguments)
    return time.thread_time() - cpu_s, time.perf_counter() - wall_s


class Sometimes(MetricsCollectorCallback):
    """The callback as it is, which leaves out every other step by lot, and times itself."""

    def __init__(self, log_dir: Path) -> None:
        super().__init__(None, RUN, run_id=RUN, progress_log_dir=log_dir)
        self.pairs: list[Pair] = []
        self.epochs: list[Times] = []
        """How long each lasted, without the first, which makes the run and warms up."""
        self.in_steps: list[Times] = []
        """What telling a step took."""
        self.at_ends: list[Times] = []
        """What telling all else of an epoch took."""
        self._lots = random.Random(4)
        self._tell_first = True
        self._first: Times | None = None
        self._step_began: Times | None = None
        self._epoch_began = _now()
        self._at_end: Times = (0.0, 0.0)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        is_second = batch_idx % 2 == 1
        told = self._tell_first != is_second
        if told:
            tell = super().on_train_batch_end
            self.in_steps.append(_timed(tell, trainer, pl_module, outputs, batch, batch_idx))
        if self._step_began is not None:
            took = _since(self._step_began)
            if not is_second:
                self._first = took
            elif self._first is not None:
                self.pairs.append(Pair(took, self._first) if told else Pair(self._first, took))
        if is_second:
            self._tell_first, self._first = self._lots.random() < 0.5, None
        self._step_began = _now()

    def _at_end_of(self, hook: Callable[..., None], *arguments: Any) -> None:
        cpu_s, wall_s = _timed(hook, *arguments)
        self._at_end = self._at_end[0] + cpu_s, self._at_end[1] + wall_s

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch > 1:
            self.epochs.append(_since(self._epoch_began))
            self.at_ends.append(self._at_end)
        # The first step of an epoch comes after a validation, and has no neighbour.
        self._at_end, self._epoch_began, self._step_began, self._first = (0.0, 0.0), _now(), None, None
        self._at_end_of(super().on_train_epoch_start, trainer, pl_module)

    def on_validation_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *rest: Any) -> None:
        self._at_end_of(super().on_validation_batch_start, trainer, pl_module, *rest)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._at_end_of(super().on_validation_start, trainer, pl_module)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._at_end_of(super().on_validation_end, trainer, pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._at_end_of(super().on_train_epoch_end, trainer, pl_module)


@contextmanager
def page_open(server: Server) -> Iterator[str]:
    """Somebody watches the run, from a process of its own, until the end of the block; gives who."""
    page = f"http://127.0.0.1:{server.port}/runs/{RUN}"
    for who, code, url in (("Chromium", PAGE, page), ("a WebSocket", VIEWER, f"{server.ws}/ws/training-progress")):
        pipe = subprocess.PIPE
        process = subprocess.Popen([sys.executable, "-c", code, url], stdin=pipe, stdout=pipe)
        assert process.stdout is not None
        try:
            if process.stdout.readline() == b"open\n":
                yield who
                return
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
    raise SystemExit("nobody could watch")


def train(callback: Sometimes, epochs: int) -> int:
    """Train the default network for some epochs; how many steps an epoch has."""
    config = TrainingConfig()
    data = XrayDataModule(load_source(None, allow_download=False), config)
    with quiet_lightning(), torch_threads(1):
        trainer = pl.Trainer(
            max_epochs=epochs,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            callbacks=[callback],
        )
        trainer.fit(PneumoniaModule(build_network(config), config), datamodule=data)
        return int(trainer.num_training_batches)


def middle_mean(values: Sequence[float]) -> float:
    """The mean without the least and the greatest tenth."""
    cut = int(len(values) * (1 - KEPT) / 2)
    return statistics.fmean(sorted(values)[cut : len(values) - cut])


def more_percent(pairs: Sequence[Pair], clock: int) -> tuple[float, float, float]:
    """How much longer steps that are told take, in percent: the figure and its 95 % interval, by bootstrap."""
    lots = random.Random(4)
    ratios = [math.log(pair.told[clock] / pair.silent[clock]) for pair in pairs]
    drawn = sorted(middle_mean(lots.choices(ratios, k=len(ratios))) for _ in range(DRAWS))
    found = (middle_mean(ratios), drawn[int(DRAWS * 0.025)], drawn[int(DRAWS * 0.975)])
    return tuple(math.expm1(one) * 100 for one in found)  # type: ignore[return-value]


def main() -> int:
    """Print the cost of watching in percent of an epoch, beside its goal."""
    epochs = max(4, int(sys.argv[1])) if len(sys.argv) > 1 else EPOCHS
    helpers = set(threading.enumerate())
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as server, page_open(server) as who:
        callback = Sometimes(Path(folder))
        steps = train(callback, epochs)
        helper_s = sum(
            time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
            for thread in set(threading.enumerate()) - helpers
            if thread.ident is not None and thread.name.startswith("progress")
        )
    print(f"{epochs} epochs of {steps} steps, {len(callback.pairs)} pairs of steps, {who} watching")
    for name, clock in (("processor time", 0), ("wall time", 1)):
        whole = statistics.median(epoch[clock] for epoch in callback.epochs)
        step, ends = (middle_mean([one[clock] for one in times]) for times in (callback.in_steps, callback.at_ends))
        beside = helper_s / epochs if clock == 0 else 0.0
        cost = (step * steps + ends + beside) / whole * 100
        note = f"{step * 1e6:.0f} µs a step, {ends * 1e3:.1f} ms an epoch, of {whole:.1f} s"
        figure(f"{name} of an epoch for watching", cost, "%", at_most=GOAL_PERCENT, note=note)
        more, low, high = more_percent(callback.pairs, clock)
        wide = (high - low) / 2 > GOAL_PERCENT
        note = f"95 %: {low:+.2f} … {high:+.2f}" + ("; wider than the claim" if wide else "")
        goal = None if wide else GOAL_PERCENT
        figure(f"{name} of a step that is told beside one that is not", more, "% more", at_most=goal, note=note)
    print(f"load {os.getloadavg()[0]:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
