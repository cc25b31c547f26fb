"""What child processes of the tests do: importable, so that spawned and forked servers find it."""

from __future__ import annotations

from typing import Any


def talk(logger: Any, by: str, count: int) -> None:
    """Say `count` numbered things and some steps."""
    for number in range(count):
        logger.log_custom_event("said", [by, number])
        logger.log_step(1, number, count, {"loss": 1.0})


def client_rounds(directory: str, client: str, rounds: int) -> None:
    """A whole client of the guide, its logger made anew for each call."""
    from federated_pneumonia_detection.progress import FederatedProgressLogger

    for round_num in range(1, rounds + 1):
        FederatedProgressLogger(client, directory, "exp").log_round_start(round_num, rounds)
        FederatedProgressLogger(client, directory, "exp").log_round_end(round_num, {"num_samples": 1}, {})


def second_writer(directory: str, run_id: str, by: str, count: int) -> None:
    """Another process with the same run."""
    from federated_pneumonia_detection.progress import ProgressLogger

    talk(ProgressLogger(directory, "exp", run_id=run_id), by, count)
