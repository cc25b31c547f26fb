"""A run's measurements as rows, made of its messages alone: what a data frame, and another tracker, is filled with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from federated_pneumonia_detection.hub.attempts import Attempts
from federated_pneumonia_detection.hub.fields import integer, number, text
from federated_pneumonia_detection.hub.series import measured_fields
from federated_pneumonia_detection.hub.state import RunState

__all__ = ["Row", "rows"]


class Row(NamedTuple):
    """Some metrics, measured at once, and where in the run."""

    run_id: str
    client_id: str | None
    type: str
    """Which message said so: `step`, `epoch_end`, `local_epoch`, `round_end` or `round_aggregated`."""
    phase: str
    """`train`, `val` or `test`; of a `round_end` `fit` or `eval`."""
    epoch: int | None
    round: int | None
    local_epoch: int | None
    step: int | None
    total_steps: int | None
    row: int | None
    """Of a step: its number among the steps of this client and phase, from 1."""
    time: str
    """ISO 8601 in UTC, by the clock of whoever measured."""
    attempt: int
    current: bool
    """Whether it is part of the run's curve: no later attempt supersedes it."""
    metrics: dict[str, float]


def rows(messages: Iterable[dict[str, Any]], state: RunState) -> list[Row]:
    """All that was measured, in the order of the messages.

    Args:
        messages: of one run, steps among them, as they travel to a viewer.
        state: what they fold to.
    """
    attempts = Attempts(state)
    counted: Counter[tuple[str | None, str]] = Counter()
    found = []
    for message in messages:
        kind, client = text(message.get("type")), text(message.get("client_id")) or None
        attempt = attempts.of(message.get("attempt"), message.get("timestamp"))
        for phase, metrics in measured_fields(message):
            told = {name: value for name, one in metrics.items() if (value := number(one)) is not None}
            if kind == "step":
                counted[client, phase] += 1
            elif not told:
                continue
            found.append(
                Row(
                    state.run_id,
                    client,
                    kind,
                    phase,
                    integer(message.get("epoch")),
                    integer(message.get("round")),
                    integer(message.get("local_epoch")),
                    integer(message.get("step")),
                    integer(message.get("total_steps")),
                    counted[client, phase] if kind == "step" else None,
                    text(message.get("timestamp")),
                    attempt,
                    attempts.is_current(attempt, message.get("epoch"), message.get("round")),
                    told,
                )
            )
    return found
