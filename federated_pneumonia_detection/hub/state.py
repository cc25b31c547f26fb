"""What is known of a run: a value, made of its messages by one pure function."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Best", "ClientState", "RunState", "RunStatus"]

RunStatus = Literal["queued", "started", "running", "completed", "failed", "cancelled", "lost"]
Metrics = dict[str, float | None]


class Best(msgspec.Struct, frozen=True):
    """The best value of the key metric so far, and the epoch (or round) it is of."""

    metric: str
    value: float
    at: int


class ClientState(msgspec.Struct, frozen=True):
    """One hospital of a federated run."""

    client_id: str
    status: Literal["waiting", "training", "sent", "failed", "finished"] = "waiting"
    round: int = 0
    local_epoch: int = 0
    step: int | None = None
    total_steps: int | None = None
    sent: bool = False
    """Its `round_end` of the open round has come."""
    failed: bool = False
    error: str | None = None
    started: str | None = None
    """When it started its newest round."""
    last_seen: str | None = None
    durations: tuple[float, ...] = ()
    """Seconds its last rounds took, at most five."""


class RunState(msgspec.Struct, frozen=True):
    """One run. Times are ISO 8601 in UTC, as its writers gave them."""

    run_id: str
    experiment_name: str = ""
    mode: str = "centralized"
    status: RunStatus = "queued"
    sentence: str = ""
    detail_sentence: str = ""
    attempt: int = 1
    start_time: str | None = None
    end_time: str | None = None
    updated_at: str | None = None
    epoch: int = 0
    total_epochs: int | None = None
    step: int | None = None
    total_steps: int | None = None
    round: int = 0
    total_rounds: int | None = None
    num_clients: int | None = None
    clients: tuple[ClientState, ...] = ()
    metrics: Metrics = {}
    """The newest validation metrics, or the newest global model's."""
    metrics_at: int | None = None
    """The epoch or round `metrics` are of."""
    best: Best | None = None
    final_metrics: dict[str, float | str | None] | None = None
    error: str | None = None
    phantom: bool = False
    name: str = ""
    tags: tuple[str, ...] = ()
    notes: str = ""
    hears_cancel: bool = False
    cancel_asked: str | None = None
    key_series: tuple[tuple[float, float | None], ...] = ()
    """The key metric over epochs or rounds, for a sparkline."""
    n: int | None = None
    """How many images the newest metrics are over, where somebody told it."""
