"""Kills a training, a hospital, a hub that deletes, or a server at every failpoint of a short life, each in a child.

`python kill_everywhere.py training|hospital|forgetting|server FOLDER [--every N]`: each kill has a folder of its own in
FOLDER, and is a line of JSON on standard output: where it was, which calls had returned, what a viewer had seen.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import failpoints

MOST_POINTS = 1000


def training(directory: Path, run_id: str, returned: Callable[[str], None]) -> None:
    """A whole run of two epochs."""
    from federated_pneumonia_detection.progress import ProgressLogger

    logger = ProgressLogger(directory, "short", run_id=run_id)
    returned("run_start")
    for epoch in (1, 2):
        logger.log_epoch_start(epoch, 2)
        returned(f"epoch_start {epoch}")
        logger.log_step(epoch, 1, 1, {"loss": 0.5})
        logger.log_epoch_end(epoch, {"train_loss": 1 / epoch}, phase="train")
        returned(f"epoch_end {epoch}")
    logger.log_training_complete({"total_epochs": 2})
    returned("training_complete None")
    logger.close()


def hospital(directory: Path, run_id: str, returned: Callable[[str], None]) -> None:
    """The guide's client: no run is named, its logger is made anew for each call."""
    from federated_pneumonia_detection.progress import FederatedProgressLogger

    for round_num in (1, 2):
        with FederatedProgressLogger("north", directory, "short") as logger:
            logger.log_round_start(round_num, 2)
        returned(f"round_start {round_num}")
        with FederatedProgressLogger("north", directory, "short") as logger:
            logger.log_round_end(round_num, {"num_samples": 1}, {})
        returned(f"round_end {round_num}")


def forgetting(directory: Path, run_id: str, returned: Callable[[str], None]) -> None:
    """A hub that lets the run `old` go, journals and documents included."""
    from federated_pneumonia_detection.hub import Hub
    from federated_pneumonia_detection.hub.stores.sql_store import SqlStore

    hub = Hub(SqlStore(f"sqlite:///{directory / 'hub.sqlite3'}"))
    hub.follow(str(directory))
    hub.start()
    hub.forget("old")
    returned("forgotten")
    hub.close()


def prepare_forgetting(directory: Path) -> None:
    """A run that is to go, with a hospital in it, and one that stays."""
    from federated_pneumonia_detection.progress import FederatedProgressLogger

    def nothing(what: str) -> None:
        pass

    def runs() -> None:
        training(directory, "old", nothing)
        FederatedProgressLogger("north", directory, "short", run_id="old").log_training_complete({})
        training(directory, "stays", nothing)

    failpoints.ended(*failpoints.forked(runs))


def kill_writers(act: Callable[[Path, str, Callable[[str], None]], None], folder: Path, points: range) -> None:
    """Kill what `act` does at each of these points, in each way, until there are no more."""
    from federated_pneumonia_detection.progress.software import software

    software()  # once, for all children
    if act is forgetting:
        import federated_pneumonia_detection.hub.stores.sql_store  # noqa: F401
    for at in points:
        outcomes = [_kill_writer(act, folder, at, when) for when in failpoints.WHENS]
        for outcome in outcomes:
            print(json.dumps(outcome), flush=True)
        if not any(outcome["killed"] for outcome in outcomes):
            return
    raise AssertionError(f"more than {MOST_POINTS} points")


def _kill_writer(act: Callable[..., None], folder: Path, at: int, when: str) -> dict[str, Any]:
    directory = folder / f"{at:03d}-{when}"
    directory.mkdir()
    if act is forgetting:
        prepare_forgetting(directory)
    heard, say = os.pipe()

    def told(what: str) -> None:
        failpoints.write_unseen(say, f"{what}\n".encode())

    pid, tell = failpoints.forked(lambda: act(directory, f"run-{at:03d}-{when}", told), at=at, when=when)
    os.close(say)
    with os.fdopen(heard) as lines:
        returned = lines.read().splitlines()
    outcome = failpoints.ended(pid, tell)
    return {"at": at, "when": when, "directory": directory.name, "returned": returned, **outcome._asdict()}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=["training", "hospital", "forgetting", "server"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--first", type=int, default=1, metavar="N", help="the first point")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each Nth point")
    asked = parser.parse_args()
    points = range(asked.first, MOST_POINTS, asked.every)
    if asked.what == "server":
        import kill_server

        kill_server.kill_servers(asked.folder, points)
    else:
        acts = {"training": training, "hospital": hospital, "forgetting": forgetting}
        kill_writers(acts[asked.what], asked.folder, points)
    return 0


if __name__ == "__main__":
    sys.exit(main())
