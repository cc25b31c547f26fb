"""The four loggers: what somebody's training loop calls. No log call raises, and none waits for who watches."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from msgspec import UNSET, UnsetType

from federated_pneumonia_detection.progress import values
from federated_pneumonia_detection.progress.channel import Channel, followed, wake_of
from federated_pneumonia_detection.progress.framing import MARKS
from federated_pneumonia_detection.progress.messages import (
    MESSAGE_TYPES,
    Alert,
    ClientFailed,
    Custom,
    EpochEnd,
    EpochStart,
    LocalEpoch,
    RoundAggregated,
    RoundEnd,
    RoundStart,
    Stage,
    Step,
    TestCurves,
    TrainingCancelled,
    TrainingComplete,
    TrainingError,
    TrainingPaused,
    TrainingResumed,
)
from federated_pneumonia_detection.progress.protocol import WebSocketManager

__all__ = ["FederatedProgressLogger", "ProgressLogger", "WebSocketFederatedProgressLogger", "WebSocketProgressLogger"]

_RESERVED = frozenset(MESSAGE_TYPES) | MARKS
_MOST_HARDEST = 24

P = ParamSpec("P")
T = TypeVar("T", bound="ProgressLogger")
AnyPath = str | os.PathLike[str]


def _never_raises(call: Callable[Concatenate[T, P], None]) -> Callable[Concatenate[T, P], None]:
    # The outermost edge: watching must not kill training, and must not hide that it failed.
    @functools.wraps(call)
    def guarded(self: T, /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            call(self, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - whatever somebody's values do when they are looked at
            self._channel.count_as_lost(
                f"{call.__name__} failed", f"{call.__name__} recorded nothing ({type(error).__name__}: {error})"
            )

    return guarded


class ProgressLogger:
    """Tells what a training does: into a journal, and into a JSON document that is valid at every instant.

    A log call that returned is in the journal and survives the death of the process, or it is counted in `lost`. No log
    call raises, whatever it is given. A logger may be used from several threads, and may be pickled or inherited by a
    child process, which opens a journal of its own. Loggers of one process with the same directory and run share one.

    Args:
        log_dir: where the journal and the document lie; made where it is missing.
        experiment_name: what is trained; several runs may have the same.
        mode: `centralized` or `federated`.
        run_id: the run this belongs to; without one, `FPD_RUN_ID`, else a new one.
        attempt: which attempt of the run, where that is known; else it is found out.
        run_start: what the run's first message says beside the experiment and the mode: `config`, `data`, `software`,
            `total_epochs`, `total_rounds`; where an attempt goes on, `from_epoch` or `from_round`: the last one that is
            kept.
        hears_cancel: whether whoever logs here looks for requests to stop and to wait (see `orders.OrderWatch`).
        broadcast_interval: the least time in seconds between two sends of this writer's messages to viewers.
    """

    _channel: Channel

    def __init__(
        self,
        log_dir: AnyPath = "logs/progress",
        experiment_name: str = "experiment",
        mode: str = "centralized",
        *,
        run_id: str | None = None,
        attempt: int | None = None,
        run_start: Mapping[str, Any] | None = None,
        hears_cancel: bool = False,
        broadcast_interval: float = 0.0,
    ) -> None:
        self._open(
            log_dir,
            experiment_name=experiment_name,
            mode=mode,
            run_id=run_id,
            attempt=attempt,
            run_start=run_start,
            hears_cancel=hears_cancel,
            broadcast_interval=broadcast_interval,
        )

    def _open(
        self,
        log_dir: AnyPath,
        *,
        experiment_name: str,
        mode: str,
        run_id: str | None,
        attempt: int | None,
        run_start: Mapping[str, Any] | None,
        hears_cancel: bool,
        broadcast_interval: float,
        client_id: str | None = None,
        manager: WebSocketManager | None = None,
        keeps_files: bool = True,
    ) -> None:
        self.log_dir = str(Path(os.fspath(log_dir)).absolute())
        """The directory that was asked for, absolute."""
        self._channel = Channel(
            followed(manager, self.log_dir if keeps_files else None),
            keeps_files=keeps_files,
            experiment_name=experiment_name,
            mode=mode,
            client_id=None if client_id is None else values.name(client_id),
            run_id=run_id,
            attempt=attempt,
            run_start=run_start,
            hears=("cancel", "pause") if hears_cancel else (),
            broadcast_interval=broadcast_interval,
            wake=wake_of(manager),
        )

    # -- what a training loop says -----------------------------------------------------------------------------------

    @_never_raises
    def log_epoch_start(self, epoch: int, total_epochs: int | None) -> None:
        """An epoch begins.

        Args:
            epoch: counted from 1.
            total_epochs: how many there will be, as far as is known.
        """
        number, total = self._whole(epoch, "epoch"), self._whole(total_epochs, "total_epochs")
        writer = self._channel.writer("epoch_start")
        if writer is not None:
            writer.total_epochs = total
            writer.say(EpochStart(number, total, **self._channel.stamp(writer)))
            self._channel.nudge()

    @_never_raises
    def log_epoch_end(self, epoch: int, metrics: Mapping[str, Any], phase: str = "train") -> None:
        """A phase of an epoch is over.

        Args:
            epoch: counted from 1.
            metrics: by name; numbers, or what becomes one (a tensor, a NumPy scalar).
            phase: `train`, `val` or `test`.
        """
        told, not_finite = values.metrics_of(metrics, self._channel.warn)
        number, phase = self._whole(epoch, "epoch"), values.name(phase)
        writer = self._channel.writer("epoch_end")
        if writer is not None:
            writer.say(EpochEnd(number, writer.total_epochs, phase, told, **self._channel.stamp(writer)))
            if not_finite:
                writer.tell_not_finite(phase, not_finite)
            self._channel.nudge()

    @_never_raises
    def log_step(
        self, epoch: int, step: int, total_steps: int | None, metrics: Mapping[str, Any], phase: str = "train"
    ) -> None:
        """A batch is done. Viewers may see only the newest; the journal keeps all.

        Args:
            epoch: counted from 1.
            step: counted from 1 within the epoch.
            total_steps: how many the epoch has, as far as is known.
            metrics: by name; numbers, or what becomes one.
            phase: `train`, `val` or `test`.
        """
        told, not_finite = values.metrics_of(metrics, self._channel.warn)
        number, phase = self._whole(epoch, "epoch"), values.name(phase)
        at, total = self._whole(step, "step"), self._whole(total_steps, "total_steps")
        writer = self._channel.writer("step")
        if writer is not None:
            writer.say(Step(number, at, total, phase, told, **self._channel.stamp(writer)))
            if not_finite:
                writer.tell_not_finite(phase, not_finite)
            self._channel.nudge()

    @_never_raises
    def log_training_complete(self, final_metrics: Mapping[str, Any] | None = None) -> None:
        """The training (or, for a client, its part of it) has ended well."""
        told, not_finite = values.metrics_of(final_metrics, self._channel.warn)
        writer = self._channel.writer("training_complete")
        if writer is not None:
            # Before the end, which is the last thing to be said.
            writer.tell_not_finite("final", not_finite)
            writer.say(TrainingComplete(told, **self._channel.stamp(writer)))
            self._channel.nudge()

    @_never_raises
    def log_training_error(self, error_message: str, detail: str | None = None) -> None:
        """The training (or, for a client, its part of it) has failed.

        Args:
            error_message: one clear line.
            detail: what helps to find out why.
        """
        what, more = values.text(error_message), _text_or_none(detail)
        self._channel.say("training_error", lambda stamp: TrainingError(what, more, **stamp))

    @_never_raises
    def log_training_cancelled(self, reason: str | None = None, by: str | None = None) -> None:
        """Somebody stopped the training."""
        why, who = _text_or_none(reason), _text_or_none(by)
        self._channel.say("training_cancelled", lambda stamp: TrainingCancelled(why, who, **stamp))

    @_never_raises
    def log_training_paused(self, reason: str | None = None, by: str | None = None) -> None:
        """The training waits, because somebody asked it to."""
        why, who = _text_or_none(reason), _text_or_none(by)
        self._channel.say("training_paused", lambda stamp: TrainingPaused(why, who, **stamp))

    @_never_raises
    def log_training_resumed(self, by: str | None = None) -> None:
        """The training has waited and goes on; `by` says who let it."""
        who = _text_or_none(by)
        self._channel.say("training_resumed", lambda stamp: TrainingResumed(who, **stamp))

    @_never_raises
    def log_custom_event(self, event_type: str, data: Any = None) -> None:
        """Anything else: `{"type": event_type, "data": data}` for whoever knows it."""
        name = values.name(event_type) or "custom"
        if name in _RESERVED:
            text = f"{name} is a message type of its own; the event is called custom:{name}"
            self._channel.warn(f"reserved {name}", text)
            name = f"custom:{name}"
        told = values.plain(data, self._channel.warn)
        self._channel.say(name, lambda stamp: Custom(name, told, **stamp))

    @_never_raises
    def log_machine(self, metrics: Mapping[str, Any]) -> None:
        """What the machine does beside the training, of which it says nothing; `Step` names the metrics."""
        told, _ = values.metrics_of(metrics, self._channel.warn)
        self._channel.say("step", lambda stamp: Step(None, None, None, "system", told, **stamp))

    @_never_raises
    def log_alert(self, level: str, title: str, text: str) -> None:
        """Something a person should know; `level` is `info`, `warning` or `error`."""
        how, what, more = values.text(level), values.text(title), values.text(text)
        self._channel.say("alert", lambda stamp: Alert(how, what, more, **stamp))

    @_never_raises
    def log_test_curves(
        self,
        fpr: Any,
        tpr: Any,
        threshold: Any,
        confusion: Any = None,
        *,
        chosen: Any = None,
        pr_recall: Any = None,
        pr_precision: Any = None,
        pr_threshold: Any = None,
        average_precision: Any = None,
        bin_n: Any = None,
        bin_pneumonia: Any = None,
        bin_predicted: Any = None,
        brier: Any = None,
        calibration_error: Any = None,
        hardest: Any = None,
    ) -> None:
        """What a test tells beside its metrics; what is left out is not told. Curves are thinned to 200 points.

        Args:
            fpr: of the ROC curve, false positive rates.
            tpr: true positive rates, as many.
            threshold: of each of its points.
            confusion: counts by name (`tn`, `fp`, `fn`, `tp`), or as a matrix whose rows are the truth.
            chosen: the threshold the counts are at.
            pr_recall: of the precision-recall curve.
            pr_precision: as many.
            pr_threshold: of each of its points.
            average_precision: the precision-recall curve's mean height.
            bin_n: images in each bin of predicted probability, the bins being of equal width from 0 to 1.
            bin_pneumonia: how many of them have pneumonia.
            bin_predicted: the mean predicted probability in each.
            brier: the mean squared difference between probability and truth.
            calibration_error: the expected one.
            hardest: places in the test split, from 0, the worst first; 24 are told, and none by a client.
        """
        warn = self._channel.warn
        x, y, at = (values.column(one, warn) for one in (fpr, tpr, threshold))
        counts = values.plain(confusion, warn)
        columns = {
            "pr_recall": pr_recall,
            "pr_precision": pr_precision,
            "pr_threshold": pr_threshold,
            "bin_predicted": bin_predicted,
        }
        more: dict[str, Any] = {n: values.column(one, warn) for n, one in columns.items() if one is not None}
        whole = {"bin_n": bin_n, "bin_pneumonia": bin_pneumonia}
        more |= {
            n: [_count_or_none(c) for c in values.column(one, warn)] for n, one in whole.items() if one is not None
        }
        figures = {
            "chosen": chosen,
            "average_precision": average_precision,
            "brier": brier,
            "calibration_error": calibration_error,
        }
        told = values.metrics_of({n: one for n, one in figures.items() if one is not None}, warn)[0]
        more |= {n: one if isinstance(one, int | float) else None for n, one in told.items()}
        # Nothing of a single image leaves a client, not even its place.
        if hardest is not None and self._channel.client_id is None:
            places = values.plain(hardest, warn)
            places = places if isinstance(places, list) else []
            more["hardest"] = [one for one in places if type(one) is int and one >= 0][:_MOST_HARDEST]
        self._channel.say("test_curves", lambda stamp: TestCurves(x, y, at, counts, **more, **stamp))

    @_never_raises
    def log_round_aggregated(
        self, round_num: int, metrics: Mapping[str, Any], num_clients: int | None, failed_clients: Any = ()
    ) -> None:
        """The server has made a round's global model; `metrics` are that model's."""
        told, not_finite = values.metrics_of(metrics, self._channel.warn)
        number, clients = self._whole(round_num, "round"), self._whole(num_clients, "num_clients")
        failed = values.names(failed_clients, self._channel.warn)
        writer = self._channel.writer("round_aggregated")
        if writer is not None:
            writer.say(RoundAggregated(number, told, clients, failed, **self._channel.stamp_apart()))
            writer.tell_not_finite("aggregated", not_finite)
            self._channel.nudge()

    @_never_raises
    def log_stage(
        self,
        stage: str,
        *,
        round_num: int | None = None,
        epoch: int | None = None,
        expected: int | None = None,
        connected: Any = None,
        answered: Any = None,
    ) -> None:
        """What is done from now on, where nothing else tells it.

        Args:
            stage: `waiting_for_clients`, `training`, `aggregating`, `evaluating` or `testing`.
            round_num: of which round, counted from 1.
            epoch: of which epoch, counted from 1.
            expected: how many clients are waited for, or were asked.
            connected: which clients are there, or were asked.
            answered: which of them have answered.
        """
        warn = self._channel.warn
        more: dict[str, Any] = {}
        if round_num is not None:
            more["round"] = self._whole(round_num, "round")
        if epoch is not None:
            more["epoch"] = self._whole(epoch, "epoch")
        if answered is not None:
            more["answered"] = values.names(answered, warn)
        there = None if connected is None else values.names(connected, warn)
        what, many = values.name(stage), self._whole(expected, "expected")
        self._channel.say("stage", lambda stamp: Stage(stage=what, expected=many, connected=there, **{**stamp, **more}))

    @_never_raises
    def log_client_failed(self, round_num: int, client_id: str, error: str, *, bytes_down: int | None = None) -> None:
        """A client failed in a round, as the server saw it, which had sent it `bytes_down` bytes."""
        number, who, why = self._whole(round_num, "round"), values.name(client_id), values.text(error)
        self._channel.say(
            "client_failed",
            lambda stamp: ClientFailed(
                number, why, bytes_down=_count(bytes_down), timestamp=stamp["timestamp"], client_id=who
            ),
        )

    @_never_raises
    def log_run_start(self, /, **fields: Any) -> None:
        """The run begins: `config`, `data`, `software`, `total_epochs`, `total_rounds`, `from_epoch`, `from_round`.

        A logger begins its run by itself; say more about it there, with `run_start`. This is for who knows it later.
        """
        writer = self._channel.writer("run_start")
        if writer is not None:
            writer.say(self._channel.run_start(writer.attempt, fields, self._channel.stamp(writer)))
            self._channel.nudge()

    # -- the logger itself -------------------------------------------------------------------------------------------

    @property
    def run_id(self) -> str | None:
        """The run; `None` for a client without one until its first log call."""
        return self._channel.run_id

    @property
    def client_id(self) -> str | None:
        """The client that logs here; `None` for a run, or a server, of its own."""
        return self._channel.client_id

    @property
    def attempt(self) -> int:
        """Which attempt of the run is told of; 1 for a client until its first log call."""
        return self._channel.attempt

    @property
    def lost(self) -> int:
        """How many messages could not be recorded, or wait until they can be."""
        return self._channel.lost

    def get_log_file_path(self) -> str | None:
        """The absolute path of the polled document.

        `None` without files, and for a client without a run until its first log call decides which run it belongs to.
        """
        return self._channel.document_path

    def close(self) -> None:
        """End this logger; its journal is ended with the run, or with the process."""
        self._channel.close()

    def __enter__(self: T) -> T:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _whole(self, value: Any, name: str) -> int | None:
        return (
            value if type(value) is int and -(2**53) < value < 2**53 else values.whole(value, name, self._channel.warn)
        )


class FederatedProgressLogger(ProgressLogger):
    """Tells what one client of a federated training does; a server's own logger has `None` for its client.

    Clients that log the same experiment into the same directory are one run, without being told of each other: which
    one is decided at the first log call (see `which_run`). Everything else is as in `ProgressLogger`.

    Args:
        client_id: who logs; `None` for the server's own logger of the run.
        log_dir: where the journal and the document lie; made where it is missing.
        experiment_name: what is trained.
        run_id: the run this belongs to, where it is known.
        attempt: which attempt of the run, where that is known; else it is found out.
        run_start: what the run's first message says, if this logger begins it.
        hears_cancel: whether whoever logs here looks for requests to stop and to wait.
        broadcast_interval: the least time in seconds between two sends of this writer's messages to viewers.
    """

    def __init__(
        self,
        client_id: str | None,
        log_dir: AnyPath = "logs/progress",
        experiment_name: str = "experiment",
        *,
        run_id: str | None = None,
        attempt: int | None = None,
        run_start: Mapping[str, Any] | None = None,
        hears_cancel: bool = False,
        broadcast_interval: float = 0.0,
    ) -> None:
        self._open(
            log_dir,
            experiment_name=experiment_name,
            mode="federated",
            client_id=client_id,
            run_id=run_id,
            attempt=attempt,
            run_start=run_start,
            hears_cancel=hears_cancel,
            broadcast_interval=broadcast_interval,
        )

    @_never_raises
    def log_round_start(self, round_num: int, total_rounds: int | None) -> None:
        """A round begins, here.

        Args:
            round_num: counted from 1.
            total_rounds: how many there will be, as far as is known.
        """
        number, total = self._whole(round_num, "round"), self._whole(total_rounds, "total_rounds")
        writer = self._channel.writer("round_start", number)
        if writer is not None:
            writer.round, writer.total_rounds = number, total
            writer.say(RoundStart(number, total, **self._channel.stamp_apart()))
            self._channel.nudge()

    @_never_raises
    def log_round_end(
        self,
        round_num: int,
        fit_metrics: Mapping[str, Any] | None,
        eval_metrics: Mapping[str, Any] | None,
        *,
        bytes_down: int | None = None,
        bytes_up: int | None = None,
    ) -> None:
        """A round is over, here.

        Args:
            round_num: counted from 1.
            fit_metrics: of the training, `num_samples` among them.
            eval_metrics: of the evaluation, `num_samples` among them.
            bytes_down: what was received for it, where that was measured.
            bytes_up: what was sent for it.
        """
        down, up = _count(bytes_down), _count(bytes_up)
        fit, fit_not_finite = values.metrics_of(fit_metrics, self._channel.warn)
        evaluated, eval_not_finite = values.metrics_of(eval_metrics, self._channel.warn)
        number = self._whole(round_num, "round")
        writer = self._channel.writer("round_end", number)
        if writer is not None:
            writer.tell_not_finite("fit", fit_not_finite)
            writer.tell_not_finite("eval", eval_not_finite)
            writer.round = None
            writer.say(RoundEnd(number, fit, evaluated, down, up, **self._channel.stamp_apart()))
            self._channel.nudge()

    @_never_raises
    def log_local_epoch(self, round_num: int, local_epoch: int, metrics: Mapping[str, Any]) -> None:
        """A client has trained one epoch of its own within a round; both are counted from 1."""
        told, not_finite = values.metrics_of(metrics, self._channel.warn)
        number, epoch = self._whole(round_num, "round"), self._whole(local_epoch, "local_epoch")
        writer = self._channel.writer("local_epoch", number)
        if writer is not None:
            writer.say(LocalEpoch(number, epoch, told, **self._channel.stamp_apart()))
            writer.tell_not_finite("train", not_finite)
            self._channel.nudge()


class WebSocketProgressLogger(ProgressLogger):
    """A `ProgressLogger` whose messages a WebSocket manager sends to its viewers.

    Args:
        websocket_manager: follows the journal and has the viewers; with `None`, whoever follows `log_dir` has them.
        log_dir: where the journal and the document lie.
        experiment_name: what is trained.
        mode: `centralized` or `federated`.
        enable_file_logging: `False` leaves nothing in `log_dir`: the journal lies in a private directory of the
            manager's, and there is no document. Without a manager nothing at all is recorded then.
        broadcast_interval: the least time in seconds between two sends to viewers. No message is dropped for it but
            `step`, of which the newest wins.
        run_id: the run this belongs to, where it is known.
        attempt: which attempt of the run, where that is known; else it is found out.
        run_start: what the run's first message says, if this logger begins it.
        hears_cancel: whether whoever logs here looks for requests to stop and to wait.
    """

    def __init__(
        self,
        websocket_manager: WebSocketManager | None = None,
        log_dir: AnyPath = "logs/progress",
        experiment_name: str = "experiment",
        mode: str = "centralized",
        enable_file_logging: bool = True,
        broadcast_interval: float = 0.5,
        *,
        run_id: str | None = None,
        attempt: int | None = None,
        run_start: Mapping[str, Any] | None = None,
        hears_cancel: bool = False,
    ) -> None:
        self._open(
            log_dir,
            experiment_name=experiment_name,
            mode=mode,
            run_id=run_id,
            attempt=attempt,
            run_start=run_start,
            hears_cancel=hears_cancel,
            broadcast_interval=broadcast_interval,
            manager=websocket_manager,
            keeps_files=enable_file_logging,
        )

    def shutdown(self) -> None:
        """End this logger; nothing is left to be sent, since everything is in the journal."""
        self.close()


class WebSocketFederatedProgressLogger(FederatedProgressLogger):
    """A `FederatedProgressLogger` whose messages a WebSocket manager sends to its viewers.

    Args:
        client_id: who logs; `None` for the server's own logger of the run.
        websocket_manager: as in `WebSocketProgressLogger`, like all that follows.
        log_dir: where the journal and the document lie.
        experiment_name: what is trained.
        enable_file_logging: whether anything is left in `log_dir`.
        broadcast_interval: the least time in seconds between two sends to viewers.
        run_id: the run this belongs to, where it is known.
        attempt: which attempt of the run, where that is known; else it is found out.
        run_start: what the run's first message says, if this logger begins it.
        hears_cancel: whether whoever logs here looks for requests to stop and to wait.
    """

    def __init__(
        self,
        client_id: str | None,
        websocket_manager: WebSocketManager | None = None,
        log_dir: AnyPath = "logs/progress",
        experiment_name: str = "experiment",
        enable_file_logging: bool = True,
        broadcast_interval: float = 0.5,
        *,
        run_id: str | None = None,
        attempt: int | None = None,
        run_start: Mapping[str, Any] | None = None,
        hears_cancel: bool = False,
    ) -> None:
        self._open(
            log_dir,
            experiment_name=experiment_name,
            mode="federated",
            client_id=client_id,
            run_id=run_id,
            attempt=attempt,
            run_start=run_start,
            hears_cancel=hears_cancel,
            broadcast_interval=broadcast_interval,
            manager=websocket_manager,
            keeps_files=enable_file_logging,
        )

    def shutdown(self) -> None:
        """End this logger; nothing is left to be sent, since everything is in the journal."""
        self.close()


def _count(value: object) -> int | UnsetType:
    """What somebody counted; what is no count is not told."""
    return value if type(value) is int and value >= 0 else UNSET


def _count_or_none(value: float | None) -> int | None:
    """A count that stood in a column; what is no count is not told."""
    return int(value) if value is not None and value >= 0 and value == value // 1 else None


def _text_or_none(value: Any) -> str | None:
    return None if value is None else values.text(value)
