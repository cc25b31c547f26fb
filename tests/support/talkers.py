"""What the tests run in processes of their own: small trainings that say numbered things through a logger."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from federated_pneumonia_detection.progress import (
    FederatedProgressLogger,
    WebSocketFederatedProgressLogger,
    WebSocketProgressLogger,
)


def child_says(logger: Any, name: str, count: int) -> None:
    """Say `count` numbered things with a logger that a parent handed over."""
    for number in range(1, count + 1):
        logger.log_custom_event("said", {"by": name, "number": number})


def child_makes_a_logger(manager: Any, log_dir: str, run_id: str, name: str, count: int, files: bool) -> None:
    """Make a logger of one's own with the manager that a parent handed over, and say `count` things."""
    logger = WebSocketProgressLogger(
        websocket_manager=manager, log_dir=log_dir, run_id=run_id, enable_file_logging=files, broadcast_interval=0.01
    )
    child_says(logger, name, count)


def guide_client(manager: Any, log_dir: str, client_id: str, rounds: int) -> None:
    """The guide's federated code as it stands: no `run_id`, client objects made anew for each call."""
    for round_num in range(1, rounds + 1):
        for call in ("start", "end"):
            logger: FederatedProgressLogger = WebSocketFederatedProgressLogger(
                client_id=client_id,
                websocket_manager=manager,
                log_dir=log_dir,
                experiment_name="hospitals",
                enable_file_logging=True,
                broadcast_interval=0.01,
            )
            if call == "start":
                logger.log_round_start(round_num, rounds)
            else:
                logger.log_round_end(round_num, {"train_loss": 1 / round_num}, {"val_loss": 1 / round_num})
            logger.close()


class TalkingImages:
    """A data set whose every item says its number, in whichever worker it is loaded."""

    def __init__(self, logger: Any, count: int) -> None:
        self.logger = logger
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> int:
        if index >= self.count:
            raise IndexError(index)
        self.logger.log_custom_event("said", {"by": os.getpid(), "number": index})
        return index


def endless(log_dir: str, run_id: str, acknowledged: str) -> None:
    """Log epochs for ever; after each call that returned, add a line to `acknowledged`."""
    from federated_pneumonia_detection.progress import ProgressLogger

    logger = ProgressLogger(log_dir=log_dir, experiment_name="endless", run_id=run_id)
    with Path(acknowledged).open("ab", buffering=0) as returned:
        for epoch in range(1, 1_000_000):
            logger.log_epoch_start(epoch, 1_000_000)
            logger.log_epoch_end(epoch, {"val_auroc": 1 - 1 / (epoch + 1)}, phase="val")
            returned.write(f"{epoch}\n".encode())
            time.sleep(0.01)


if __name__ == "__main__":
    endless(*sys.argv[1:4])
