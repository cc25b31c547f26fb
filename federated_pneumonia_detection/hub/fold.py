"""A run's state as a fold over its messages.

The fold knows no clock and no order between writers: whatever two writers said, in either order, gives the same state.
It does so by comparing the messages' own times and numbers, never the order in which they came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec.structs import astuple

from federated_pneumonia_detection.hub.fields import by_name, integer, mapping, names, number, text
from federated_pneumonia_detection.hub.fold_attempts import KEY_METRICS, Curve, Past, begins_from, put_together
from federated_pneumonia_detection.hub.fold_client import HUB_SAYS, ClientFolding, Pacing, end_of, more, newest
from federated_pneumonia_detection.hub.fold_withheld import Withholding
from federated_pneumonia_detection.hub.state import (
    Attempt,
    ClientState,
    End,
    RunFields,
    RunState,
    RunStatus,
    Span,
    Stage,
    is_lost,
)
from federated_pneumonia_detection.hub.times import before, earlier, later, seconds
from federated_pneumonia_detection.hub.waits import with_wait

__all__ = ["KEY_METRICS", "Folding", "fold", "fold_all"]

# Messages that only whoever leads a run writes: seen without a client, they prove that not only clients log.
_LEADS = frozenset(
    {
        "run_start",
        "epoch_start",
        "epoch_end",
        "step",
        "round_start",
        "round_end",
        "round_aggregated",
        "stage",
        "test_curves",
    }
)
# Messages about a run as a whole, of none of its attempts.
_OF_NO_ATTEMPT = frozenset({"run_queued", "run_edited"})
_KEPT_SPANS = 20
_SETUP = ("model", "seed", "partition", "alpha", "strategy")


def fold_all(run_id: str, messages: Iterable[Mapping[str, Any]]) -> RunState:
    """The state after all these messages."""
    folding = Folding(RunState(run_id))
    for message in messages:
        folding.take(message)
    return folding.state()


def fold(state: RunState, message: Mapping[str, Any]) -> RunState:
    """The state after one more message.

    Args:
        state: The state before; `RunState(run_id)` before the first message.
        message: One decoded message of this run; what is not of the type it should be counts as not told.
    """
    folding = Folding(state)
    folding.take(message)
    return folding.state()


class _Draft(RunFields):
    """A run's fields while messages are folded into them."""


class _Span(msgspec.Struct):
    """A span while messages are folded into it."""

    number: int
    opened: str | None = None
    closed: str | None = None
    sent: str | None = None
    loss: float | None = None


class Folding:
    """A run's state while messages are folded into it: each message costs the same, however many came before.

    What many messages add to (the sparkline's points, the clients, the told) becomes part of a state only when somebody
    asks for one.

    Args:
        state: Where it begins; `RunState(run_id)` before the first message.
    """

    def __init__(self, state: RunState) -> None:
        self._begin(state)

    def _begin(self, state: RunState) -> None:
        self._run = run = _Draft(*astuple(state))
        attempts = {attempt.attempt: attempt for attempt in state.attempts}
        own = attempts.pop(state.attempt, None)
        self._earlier = {number: Past(attempt) for number, attempt in attempts.items()}
        # The last epoch or round that this attempt keeps of those before it; None where nobody told.
        self._from = None if own is None else own.from_
        of = run if own is None else own
        self._curve = Curve(of.key_metric, of.key_series, of.metrics, of.metrics_at, of.n, of.rounds_with_failures)
        self._pacing = Pacing(state.pace)
        self._withholding = Withholding(state.withheld)
        self._clients = {client.client_id: ClientFolding(client) for client in state.clients}
        self._spans = {span.number: _Span(*astuple(span)) for span in state.spans}
        self._told = set(state.told)
        # The times that each message is compared with, as numbers.
        self._updated_s, self._started_s = seconds(state.updated_at), seconds(state.start_time)
        self._begun_s, self._heard_s = seconds(state.begun), seconds(state.heard)
        # What it came to the last time somebody asked; None since a message came.
        self._frozen: RunState | None = state

    def state(self) -> RunState:
        """What it comes to so far."""
        if self._frozen is None:
            run = self._run
            run.pace = self._pacing.pace()
            run.withheld = self._withholding.told()
            clients = [client.state() for client in self._clients.values()]
            # By name: neither by who was read first nor by anybody's clock.
            run.clients = tuple(sorted(clients, key=lambda client: by_name(client.client_id)))
            self._drop_old_spans()
            run.spans = tuple(Span(*astuple(span)) for _, span in sorted(self._spans.items()))
            self._put_curve(run)
            run.told = tuple(sorted(self._told))
            if run.begun is not None:
                run.start_time = run.begun
            _settle(run, self._from or 0)
            self._frozen = RunState(*astuple(run))
        return self._frozen

    def take(self, message: Mapping[str, Any]) -> None:
        """Go on by one decoded message of this run; what is not of the type it should be counts as not told."""
        run = self._run
        type_, time, client_id = message.get("type"), message.get("timestamp"), message.get("client_id")
        # Looked at here, without a call: this is done for each message there is.
        if type(type_) is not str or type(time) is not str:
            type_, time = text(type_), text(time)
        if type_ == "step" and message.get("phase") == "system":
            # The machine is said by a thread of its own, which goes on while the training hangs.
            return
        time_s = seconds(time)
        self._frozen = None
        # The newest time of all.
        if self._updated_s is None:
            run.updated_at, self._updated_s = time or run.updated_at, time_s
        elif time_s is not None and time_s > self._updated_s:
            run.updated_at, self._updated_s = time, time_s
        if client_id is not None and type(client_id) is not str:
            client_id = str(client_id)
        attempt = message.get("attempt")
        if attempt is not None or run.attempt > 1:
            number = self._attempt_of(type_, attempt, time_s)
            if number > run.attempt:
                # Its end may be read before its beginning: what the hub says stands in a journal of its own.
                run = self._go_on(number, type_, message, time)
            elif number < run.attempt:
                # What an earlier attempt still had to say is history, and changes of this one only what it keeps.
                self._take_late(number, type_, message, client_id, time)
                return
        if client_id is not None:
            self._client(client_id).take(type_, message, time, time_s)
        elif type_ in _LEADS:
            run.led = True
        if client_id is None and "withheld" in message:
            self._withholding.take(message)
        about = message.get("about")
        if about is None and type_ not in HUB_SAYS:
            self._hear(message, client_id is None, time, time_s)
        handler = _HANDLERS.get(type_)
        if handler is not None:
            handler(self, message, client_id, time)
        if type(about) is str:
            self._told.add(about)

    def _attempt_of(self, type_: str, told: object, time_s: float | None) -> int:
        """Which attempt a message is of: the one it names, else the first.

        Runs that were written before messages named their attempt go by the clock: a second `run_start` that does not
        say what it goes on from tells them.
        """
        current = self._run.attempt
        named = integer(told)
        if type_ in _OF_NO_ATTEMPT:
            # Only where a server lets an ended run go on it is of an attempt: the next one.
            return current if type_ != "run_queued" or named is None else named
        if named is not None and named >= 1:
            return named
        if current > 1 and self._from is None and self._begun_s is not None and not _less(time_s, self._begun_s):
            return current
        unnamed = [past for past in self._earlier.values() if past.number > 1 and past.started and past.from_ is None]
        return max((past.number for past in unnamed if not _less(time_s, past.begun_s)), default=1)

    def _go_on(self, number: int, type_: str, message: Mapping[str, Any], time: str) -> _Draft:
        """The next attempt begins."""
        past, earlier_ones = self._as_past(), self._earlier
        by_the_clock = type_ == "run_start" and begins_from(message, None) is None
        self._begin(_afresh(self._run, self._told, number, time if by_the_clock else None))
        self._earlier = {**earlier_ones, past.number: past}
        self._frozen = None
        return self._run

    def _take_late(self, number: int, type_: str, message: Mapping[str, Any], client_id: str | None, time: str) -> None:
        past = self._earlier.get(number)
        if past is None:
            past = self._earlier[number] = Past(Attempt(number))
        past.take(type_, message, client_id, time)
        if client_id is not None and type_ in ("round_end", "client_failed"):
            # Superseded or not, it went over the line.
            self._moved(message)
        about = message.get("about")
        if type(about) is str:
            self._told.add(about)

    def _as_past(self) -> Past:
        run, end = self._run, self._run.end
        return Past(
            Attempt(
                run.attempt,
                from_=self._from,
                reached=max(run.epoch, run.round),
                started=run.begun,
                ended=None if end is None else end.time,
                how=None if end is None else end.status,
            ),
            self._curve,
        )

    def _put_curve(self, run: RunFields) -> None:
        curve = self._curve
        if run.attempt > 1:
            put_together(run, self._as_past(), self._earlier.values())
            return
        run.key_metric, run.best = curve.key_metric, curve.best
        run.metrics, run.metrics_at, run.n = curve.metrics, curve.metrics_at, curve.n
        if curve.is_new:
            run.key_series, curve.is_new = tuple(sorted(curve.series.items())), False
        if len(run.rounds_with_failures) != len(curve.failures):
            run.rounds_with_failures = tuple(sorted(curve.failures))

    def _hear(self, message: Mapping[str, Any], is_leaders: bool, time: str, time_s: float | None) -> None:
        # A sign of life: of whoever leads the run, or of a client.
        run = self._run
        if is_leaders:
            self._pacing.hear(time, time_s, waited=message.get("type") == "training_resumed")
        received = message.get("received")
        if received is not None:
            self._sign_of_life(text(received), seconds(text(received)))
        elif time_s is not None and (self._heard_s is None or time_s > self._heard_s):
            run.heard, self._heard_s = time, time_s
        if run.begun is None:
            if self._started_s is None:
                run.start_time, self._started_s = time or run.start_time, time_s
            elif time_s is not None and time_s < self._started_s:
                run.start_time, self._started_s = time, time_s

    def _sign_of_life(self, time: str, time_s: float | None) -> None:
        if time_s is not None and (self._heard_s is None or time_s > self._heard_s):
            self._run.heard, self._heard_s = time, time_s

    def _client(self, client_id: str) -> ClientFolding:
        known = self._clients.get(client_id)
        if known is None:
            known = self._clients[client_id] = ClientFolding(ClientState(client_id))
        return known

    # --- one function for each type -----------------------------------------------------------------------------

    def _run_queued(self, message: Mapping[str, Any], client_id: str | None, time: str) -> None:
        run = self._run
        run.experiment_name = run.experiment_name or text(message.get("experiment_name")) or ""
        run.mode = text(message.get("mode")) or run.mode
        run.total_epochs = run.total_epochs or integer(message.get("total_epochs"))
        run.total_rounds = run.total_rounds or integer(message.get("total_rounds"))
        self._goes_on_from(message)

    def _run_start(self, message: Mapping[str, Any], client_id: str | None, time: str) -> None:
        run = self._run
        data, config = mapping(message.get("data")), mapping(message.get("config"))
        splits = {name: mapping(split) for name, split in mapping(data.get("splits")).items()}
        sizes = {name: size for name, split in splits.items() if (size := integer(split.get("n"))) is not None}
        cases = {
            name: {label: n for label in ("normal", "pneumonia") if (n := integer(split.get(label))) is not None}
            for name, split in splits.items()
        }
        setup = {name: config[name] for name in _SETUP if isinstance(config.get(name), str | int | float)}
        run.experiment_name = text(message.get("experiment_name")) or run.experiment_name
        run.mode = text(message.get("mode")) or run.mode
        if client_id is None:
            run.begun = earlier(run.begun, time)
            self._begun_s = seconds(run.begun)
            self._goes_on_from(message)
        run.total_epochs = integer(message.get("total_epochs")) or run.total_epochs
        run.total_rounds = integer(message.get("total_rounds")) or run.total_rounds
        run.num_clients = integer(config.get("num_clients")) or run.num_clients
        run.phantom = run.phantom or data.get("phantom") is True
        run.split_sizes = sizes or run.split_sizes
        run.split_cases = cases or run.split_cases
        run.setup = setup or run.setup
        run.patience = integer(config.get("early_stopping_patience")) or run.patience
        self._curve.n = self._curve.n if self._curve.n is not None else sizes.get("val")

    def _goes_on_from(self, message: Mapping[str, Any]) -> None:
        run = self._run
        if run.attempt == 1:
            return
        self._from = begins_from(message, self._from)
        kept = self._from or 0
        if run.mode == "federated":
            run.round, run.aggregated_round = max(run.round, kept), max(run.aggregated_round, kept)
        else:
            run.epoch = max(run.epoch, kept)

    def _epoch_start(self, message: Mapping[str, Any], client_id: str | None, time: str) -> None:
        run = self._run
        epoch = integer(message.get("epoch"))
        if client_id is not None or epoch is None:
            return
        if epoch > run.epoch:
            run.epoch, run.step, run.total_steps = epoch, None, None
        run.total_epochs = integer(message.get("total_epochs")) or run.total_epochs
        self._open(epoch, time)

    def _epoch_end(self, message: Mapping[str, Any], client_id: str | None, time: str) -> None:
        run = self._run
        epoch = integer(message.get("epoch"))
        if client_id is not None or epoch is None:
            return
        if epoch > run.epoch:
            run.epoch = epoch
        run.total_epochs = integer(message.get("total_epochs")) or run.total_epochs
        span = self._spans.get(epoch) or self._span(epoch)
        span.closed = later(span.closed, time) if span.closed else time or None
        if message.get("phase") == "val":
            metrics = mapping(message.get("metrics"))
            span.loss = number(metrics.get("val_loss"))
            self._curve.measured(metrics, epoch, None)

    def _step(self, message: Mapping[str, Any], client_id: str | None, time: str) -> None:
        run = self._run
        epoch = integer(message.get("epoch")) or run.epoch
        if client_id is not None or epoch < run.epoch:
            return
        run.epoch, run.step = epoch, integer(message.get("step"))
        run.total_steps = integer(message.get("total_steps")) or run.total_steps

    def _round_start(self, message: Mapping[str, Any], client_id: str | None, time: str) -> None:
        round_ = integer(message.get("round"))
        if round_ is None:
            return
        self._in_round(round_)
        self._run.total_rounds = integer(message.get("total_rounds")) or self._run.total_rounds
        self._open(round_, time)

    def _round_end(self, message: Mapping[str, Any], client_id: str | None, time: str) -> None:
        round_ = integer(message.get("round"))
        if round_ is None:
            return
        self._in_round(round_)
        if client_id is not None:
            span = self._span(round_)
            span.sent = later(span.sent, time)
            self._moved(message)

    def _round_aggregated(self, message: Mapping[str, Any], client_id: str | None, time: str) -> None:
        run = self._run
        round_ = integer(message.get("round"))
        if round_ is None:
            return
        self._in_round(round_)
        run.aggregated_round = max(run.aggregated_round, round_)
        self._span(round_).closed = time
        failed = message.get("failed_clients")
        if isinstance(failed, list) and failed:
            self._curve.failures.add(round_)
        metrics = mapping(message.get("metrics"))
        self._span(round_).loss = number(metrics.get("val_loss"))
        self._curve.measured(metrics, round_, integer(metrics.get("num_samples")))

    def _stage(self, message: Mapping[str, Any], client_id: str | None, time: str) -> None:
        run = self._run
        connected, answered = names(message.get("connected")), names(message.get("answered"))
        stage = Stage(
            name=text(message.get("stage")),
            time=time,
            since=text(message.get("received")) or time,
            round=integer(message.get("round")),
            epoch=integer(message.get("epoch")),
            expected=integer(message.get("expected")),
            connected=connected,
            answered=answered,
        )
        if client_id is None and (run.stage is None or _at(run.stage) <= _at(stage)):
            run.stage = stage

    def _client_failed(self, message: Mapping[str, Any], client_id: str | None, time: str) -> None:
        round_ = integer(message.get("round"))
        if not round_ and client_id in self._clients:
            round_ = self._clients[client_id].state().round
        if round_:
            self._curve.failures.add(round_)
        self._moved(message)

    def _end(self, message: Mapping[str, Any], client_id: str | None, time: str) -> None:
        run = self._run
        if client_id is not None:
            return
        # Of two ends the earlier one holds, in whichever order they came.
        if run.end is None or before(time, run.end.time):
            run.end = end_of(message, time)
        if message.get("type") == "training_complete":
            run.final_metrics = mapping(message.get("final_metrics"))
            run.total_epochs = run.total_epochs or integer(run.final_metrics.get("total_epochs"))

    def _paused(self, message: Mapping[str, Any], client_id: str | None, time: str) -> None:
        run = self._run
        if client_id is None:
            run.waits = with_wait(run.waits, time, False)
        if client_id is not None or (run.resumed is not None and not before(run.resumed, time)):
            return
        if run.paused is None or before(run.paused, time):
            run.paused, run.paused_by = time or None, text(message.get("by")) or None

    def _resumed(self, message: Mapping[str, Any], client_id: str | None, time: str) -> None:
        run = self._run
        if client_id is not None:
            return
        run.resumed = later(run.resumed, time)
        run.waits = with_wait(run.waits, time, True)
        if run.paused is not None and not before(time, run.paused):
            run.paused = run.paused_by = None

    def _alert(self, message: Mapping[str, Any], client_id: str | None, time: str) -> None:
        run = self._run
        about = text(message.get("about"))
        if client_id is None and (about == "lost" or about.startswith("lost:")):
            if run.lost is None or before(run.lost[0], time):
                run.lost = (time, text(message.get("text")) or "")
        elif client_id is None and about.startswith("heard:"):
            self._sign_of_life(time, seconds(time))
        elif about == "cancel":
            run.cancel_asked = later(run.cancel_asked, time)
        elif client_id is None and about.startswith("halted:"):
            run.halted = newest(run.halted, (time, text(message.get("text"))))
        elif about.startswith("disk:"):
            run.disk_full = newest(run.disk_full, (time, text(message.get("text"))))
        elif about.startswith("room:") and run.disk_full is not None and not before(time, run.disk_full[0]):
            run.disk_full = None

    def _run_edited(self, message: Mapping[str, Any], client_id: str | None, time: str) -> None:
        run = self._run
        if before(time, run.edited):
            return
        run.edited = time
        if "name" in message:
            run.name = text(message["name"]) or ""
        if "notes" in message:
            run.notes = text(message["notes"]) or ""
        if isinstance(message.get("tags"), list):
            run.tags = tuple(tag for tag in message["tags"] if isinstance(tag, str))

    # --- small things -------------------------------------------------------------------------------------------

    def _in_round(self, round_: int) -> None:
        self._run.mode = "federated"
        self._run.round = max(self._run.round, round_)

    def _moved(self, message: Mapping[str, Any]) -> None:
        run = self._run
        run.bytes_down = more(run.bytes_down, message.get("bytes_down"))
        run.bytes_up = more(run.bytes_up, message.get("bytes_up"))

    def _open(self, number: int, time: str) -> None:
        span = self._span(number)
        span.opened = earlier(span.opened, time) if span.opened else time or None

    def _span(self, number: int) -> _Span:
        span = self._spans.get(number)
        if span is None:
            if len(self._spans) >= 2 * _KEPT_SPANS:
                self._drop_old_spans()
            span = self._spans[number] = _Span(number)
        return span

    def _drop_old_spans(self) -> None:
        for old in sorted(self._spans)[:-_KEPT_SPANS]:
            del self._spans[old]


_HANDLERS = {
    "run_queued": Folding._run_queued,
    "run_start": Folding._run_start,
    "epoch_start": Folding._epoch_start,
    "epoch_end": Folding._epoch_end,
    "step": Folding._step,
    "round_start": Folding._round_start,
    "round_end": Folding._round_end,
    "round_aggregated": Folding._round_aggregated,
    "stage": Folding._stage,
    "client_failed": Folding._client_failed,
    "training_complete": Folding._end,
    "training_error": Folding._end,
    "training_cancelled": Folding._end,
    "training_paused": Folding._paused,
    "training_resumed": Folding._resumed,
    "alert": Folding._alert,
    "run_edited": Folding._run_edited,
}


def _afresh(run: RunFields, told: set[str], attempt: int, begun: str | None) -> RunState:
    """The same run before its next attempt: what people gave it stays.

    Args:
        run: The run so far.
        told: What the hub has said about it.
        attempt: The attempt that begins.
        begun: When it began, where messages do not name their attempt: what was said since then is of this one.
    """
    asked, lost = run.cancel_asked, run.lost
    return RunState(
        run.run_id,
        experiment_name=run.experiment_name,
        mode=run.mode,
        attempt=attempt,
        name=run.name,
        tags=run.tags,
        notes=run.notes,
        edited=run.edited,
        told=tuple(sorted(told)),
        bytes_down=run.bytes_down,
        bytes_up=run.bytes_up,
        cancel_asked=None if begun is None or before(asked, begun) else asked,
        lost=None if begun is None or lost is None or before(lost[0], begun) else lost,
        updated_at=run.updated_at,
    )


def _settle(run: RunFields, kept: int) -> None:
    """The status that follows from what is known, and the fields that follow from the status.

    Args:
        run: The fields.
        kept: The epoch or round that this attempt goes on from: to have come there is no sign that it runs.
    """
    end = run.end
    if end is None and not run.led:
        end = _end_of_clients(run)
    if end is not None:
        run.status, run.end_time, run.error, run.detail = end.status, end.time, end.error, end.detail
        run.stopped_by, run.reason = end.by, end.reason
        return
    run.end_time = run.error = run.detail = run.stopped_by = run.reason = None
    status: RunStatus = "queued"
    if run.lost is not None and is_lost(run):
        status, run.error = "lost", run.lost[1]
    elif run.epoch > kept or run.round > kept or run.step is not None or run.spans:
        status = "running"
    elif run.led or run.clients:
        status = "started"
    run.status = status


def _end_of_clients(run: RunFields) -> End | None:
    """The end of a run in which only clients log: each has ended its last round, or failed."""
    ends = [client.end for client in run.clients]
    if not ends or any(end is None for end in ends):
        return None
    known = [end for end in ends if end is not None]
    newest = max(known, key=lambda end: seconds(end.time) or 0.0)
    if all(end.status == "failed" for end in known):
        first = min(known, key=lambda end: seconds(end.time) or 0.0)
        return End("failed", newest.time, error=first.error, detail=first.detail, died=first.died)
    if all(end.status in ("failed", "cancelled") for end in known):
        stop = next(end for end in known if end.status == "cancelled")
        return End("cancelled", newest.time, by=stop.by, reason=stop.reason)
    return End("completed", newest.time)


def _at(stage: Stage) -> tuple[int, float, str]:
    # By what is done, then by the time: a clock that goes back within a round is the worst that can happen then.
    return stage.round or stage.epoch or 0, seconds(stage.time) or 0.0, stage.name


def _less(one_s: float | None, other_s: float | None) -> bool:
    return one_s is not None and other_s is not None and one_s < other_s
