"""Killed at epoch 7, on from epoch 5: one run, one curve, and what was superseded is kept, wherever it is told."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from federated_pneumonia_detection.hub import Hub
from federated_pneumonia_detection.hub.stores.memory_store import MemoryStore
from federated_pneumonia_detection.progress import FederatedProgressLogger, ProgressLogger

MakeHub = Callable[..., Hub]
KILLED = """
import os, sys
from federated_pneumonia_detection.progress import ProgressLogger
logger = ProgressLogger(sys.argv[1], "exp", run_id="run", run_start={"total_epochs": 10})
for epoch in range(1, 8):
    logger.log_epoch_start(epoch, 10)
    logger.log_step(epoch, 1, 1, {"train_loss": 1 / epoch})
    logger.log_epoch_end(epoch, {"val_auroc": 0.8 + epoch / 100}, "val")
os.kill(os.getpid(), 9)
"""


def go_on(log_dir: Path) -> ProgressLogger:
    logger = ProgressLogger(log_dir, "exp", run_id="run", run_start={"total_epochs": 10, "from_epoch": 5})
    for epoch in range(6, 11):
        logger.log_epoch_start(epoch, 10)
        logger.log_step(epoch, 1, 1, {"train_loss": 2 / epoch})
        logger.log_epoch_end(epoch, {"val_auroc": 0.81 + epoch / 100}, "val")
    return logger


async def test_killed_at_epoch_7_and_resumed_at_5_it_is_one_run_with_one_curve(
    make_hub: MakeHub, log_dir: Path, until: Any
) -> None:
    hub = make_hub()
    subprocess.run([sys.executable, "-c", KILLED, str(log_dir)], check=False)
    await until(lambda: (run := hub.run("run")) and run.status == "failed", "the death is told")
    logger = go_on(log_dir)
    await until(lambda: hub.run("run").epoch == 10 and hub.run("run").attempt == 2, "the second attempt is seen")
    logger.log_training_complete({"total_epochs": 10})
    await until(lambda: hub.run("run").status == "completed", "its end is seen")

    state = hub.run("run")
    assert state is not None
    assert [epoch for epoch, _ in state.key_series] == list(range(1, 11))
    assert [(a.attempt, a.from_, a.reached, a.kept, a.how) for a in state.attempts] == [
        (1, None, 7, 5, "failed"),
        (2, 5, 10, 10, "completed"),
    ]
    current, all_ = hub.series("run"), hub.series("run", attempt="all")
    assert [current[part][0]["epoch"] for part in ("epochs", "steps")] == [list(range(1, 11))] * 2
    superseded = [
        (epoch, attempt)
        for epoch, attempt, is_current in zip(
            *(all_["epochs"][0][n] for n in ("epoch", "attempt", "current")), strict=True
        )
        if not is_current
    ]
    assert superseded == [(6, 1), (7, 1)]
    rows = list(csv.DictReader(io.StringIO(b"".join(hub.export("run", "csv")).decode())))
    assert [row["epoch"] for row in rows if row["type"] == "epoch_end" and row["current"] == "1"] == [
        str(epoch) for epoch in range(1, 11)
    ]
    # All is kept, in order: in the log's document, and in the one beside the journals.
    for document in (json.loads(hub.document("run")[0]), json.loads((log_dir / "run.json").read_text())):
        told = [m["epoch"] for m in document["epochs"] if m["type"] == "epoch_end"]
        assert told == [1, 2, 3, 4, 5, 6, 7, 6, 7, 8, 9, 10]
        assert (document["current_epoch"], document["metadata"]["attempt"]) == (10, 2)
        assert document["metadata"]["status"] == "completed"

    # A log that is made anew of the journals, in whatever order they are read, says the same.
    again = Hub(MemoryStore())
    again.follow(str(log_dir))
    again.start()
    try:
        await until(lambda: (run := again.run("run")) and run.status == "completed", "all is read again")
        known = again.run("run")
        assert known is not None
        assert (known.attempts, known.key_series, known.best) == (state.attempts, state.key_series, state.best)
    finally:
        again.close()


async def test_what_a_hospital_sends_late_of_the_first_attempt_changes_nothing_of_the_second(
    make_hub: MakeHub, log_dir: Path, until: Any
) -> None:
    hub = make_hub()
    with FederatedProgressLogger(None, log_dir, "exp", run_id="run", run_start={"total_rounds": 4}) as server:
        for round_ in (1, 2, 3):
            server.log_round_start(round_, 4)
            server.log_round_aggregated(round_, {"val_auroc": round_ / 4}, 1)
        late = FederatedProgressLogger("a", log_dir / "elsewhere", "exp", run_id="run")
        for round_ in (1, 2, 3):
            late.log_round_start(round_, 4)
        server.log_training_error("the server was restarted")
    server = FederatedProgressLogger(None, log_dir, "exp", run_id="run", run_start={"from_round": 2})
    server.log_round_start(3, 4)
    FederatedProgressLogger("a", log_dir, "exp", run_id="run").log_round_start(3, 4)
    await until(lambda: (run := hub.run("run")) and run.attempt == 2 and run.round == 3 and run.clients, "it goes on")
    before = hub.run("run")
    # The journal of the first attempt comes to this server only now.
    late.log_round_end(3, {"train_loss": 9.0}, {})
    late.close()
    hub.follow(str(log_dir / "elsewhere"))
    await until(lambda: len(hub.events(run_id="run").messages) == 15, "the late journal is read")

    state = hub.run("run")
    assert before is not None
    assert state is not None
    assert (state.attempt, state.round, state.status) == (2, 3, "running")
    assert [(c.client_id, c.round, c.sent_round) for c in state.clients] == [("a", 3, 0)]
    assert state.key_series == before.key_series == ((1, 0.25), (2, 0.5))
    server.close()
