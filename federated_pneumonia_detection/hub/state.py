"""What is known of a run: an immutable value, made of its messages by `fold.py`.

What needs a clock (late, silent, time left) is put into it by `words.described`. While messages are folded, the same
fields are those of a draft that may change.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from federated_pneumonia_detection.hub.forecast import Forecast
from federated_pneumonia_detection.hub.times import before

__all__ = [
    "Attempt",
    "Best",
    "ClientFields",
    "ClientRound",
    "ClientState",
    "ClientStatus",
    "Condition",
    "End",
    "Failure",
    "Pace",
    "RunFields",
    "RunState",
    "RunStatus",
    "Span",
    "Stage",
    "Withheld",
    "ended",
    "is_dead",
    "is_federated",
    "is_halted",
    "is_lost",
]

RunStatus = Literal["queued", "started", "running", "completed", "failed", "cancelled", "lost"]
Condition = Literal[
    "queued",
    "starting",
    "waiting_for_clients",
    "training",
    "waiting_for_straggler",
    "aggregating",
    "evaluating",
    "paused",
    "stopping",
    "lost_contact",
    "dead",
    "finished",
    "failed",
    "stopped",
]
"""What a run does or waits for, or how it ended; `status` says it more coarsely."""
ClientStatus = Literal["waiting", "training", "late", "silent", "lost", "sent", "failed", "finished"]
Metrics = dict[str, Any]


class Best(msgspec.Struct, frozen=True):
    """The best value of the key metric so far, and the epoch (or round) it is of."""

    metric: str
    value: float
    at: int


class End(msgspec.Struct, frozen=True):
    """How a run, or one client's part of it, ended."""

    status: RunStatus
    time: str
    error: str | None = None
    detail: str | None = None
    by: str | None = None
    reason: str | None = None
    died: bool = False
    """Nobody of it said so: its process is gone, as the hub saw."""


class Span(msgspec.Struct, frozen=True):
    """When an epoch (or a round) began, and when its last result came."""

    number: int
    opened: str | None = None
    closed: str | None = None
    """The last result of an epoch; a round's aggregate."""
    sent: str | None = None
    """When the last client of a round sent."""
    loss: float | None = None
    """Its validation loss."""


class ClientRound(msgspec.Struct, frozen=True):
    """When a client began and ended a round, by its own clock, and over how many images it evaluated."""

    number: int
    started: str | None = None
    began: str | None = None
    """When it began it by the clock of this side: when that came, where it was shipped."""
    sent: str | None = None
    samples: int | None = None


class Failure(msgspec.Struct, frozen=True):
    """That a client failed, as it said itself (`own`) or somebody else did; without a round where none was named."""

    round: int | None
    own: bool
    time: str
    error: str
    detail: str | None = None
    seen: str = ""
    """When, by the clock of this side."""
    died: bool = False
    """The hub has seen that its process is gone."""


class Withheld(msgspec.Struct, frozen=True):
    """Something that a site does not send, and why; `at` is the round (or epoch) it was last told in, 0 without one."""

    what: str
    why: str
    at: int = 0


class Stage(msgspec.Struct, frozen=True):
    """What whoever leads the run said last that it does, and since when."""

    name: str
    """`waiting_for_clients`, `training`, `aggregating`, `evaluating` or `testing`."""
    time: str
    """When, by the clock of whoever said it."""
    since: str
    """When, by the clock of this side: when that came, where it was shipped."""
    round: int | None = None
    epoch: int | None = None
    expected: int | None = None
    """How many clients it waits for; while a round trains or evaluates, how many were asked."""
    connected: tuple[str, ...] | None = None
    """Which clients are there; while a round trains or evaluates, which were asked."""
    answered: tuple[str, ...] | None = None
    """Which of them have answered, where somebody counts."""


class Pace(msgspec.Struct, frozen=True):
    """How often one client (or whoever leads the run) is heard."""

    last: str | None = None
    gaps: tuple[float, ...] = ()
    """Seconds between its last messages, at most twenty, oldest first."""
    longest: float = 0.0
    """The longest such gap of this attempt, in seconds."""


class Attempt(msgspec.Struct, frozen=True):
    """One attempt of a run that was begun more than once, and what of it is still part of the run's curve."""

    attempt: int
    from_: int | None = msgspec.field(default=None, name="from")
    """The last epoch or round that is kept of the attempts before it; where nobody told, none is."""
    reached: int = 0
    """The last epoch or round it has begun."""
    kept: int = 0
    """The last of these that is part of the run's curve: what lies above it is superseded."""
    started: str | None = None
    ended: str | None = None
    how: RunStatus | None = None
    """How it ended (`completed`, `failed`, `cancelled`), where that was told."""
    key_metric: str | None = None
    key_series: tuple[tuple[int, float | None], ...] = ()
    """Its own, what is superseded among it."""
    metrics: Metrics = {}
    metrics_at: int | None = None
    n: int | None = None
    rounds_with_failures: tuple[int, ...] = ()


class ClientFields(msgspec.Struct):
    """What is known of one hospital of a federated run."""

    client_id: str
    status: ClientStatus = "waiting"
    """In the open round; set by `words.described`."""
    words: str = ""
    """The same in words, such as `Late by 48 s`; set by `words.described`."""
    round: int = 0
    """The newest round it has said something of."""
    sent_round: int = 0
    """The newest round it has ended."""
    failed_round: int = 0
    """The newest round it failed in."""
    local_epoch: int = 0
    step: int | None = None
    total_steps: int | None = None
    sent: bool = False
    """Its `round_end` of the run's open round has come; set by `words.described`."""
    failed: bool = False
    """It failed in the run's open round; set by `words.described`."""
    error: str | None = None
    started: str | None = None
    """When it started its newest round."""
    began: str | None = None
    """The same by the clock of this side: when that came, where it was shipped."""
    first_seen: str | None = None
    last_seen: str | None = None
    durations: tuple[float, ...] = ()
    """Seconds its last finished rounds took, at most five, oldest first."""
    end: End | None = None
    """Its part of the run is over."""
    paused: str | None = None
    """Since when it waits because somebody asked it to; `None` while it does not."""
    resumed: str | None = None
    """When it last went on."""
    waits: tuple[tuple[str, bool], ...] = ()
    """When it began to wait (`false`) and went on (`true`), by its own clock, oldest first; at most forty."""
    pace: Pace = Pace()
    total_rounds: int | None = None
    num_samples: int | None = None
    bytes_down: int | None = None
    """What it has received in this attempt, where that was measured."""
    bytes_up: int | None = None
    """What it has sent in this attempt."""
    heard: str | None = None
    """Its newest sign of life: when a message came (by our clock where it was shipped), or it was heard again."""
    lost: tuple[str, str] | None = None
    """When the hub gave up hearing from it, and in which words; a later sign of life makes it void."""
    died: tuple[str, str] | None = None
    """When the hub saw that its process is gone, and how that is told; a later sign of life makes it void."""
    halted: tuple[str, str] | None = None
    """When the hub saw that its process is stopped by a signal; a later sign of life makes it void."""
    failed_at: str | None = None
    """When it failed in `failed_round`, by the clock of this side."""
    given_up: int = 0
    """The newest round in which the server counted it as failed."""
    trouble: tuple[str, str] | None = None
    """The newest alert of the level `error` that somebody gave about it."""
    withheld: tuple[Withheld, ...] = ()
    """What its site does not send, by name."""
    rounds: tuple[ClientRound, ...] = ()
    """The newest rounds it has begun or ended, at most six, oldest first."""
    failures: tuple[Failure, ...] = ()
    """Its failure in the newest round of which one was told, and the newest that names no round."""
    said_end: End | None = None
    """How its part ended, where it said so itself and did not fail."""


class ClientState(ClientFields, frozen=True):  # type: ignore[misc] # no dataclass: msgspec allows it
    """One hospital of a federated run."""


class RunFields(msgspec.Struct):
    """What is known of a run. Times are ISO 8601 in UTC, as its writers gave them."""

    run_id: str
    experiment_name: str = ""
    mode: str = "centralized"
    status: RunStatus = "queued"
    sentence: str = ""
    """What is happening and why; set by `words.described`."""
    detail_sentence: str = ""
    """Counts, and the time left; set by `words.described`."""
    condition: Condition | str = ""
    """What it does or waits for, or how it ended; set by `words.described`."""
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
    """How many hospitals are expected, or have been heard where nobody said."""
    clients: tuple[ClientState, ...] = ()
    metrics: Metrics = {}
    """The newest validation metrics, or the newest global model's."""
    metrics_at: int | None = None
    """The epoch or round `metrics` are of."""
    best: Best | None = None
    final_metrics: Metrics | None = None
    error: str | None = None
    """Why it failed, in one line."""
    detail: str | None = None
    stopped_by: str | None = None
    reason: str | None = None
    phantom: bool = False
    name: str = ""
    tags: tuple[str, ...] = ()
    notes: str = ""
    hears_cancel: bool = False
    """Its trainer looks at requests to stop; set by the hub, which knows who is alive."""
    pid: int | None = None
    """The process that leads the run (or its newest client); set by the hub, which read who writes."""
    hears_pause: bool = False
    """Its trainer looks at requests to wait; set by the hub."""
    cancel_asked: str | None = None
    """When somebody asked for a stop."""
    paused: str | None = None
    """Since when it waits because somebody asked it to; `None` while it does not."""
    paused_by: str | None = None
    """Who asked it to wait."""
    resumed: str | None = None
    """When it last went on after waiting."""
    waits: tuple[tuple[str, bool], ...] = ()
    """When it began to wait (`false`) and went on (`true`), oldest first; at most forty."""
    key_metric: str | None = None
    key_series: tuple[tuple[int, float | None], ...] = ()
    """The key metric over epochs or rounds, for a sparkline."""
    n: int | None = None
    """How many images the newest metrics are over, where somebody told it."""
    split_sizes: dict[str, int] = {}
    split_cases: dict[str, dict[str, int]] = {}
    """Cases by class (`normal`, `pneumonia`) of each split, where `run_start` told them: an interval needs them."""
    setup: dict[str, Any] = {}
    """The few settings that tell runs apart in a list: `model`, `seed`, `partition`, `alpha`, `strategy`."""
    stage: Stage | None = None
    """What whoever leads it said last that it does."""
    eta: Forecast | None = None
    """When it will end, from what was seen of it; set by `words.described`."""
    patience: int | None = None
    """After how many epochs (or rounds) without a lower validation loss it stops early; `None` where it does not."""
    aggregated_round: int = 0
    rounds_with_failures: tuple[int, ...] = ()
    spans: tuple[Span, ...] = ()
    """The last epochs (or rounds), at most twenty."""
    bytes_down: int | None = None
    """What all hospitals have received in all attempts, where that was measured; the wire adds a little to it."""
    bytes_up: int | None = None
    """What all hospitals have sent in all attempts."""
    pace: Pace = Pace()
    """Of whoever leads the run."""
    begun: str | None = None
    """When whoever leads the run began this attempt."""
    led: bool = False
    """Not only clients log: the run ends when who leads it says so."""
    end: End | None = None
    lost: tuple[str, str] | None = None
    """When the hub gave up hearing from it, and in which words; a later sign of life makes it void."""
    halted: tuple[str, str] | None = None
    """When the hub saw that the process that leads it is stopped by a signal; a later sign of life makes it void."""
    disk_full: tuple[str, str] | None = None
    """When the hub saw that the disk of its journals is full, and which; void once it saw room there."""
    waits_behind: tuple[str, ...] = ()
    """Runs that go first, while it is queued, in their order; set by the server, which keeps them."""
    heard: str | None = None
    """The newest sign of life of anybody in it: when a message came (by our clock where it was shipped), or the hub
    said that somebody was heard again."""
    edited: str | None = None
    """When somebody last changed name, tags or notes."""
    told: tuple[str, ...] = ()
    """What the hub has said about it already (`about` of its messages), so that it says it once."""
    attempts: tuple[Attempt, ...] = ()
    """Of a run that was begun more than once: its attempts, oldest first, the present one among them. The curve
    (`key_series`, `best`, `metrics`) is of all of them together, without what is superseded."""
    withheld: tuple[Withheld, ...] = ()
    """What its machine does not send of what is no client's, by name."""


class RunState(RunFields, frozen=True):  # type: ignore[misc] # no dataclass: msgspec allows it
    """One run. Times are ISO 8601 in UTC, as its writers gave them."""


def ended(state: RunState) -> bool:
    """Whether nothing more is expected of the run."""
    return state.status in ("completed", "failed", "cancelled", "lost")


def is_federated(state: RunState) -> bool:
    """Whether the run counts rounds."""
    return state.mode == "federated" or bool(state.clients)


def is_lost(of: RunFields | ClientFields) -> bool:
    """Whether the hub has given up hearing from a run or a client, and nothing was heard since."""
    return _stands(of.lost, of.heard)


def is_halted(of: RunFields | ClientFields) -> bool:
    """Whether the process of a run or a client is stopped by a signal, and nothing was heard since."""
    return _stands(of.halted, of.heard)


def is_dead(client: ClientFields) -> bool:
    """Whether a client's process is gone, and nothing was heard of that client since."""
    return _stands(client.died, client.heard)


def _stands(seen: tuple[str, str] | None, heard: str | None) -> bool:
    return seen is not None and not before(seen[0], heard)
