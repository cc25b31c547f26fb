"""What can be said about a run: one frozen struct for each public message type, defined here and nowhere else.

JSON Schema and the TypeScript types are generated from these structs (see `schema.py`). A message is flat; on the wire
it also carries `run_id` and `offset` (a `step` carries `row` instead), which the hub adds: they never stand in a
journal. `client_id` stands in a message that a client made, and inside a round `round` does too.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

__all__ = [
    "LIFECYCLE",
    "MESSAGE_TYPES",
    "STRUCTS",
    "TERMINAL",
    "Alert",
    "ClientFailed",
    "Custom",
    "EpochEnd",
    "EpochStart",
    "LocalEpoch",
    "Message",
    "Metrics",
    "RoundAggregated",
    "RoundEnd",
    "RoundStart",
    "RunEdited",
    "RunQueued",
    "RunStart",
    "Stage",
    "Step",
    "Subscribed",
    "TestCurves",
    "TrainingCancelled",
    "TrainingComplete",
    "TrainingError",
    "TrainingPaused",
    "TrainingResumed",
    "Value",
    "Withheld",
    "decode",
    "encode",
    "is_lifecycle",
    "type_of",
]

Value: TypeAlias = int | float | bool | str | None
"""What a metric can be; `None` is a NaN, an infinity or something that cannot be told in JSON."""

Metrics: TypeAlias = dict[str, Value]
"""Metrics by name, flat; numbers nearly always."""


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", gc=False):
    """What every message carries beside its own fields.

    `timestamp` is ISO 8601 in UTC with its offset; the writer fills an empty one in. `run_id` and `offset` are set on
    the wire only, `client_id` where a client made the message, `round` inside a client's round. `received` is set on a
    message that was shipped from another machine: when it came, by the clock of the server that took it. `attempt` is
    set from the run's second attempt on, in every message of that attempt; without it, it is the first. `withheld` is
    set by a shipper on what it did not send all of: what stayed at the site, and why.
    """

    timestamp: str = ""
    client_id: str | UnsetType = UNSET
    round: int | UnsetType | None = UNSET
    attempt: int | UnsetType = UNSET
    run_id: str | UnsetType = UNSET
    offset: int | UnsetType = UNSET
    received: str | UnsetType = UNSET
    withheld: dict[str, str] | UnsetType = UNSET


class RunStart(Message, frozen=True, tag="run_start", gc=False):
    """A run begins, or begins again (`attempt` above 1). The first message of whoever makes a run.

    `attempt` always stands here. An attempt above 1 goes on from `from_epoch` or, federated, `from_round`: the last one
    that is kept of the attempts before it; 0 (or neither) is the very beginning. What they said of later ones is
    superseded: still there, and no part of the run's curve any more.
    """

    experiment_name: str
    mode: str
    config: dict[str, Any] = {}
    data: dict[str, Any] = {}
    software: dict[str, Any] = {}
    total_epochs: int | UnsetType | None = UNSET
    total_rounds: int | UnsetType | None = UNSET
    from_epoch: int | UnsetType | None = UNSET
    from_round: int | UnsetType | None = UNSET


class EpochStart(Message, frozen=True, tag="epoch_start", gc=False):
    """An epoch begins; `epoch` counts from 1."""

    epoch: int | None
    total_epochs: int | None


class EpochEnd(Message, frozen=True, tag="epoch_end", gc=False):
    """One phase (`train`, `val`, `test`) of an epoch is over; `total_epochs` is the last one known, else null."""

    epoch: int | None
    total_epochs: int | None
    phase: str
    metrics: Metrics


class Step(Message, frozen=True, tag="step", gc=False):
    """One batch. The only message that may be merged on its way to a viewer; there it has a `row` and no `offset`.

    Of the phase `system` it tells what the machine does beside the training, and no epoch and no step: `cpu_percent`,
    `memory_percent` and, where there is a graphics card, `gpu_percent` and `gpu_memory_percent` of the whole machine;
    `process_cpu_percent` (100 is one core), `process_memory_mb` and `gpu_process_memory_mb` of the training's process.
    It changes nothing of a run's state, and is no sign that the training goes on.
    """

    epoch: int | None
    step: int | None
    total_steps: int | None
    phase: str
    metrics: Metrics
    row: int | UnsetType = UNSET


class TrainingComplete(Message, frozen=True, tag="training_complete", gc=False):
    """A run, or with a `client_id` that client's part of it, has ended well."""

    final_metrics: Metrics


class TrainingError(Message, frozen=True, tag="training_error", gc=False):
    """A run, or with a `client_id` that client's part of it, has failed: one clear line, and what helps to see why."""

    error: str
    detail: str | None = None


class TrainingCancelled(Message, frozen=True, tag="training_cancelled", gc=False):
    """Somebody stopped the run."""

    reason: str | None = None
    by: str | None = None


class TrainingPaused(Message, frozen=True, tag="training_paused", gc=False):
    """A run, or with a `client_id` that client, waits because somebody asked it to; it holds its place and goes on."""

    reason: str | None = None
    by: str | None = None


class TrainingResumed(Message, frozen=True, tag="training_resumed", gc=False):
    """A run, or with a `client_id` that client, has waited and goes on; `by` says who let it."""

    by: str | None = None


class RoundStart(Message, frozen=True, tag="round_start", gc=False):
    """A federated round begins, at one client or (without `client_id`) at the server; `round` counts from 1."""

    round: int | None
    total_rounds: int | None


class RoundEnd(Message, frozen=True, tag="round_end", gc=False):
    """A federated round is over, at one client or (without `client_id`) at the server.

    `bytes_down` and `bytes_up` are what the client received and sent for it, as measured there: the arrays as they were
    serialised, their names, metrics and settings, without what the transport adds. Said again for the same round (a
    client that is asked to evaluate after it has sent its update), they are of what came in between.
    """

    round: int | None
    fit_metrics: Metrics
    eval_metrics: Metrics
    bytes_down: int | UnsetType = UNSET
    bytes_up: int | UnsetType = UNSET


class LocalEpoch(Message, frozen=True, tag="local_epoch", gc=False):
    """A client has trained one epoch of its own within a round."""

    round: int | None
    local_epoch: int | None
    metrics: Metrics


class RoundAggregated(Message, frozen=True, tag="round_aggregated", gc=False):
    """The server has made the round's global model; `metrics` are that model's."""

    round: int | None
    metrics: Metrics
    num_clients: int | None
    failed_clients: list[str] = []


class ClientFailed(Message, frozen=True, tag="client_failed", gc=False):
    """A client failed in a round, as the server or the hub saw it; `client_id` says which one.

    `bytes_down` is what the server had sent it, where it knows that.
    """

    round: int | None
    error: str
    bytes_down: int | UnsetType = UNSET


class Stage(Message, frozen=True, tag="stage", gc=False):
    """What whoever leads the run does from now on, until it says another: why nothing else may be heard meanwhile.

    `stage` is `waiting_for_clients`, `training`, `aggregating`, `evaluating` or `testing`; `round` or `epoch` says of
    which. `expected` is how many clients it waits for, `connected` which are there; while a round trains or evaluates,
    how many and which were asked. `answered` are those of them whose answers have come, where somebody counts them.
    """

    stage: str
    epoch: int | UnsetType | None = UNSET
    expected: int | None = None
    connected: list[str] | None = None
    answered: list[str] | UnsetType = UNSET


class TestCurves(Message, frozen=True, tag="test_curves", gc=False):
    """The ROC curve of the test split (at most 200 points) and the confusion counts at the threshold.

    `chosen` is that threshold: an image above it counts as pneumonia. `pr_recall`, `pr_precision` and `pr_threshold`
    are the precision-recall curve (at most 200 points), `average_precision` its mean height. The predicted
    probabilities are counted in bins of equal width from 0 to 1: `bin_n` images, `bin_pneumonia` of them with
    pneumonia, `bin_predicted` their mean probability (null in an empty bin); `brier` is the mean squared difference
    between probability and truth, `calibration_error` the expected one. `hardest` are places in the test split (at most
    24), counted from 0, those that were judged most wrongly first; a client tells none.
    """

    # pytest collects classes by this prefix; this one is no test.
    __test__ = False

    fpr: list[float | None]
    tpr: list[float | None]
    threshold: list[float | None]
    confusion: Any = None
    chosen: float | UnsetType | None = UNSET
    pr_recall: list[float | None] | UnsetType = UNSET
    pr_precision: list[float | None] | UnsetType = UNSET
    pr_threshold: list[float | None] | UnsetType = UNSET
    average_precision: float | UnsetType | None = UNSET
    bin_n: list[int | None] | UnsetType = UNSET
    bin_pneumonia: list[int | None] | UnsetType = UNSET
    bin_predicted: list[float | None] | UnsetType = UNSET
    brier: float | UnsetType | None = UNSET
    calibration_error: float | UnsetType | None = UNSET
    hardest: list[int] | UnsetType = UNSET


class Alert(Message, frozen=True, tag="alert", gc=False):
    """Something a person should know: a loss that became NaN, a silent client, a full disk, missing lines.

    `level` is `info`, `warning` or `error`. `phase` and `metric` say what an alert on a value is about;
    `about` names what the hub's own alert is about (`lost`, `gap:<writer>:<n>`, …), so that it is told once; `rule` is
    the rule that told it, as somebody wrote it.
    """

    level: str
    title: str
    text: str
    phase: str | UnsetType = UNSET
    metric: str | UnsetType = UNSET
    about: str | UnsetType = UNSET
    rule: str | UnsetType = UNSET


class RunQueued(Message, frozen=True, tag="run_queued", gc=False):
    """The server has accepted a run and will start it; `kind` is `centralized` or `federated`.

    With an `attempt` it will let the run go on, from `from_epoch` or `from_round`, as `run_start` will say again.
    """

    kind: str
    experiment_name: str
    mode: str
    total_epochs: int | UnsetType | None = UNSET
    total_rounds: int | UnsetType | None = UNSET
    from_epoch: int | UnsetType | None = UNSET
    from_round: int | UnsetType | None = UNSET


class RunEdited(Message, frozen=True, tag="run_edited", gc=False):
    """Somebody gave the run a name, tags or notes; a field that is not set stays as it was."""

    name: str | UnsetType | None = UNSET
    tags: list[str] | UnsetType = UNSET
    notes: str | UnsetType | None = UNSET


class Withheld(Message, frozen=True, tag="withheld", gc=False):
    """A message stays at its site: what it was, by name, and why. The site's shipper says it in that message's place.

    `about` names what a shipper has said to the site's own people, so that it says it once.
    """

    withheld: dict[str, str]
    about: str | UnsetType = UNSET


class Subscribed(Message, frozen=True, tag="subscribed", gc=False):
    """The first frame a viewer gets: which log this is, its top offset, and whether the viewer's cursor still held."""

    log_id: str
    top: int
    recovered: bool


class Custom(msgspec.Struct, frozen=True, gc=False):
    """A message of the user's own: `log_custom_event(type, data)`."""

    type: str
    data: Any = None
    timestamp: str = ""
    client_id: str | UnsetType = UNSET
    round: int | UnsetType | None = UNSET
    attempt: int | UnsetType = UNSET
    run_id: str | UnsetType = UNSET
    offset: int | UnsetType = UNSET
    received: str | UnsetType = UNSET


STRUCTS: Final[tuple[type[Message], ...]] = (
    RunQueued,
    RunStart,
    EpochStart,
    EpochEnd,
    Step,
    TrainingComplete,
    TrainingError,
    TrainingCancelled,
    TrainingPaused,
    TrainingResumed,
    RoundStart,
    RoundEnd,
    LocalEpoch,
    RoundAggregated,
    ClientFailed,
    Stage,
    TestCurves,
    Alert,
    RunEdited,
    Withheld,
    Subscribed,
)

MESSAGE_TYPES: Final[dict[str, type[Message]]] = {str(kind.__struct_config__.tag): kind for kind in STRUCTS}
"""Every public message type by its name; any other name is a custom event (`Custom`)."""

LIFECYCLE: Final[frozenset[str]] = frozenset(MESSAGE_TYPES) - {"step", "subscribed"}
"""The types of ours that are never dropped, merged or reordered. Custom events are lifecycle messages too."""

TERMINAL: Final[frozenset[str]] = frozenset({"training_complete", "training_error", "training_cancelled"})
"""The types that end a run or, with a `client_id`, that client's part of it."""


class _Head(msgspec.Struct, gc=False):
    type: str


_ENCODER = msgspec.json.Encoder()
_HEAD = msgspec.json.Decoder(_Head)
_CUSTOM = msgspec.json.Decoder(Custom)
# Made when first needed: a training process writes messages and reads none.
_decoders: dict[str, msgspec.json.Decoder[Any]] = {}


def is_lifecycle(type_name: str) -> bool:
    """Whether a message of this type must reach every viewer (all but `step`; a custom event must)."""
    return type_name not in ("step", "subscribed")


def type_of(message: Message | Custom) -> str:
    """The `type` that stands in the message."""
    if isinstance(message, Custom):
        return message.type
    return str(message.__struct_config__.tag)


def encode(message: Message | Custom) -> bytes:
    """The message as compact JSON, in UTF-8."""
    return _ENCODER.encode(message)


def decode(body: bytes | str) -> Message | Custom:
    """The message in this JSON object; keys that are not known here are left out.

    Raises:
        msgspec.DecodeError: it is not JSON, has no `type`, or a field has another type (`ValidationError`).
    """
    name = _HEAD.decode(body).type
    decoder = _decoders.get(name)
    if decoder is None:
        kind = MESSAGE_TYPES.get(name)
        if kind is None:
            return _CUSTOM.decode(body)
        decoder = _decoders[name] = msgspec.json.Decoder(kind)
    message: Message = decoder.decode(body)
    return message
