"""What a kernel sends to a cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from federated_pneumonia_detection.notebook.relay import STEPS_KEPT, Relay, Told
from federated_pneumonia_detection.progress import ProgressLogger


def step(number: int, loss: float = 0.5, client: str | None = None) -> dict[str, Any]:
    told = {"type": "step", "phase": "train", "step": number, "metrics": {"train_loss": loss}}
    return told if client is None else {**told, "client_id": client}


def test_of_steps_that_come_together_the_newest_is_told_with_its_own_dense_row() -> None:
    told = Told()
    told.take([{"type": "epoch_start", "epoch": 1}])
    assert told.take([step(1), step(2), {"type": "epoch_end"}, step(3)]) == 1
    told.take([step(4)])
    assert [(one["type"], one.get("step"), one.get("row")) for one in told.messages] == [
        ("epoch_start", None, None),
        ("epoch_end", None, None),
        ("step", 3, 1),
        ("step", 4, 2),
    ]


def test_what_was_there_before_keeps_its_spike(tmp_path: Path) -> None:
    told = Told()
    losses = [0.5] * 20_000
    losses[12_345] = 9.0
    told.take([step(number, loss) for number, loss in enumerate(losses)])
    assert len(told.messages) <= STEPS_KEPT
    assert max(one["metrics"]["train_loss"] for one in told.messages) == 9.0


def test_of_each_hospital_only_the_newest_step_is_told() -> None:
    told = Told()
    told.take([step(number, client=f"h{number % 2}") for number in range(10)])
    assert [one["step"] for one in told.messages] == [8, 9]


def test_a_relay_tells_all_of_a_run_in_pieces_that_fit_together_and_ends_with_it(tmp_path: Path, wait_until) -> None:  # type: ignore[no-untyped-def]
    pieces: list[tuple[int, list[dict[str, Any]]]] = []
    relay = Relay(
        "piecewise",
        tmp_path,
        send=lambda begin, messages: pieces.append((begin, list(messages))),
        whole=lambda messages: pieces.append((0, list(messages))),
    )
    with ProgressLogger(tmp_path, "x", run_id="piecewise") as logger:
        relay.start()
        for epoch in range(1, 6):
            logger.log_epoch_start(epoch, 5)
            logger.log_epoch_end(epoch, {"val_loss": 1 / epoch}, "val")
        wait_until(lambda: pieces, "something was told")
        logger.log_training_complete({})
    wait_until(lambda: not relay._thread.is_alive(), "it ended with the run")
    had: list[dict[str, Any]] = []
    for begin, messages in pieces:
        assert begin <= len(had)
        assert had[begin:] == messages[: len(had) - begin]
        had += messages[len(had) - begin :]
    assert [one["type"] for one in had] == ["run_start", *["epoch_start", "epoch_end"] * 5, "training_complete"]
    relay.repeat(len(had) - 1)
    assert pieces[-1][1] == had[-1:]
