"""The four loggers: what somebody's training loop calls. No log call raises, and none waits for who watches."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from msgspec import UNSET

from federated_pneumonia_detection.progress import clock, values, which_run
from federated_pneumonia_detection.progress.journal import journal_stem
from federated_pneumonia_detection.progress.messages import (
    MESSAGE_TYPES,
    Alert,
    ClientFailed,
    Custom,
    EpochEnd,
    EpochStart,
    LocalEpoch,
    Message,
    RoundAggregated,
    RoundEnd,
    RoundStart,
    RunStart,
    Step,
    TestCurves,
    TrainingCancelled,
    TrainingComplete,
    TrainingError,
)
from federated_pneumonia_detection.progress.protocol import WebSocketManager
from federated_pneumonia_detection.progress.slug import new_run_id
from federated_pneumonia_detection.progress.software import software
from federated_pneumonia_detection.progress.writer import Identity, Writer, writer_for

__all__ = [
    "FederatedProgressLogger",
    "ProgressLogger",
    "WebSocketFederatedProgressLogger",
    "WebSocketProgressLogger",
]

_log = logging.getLogger("federated_pneumonia_detection.progress")
_RESERVED = frozenset(MESSAGE_TYPES) | {"journal", "journal_end"}

P = ParamSpec("P")
T = TypeVar("T", bound="ProgressLogger")


def _never_raises(call: Callable[Concatenate[T, P], None]) -> Callable[Concatenate[T, P], None]:
    # The outermost edge: watching must not kill training, and must not hide that it failed.
    @functools.wraps(call)
    def guarded(self: T, /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            call(self, *args, **kwargs)
        except Exception as error:  # whatever somebody's values do when they are looked at
            self._count_as_lost(f"{call.__name__} failed", f"{type(error).__name__}: {error}")

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
        run_start: what the run's first message says beside the experiment and the mode: `config`, `data`, `software`,
            `total_epochs`, `total_rounds`.
        hears_cancel: whether whoever logs here looks for a request to stop (see `cancel.CancelWatch`).
        broadcast_interval: the least time in seconds between two sends of this writer's messages to viewers.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs/progress",
        experiment_name: str = "experiment",
        mode: str = "centralized",
        *,
        run_id: str | None = None,
        run_start: Mapping[str, Any] | None = None,
        hears_cancel: bool = False,
        broadcast_interval: float = 0.0,
    ) -> None:
        self._set_up(
            log_dir,
            experiment_name,
            mode,
            client_id=None,
            run_id=run_id,
            run_start=run_start,
            hears_cancel=hears_cancel,
            broadcast_interval=broadcast_interval,
        )

    def _set_up(
        self,
        log_dir: str | os.PathLike[str],
        experiment_name: str,
        mode: str,
        *,
        client_id: str | None,
        run_id: str | None,
        run_start: Mapping[str, Any] | None = None,
        hears_cancel: bool = False,
        broadcast_interval: float = 0.0,
        directory: str | None = None,
        keeps_files: bool = True,
    ) -> None:
        self.client_id = client_id
        """The client that logs here; `None` for a run, or a server, of its own."""
        self.log_dir = str(Path(os.fspath(log_dir)).absolute())
        """The directory that was asked for, absolute."""
        given = run_id or os.environ.get("FPD_RUN_ID") or None
        self.run_id = None if given is None else values.text(given)
        """The run; `None` for a client without one until its first log call."""
        self._experiment_name = values.text(experiment_name)
        self._mode = values.text(mode)
        self._run_start = dict(run_start or {})
        self._hears = ("cancel",) if hears_cancel else ()
        self._interval = float(broadcast_interval)
        # Where the journal lies: a private directory of the manager's where no files are wanted; None: nowhere at all.
        self._directory = self.log_dir if directory is None and keeps_files else directory
        self._keeps_files = keeps_files
        self._wake: Callable[[str], object] | None = None
        self._closed = False
        self._writer: Writer | None = None
        # What never came to a writer, or to one that this logger has no more.
        self._lost = 0
        self._warned: set[str] = set()
        self._begin_afresh()
        if client_id is None:
            self._begin_run()

    def _begin_afresh(self) -> None:
        self._joining = threading.RLock()

    # -- what a training loop says -----------------------------------------------------------------------------------

    @_never_raises
    def log_epoch_start(self, epoch: int, total_epochs: int | None) -> None:
        """An epoch begins.

        Args:
            epoch: counted from 1.
            total_epochs: how many there will be, as far as is known.
        """
        number, total = self._whole(epoch, "epoch"), self._whole(total_epochs, "total_epochs")
        writer = self._writer_for("epoch_start")
        if writer is not None:
            writer.total_epochs = total
            writer.say(EpochStart(number, total, **self._stamped(writer)))
            self._nudge()

    @_never_raises
    def log_epoch_end(self, epoch: int, metrics: Mapping[str, Any], phase: str = "train") -> None:
        """A phase of an epoch is over.

        Args:
            epoch: counted from 1.
            metrics: by name; numbers, or what becomes one (a tensor, a NumPy scalar).
            phase: `train`, `val` or `test`.
        """
        told, not_finite = values.metrics_of(metrics, self._warn)
        number = self._whole(epoch, "epoch")
        writer = self._writer_for("epoch_end")
        if writer is not None:
            phase = values.text(phase)
            writer.say(EpochEnd(number, writer.total_epochs, phase, told, **self._stamped(writer)))
            if not_finite:
                writer.tell_not_finite(phase, not_finite)
            self._nudge()

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
        told, not_finite = values.metrics_of(metrics, self._warn)
        numbers = self._whole(epoch, "epoch"), self._whole(step, "step"), self._whole(total_steps, "total_steps")
        writer = self._writer_for("step")
        if writer is not None:
            phase = values.text(phase)
            writer.say(Step(*numbers, phase, told, **self._stamped(writer)))
            if not_finite:
                writer.tell_not_finite(phase, not_finite)
            self._nudge()

    @_never_raises
    def log_training_complete(self, final_metrics: Mapping[str, Any] | None = None) -> None:
        """The training (or, for a client, its part of it) has ended well."""
        told, not_finite = values.metrics_of(final_metrics, self._warn)
        writer = self._writer_for("training_complete")
        if writer is not None:
            if not_finite:
                writer.tell_not_finite("final", not_finite)
            writer.say(TrainingComplete(told, **self._stamped(writer)))
            self._nudge()

    @_never_raises
    def log_training_error(self, error_message: str, detail: str | None = None) -> None:
        """The training (or, for a client, its part of it) has failed.

        Args:
            error_message: one clear line.
            detail: what helps to find out why.
        """
        more = None if detail is None else values.text(detail)
        self._say("training_error", lambda now: TrainingError(values.text(error_message), more, **now))

    @_never_raises
    def log_training_cancelled(self, reason: str | None = None, by: str | None = None) -> None:
        """Somebody stopped the training."""
        told = [None if one is None else values.text(one) for one in (reason, by)]
        self._say("training_cancelled", lambda now: TrainingCancelled(*told, **now))

    @_never_raises
    def log_custom_event(self, event_type: str, data: Any = None) -> None:
        """Anything else: `{"type": event_type, "data": data}` for whoever knows it."""
        name = values.text(event_type) or "custom"
        if name in _RESERVED:
            self._warn(f"reserved {name}", f"{name} is a message type of its own; the event is called custom:{name}")
            name = f"custom:{name}"
        told = values.plain(data, self._warn)
        self._say(name, lambda now: Custom(name, told, **now))

    @_never_raises
    def log_alert(self, level: str, title: str, text: str) -> None:
        """Something a person should know; `level` is `info`, `warning` or `error`."""
        told = [values.text(one) for one in (level, title, text)]
        self._say("alert", lambda now: Alert(*told, **now))

    @_never_raises
    def log_test_curves(self, fpr: Any, tpr: Any, threshold: Any, confusion: Any = None) -> None:
        """The ROC curve of the test split and the confusion counts."""
        columns = [values.number_list(one, self._warn) for one in (fpr, tpr, threshold)]
        counts = values.plain(confusion, self._warn)
        self._say("test_curves", lambda now: TestCurves(*columns, counts, **now))

    @_never_raises
    def log_round_aggregated(
        self, round_num: int, metrics: Mapping[str, Any], num_clients: int | None, failed_clients: Any = ()
    ) -> None:
        """The server has made a round's global model; `metrics` are that model's."""
        told, not_finite = values.metrics_of(metrics, self._warn)
        failed = [values.text(one) for one in failed_clients or ()]
        number, clients = self._whole(round_num, "round"), self._whole(num_clients, "num_clients")
        self._say("round_aggregated", lambda now: RoundAggregated(number, told, clients, failed, **now))
        if not_finite and self._writer is not None:
            self._writer.tell_not_finite("aggregated", not_finite)

    @_never_raises
    def log_client_failed(self, round_num: int, client_id: str, error: str) -> None:
        """A client failed in a round, as the server saw it."""
        number, who, why = self._whole(round_num, "round"), values.text(client_id), values.text(error)
        self._say("client_failed", lambda now: ClientFailed(number, why, **{**now, "client_id": who}))

    @_never_raises
    def log_run_start(self, **fields: Any) -> None:
        """The run begins: `config`, `data`, `software`, `total_epochs`, `total_rounds`.

        A logger begins its run by itself, when it is made; say more about it there, with `run_start`. This is for whoever
        knows more only later.
        """
        self._run_start.update(fields)
        self._say("run_start", lambda now: self._run_start_message(1, now))

    # -- the logger itself -------------------------------------------------------------------------------------------

    @property
    def lost(self) -> int:
        """How many messages could not be recorded, or wait until they can be."""
        return self._lost + (0 if self._writer is None else self._writer.lost)

    def get_log_file_path(self) -> str | None:
        """The absolute path of the polled document.

        `None` without files, and for a client without a run until its first log call decides which run it belongs to.
        """
        if not self._keeps_files or self._directory is None or self.run_id is None:
            return None
        return str(Path(self._directory, f"{journal_stem(self.run_id, self.client_id)}.json"))

    def close(self) -> None:
        """End this logger. The run goes on: its journal is ended with the run, or with the process."""
        self._closed = True

    def __enter__(self: T) -> T:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        # A manager is not sent along: it follows the directory already.
        left_out = {"_writer": None, "_wake": None, "_joining": None, "_lost": 0, "_warned": set()}
        seeds = None if self._writer is None else self._writer.seeds()
        return {**self.__dict__, **left_out, "_seeds": seeds}

    def __setstate__(self, state: dict[str, Any]) -> None:
        seeds = state.pop("_seeds", None)
        self.__dict__.update(state)
        self._begin_afresh()
        if self.run_id is not None and self._directory is not None:
            self._writer = self._join(self.run_id)
            if seeds is not None:
                self._writer.take_seeds(seeds)

    # -- how it gets there -------------------------------------------------------------------------------------------

    def _say(self, kind: str, make: Callable[[dict[str, Any]], Message | Custom]) -> None:
        writer = self._writer_for(kind)
        if writer is not None:
            writer.say(make(self._stamped(writer)))
            self._nudge()

    def _writer_for(self, kind: str, round_num: int | None = None) -> Writer | None:
        writer = self._writer
        if writer is not None and not self._closed:
            return writer
        if self._closed:
            self._count_as_lost("closed", f"a {kind} was logged after close(); it was not recorded")
            return None
        if self._directory is None:
            self._count_as_lost("nowhere", "it has neither files nor a websocket_manager: nothing is recorded")
            return None
        return self._find_run(kind, round_num)

    def _begin_run(self) -> None:
        if self._directory is None:
            return
        if self.run_id is None:
            self.run_id = new_run_id(self._experiment_name)
        with which_run.deciding(self._directory):
            attempt = which_run.attempt_of(self._directory, self.run_id)
            self._writer = self._join(self.run_id)
            if attempt is not None:
                self._start(self._writer, attempt)

    def _find_run(self, kind: str, round_num: int | None) -> Writer:
        assert self._directory is not None
        with self._joining:
            if self._writer is None:
                if self.run_id is None and self.client_id is not None:
                    with which_run.deciding(self._directory):
                        known = which_run.run_for(
                            self._directory, self._experiment_name, self.client_id, kind, round_num
                        )
                        self.run_id = known or new_run_id(self._experiment_name)
                        self._writer = self._join(self.run_id)
                        if known is None:
                            self._start(self._writer, 1)
                        else:
                            self._writer.open()
                else:
                    self.run_id = self.run_id or new_run_id(self._experiment_name)
                    self._writer = self._join(self.run_id)
            return self._writer

    def _join(self, run_id: str) -> Writer:
        assert self._directory is not None
        identity = Identity(os.path.realpath(self._directory), run_id, self.client_id)
        return writer_for(
            identity,
            lambda: Writer(
                identity,
                experiment_name=self._experiment_name,
                mode=self._mode,
                broadcast_interval=self._interval,
                hears=self._hears,
                keeps_document=self._keeps_files,
            ),
        )

    def _start(self, writer: Writer, attempt: int) -> None:
        message = self._run_start_message(attempt, self._stamped(writer))
        for name in ("total_epochs", "total_rounds"):
            total = getattr(message, name)
            if total is not UNSET:
                setattr(writer, name, total)
        writer.say(message)
        self._nudge()

    def _run_start_message(self, attempt: int, now: dict[str, Any]) -> RunStart:
        told = self._run_start
        total = "total_rounds" if self._mode == "federated" else "total_epochs"
        totals = {name: self._whole(told[name], name) for name in ("total_epochs", "total_rounds") if name in told}
        return RunStart(
            self._experiment_name,
            self._mode,
            config=self._mapping(told.get("config")),
            data=self._mapping(told.get("data")),
            software={**software(), **self._mapping(told.get("software"))},
            attempt=attempt,
            **{total: None, **totals},
            **now,
        )

    def _mapping(self, value: Any) -> dict[str, Any]:
        told = values.plain(value, self._warn)
        return told if isinstance(told, dict) else {}

    def _stamped(self, writer: Writer) -> dict[str, Any]:
        if self.client_id is None:
            return {"timestamp": clock.now()}
        if writer.round is None:
            return {"timestamp": clock.now(), "client_id": self.client_id}
        return {"timestamp": clock.now(), "client_id": self.client_id, "round": writer.round}

    def _whole(self, value: Any, name: str) -> int | None:
        return value if type(value) is int and -(2**53) < value < 2**53 else values.whole(value, name, self._warn)

    def _nudge(self) -> None:
        if self._wake is not None and self._directory is not None:
            with contextlib.suppress(Exception):  # a hint to somebody else's object; without it all works as well
                self._wake(self._directory)

    def _count_as_lost(self, cause: str, text: str) -> None:
        self._lost += 1
        self._warn(cause, text)

    def _warn(self, cause: str, text: str) -> None:
        if cause not in self._warned:
            self._warned.add(cause)
            _log.warning("progress of %s: %s", self.run_id or self._experiment_name, text)


class FederatedProgressLogger(ProgressLogger):
    """Tells what one client of a federated training does; a server's own logger has `None` for its client.

    Clients that log the same experiment into the same directory are one run, without being told of each other: which
    one is decided at the first log call (see `which_run`). Everything else is as in `ProgressLogger`.

    Args:
        client_id: who logs; `None` for the server's own logger of the run.
        log_dir: where the journal and the document lie; made where it is missing.
        experiment_name: what is trained.
        run_id: the run this belongs to, where it is known.
        run_start: what the run's first message says, if this logger begins it.
        hears_cancel: whether whoever logs here looks for a request to stop.
        broadcast_interval: the least time in seconds between two sends of this writer's messages to viewers.
    """

    def __init__(
        self,
        client_id: str | None,
        log_dir: str | os.PathLike[str] = "logs/progress",
        experiment_name: str = "experiment",
        *,
        run_id: str | None = None,
        run_start: Mapping[str, Any] | None = None,
        hears_cancel: bool = False,
        broadcast_interval: float = 0.0,
    ) -> None:
        self._set_up(
            log_dir,
            experiment_name,
            "federated",
            client_id=None if client_id is None else values.text(client_id),
            run_id=run_id,
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
        writer = self._writer_for("round_start", number)
        if writer is not None:
            writer.round, writer.total_rounds = (number if self.client_id is not None else None), total
            writer.say(RoundStart(number, total, **self._apart_from_rounds()))
            self._nudge()

    @_never_raises
    def log_round_end(
        self, round_num: int, fit_metrics: Mapping[str, Any] | None, eval_metrics: Mapping[str, Any] | None
    ) -> None:
        """A round is over, here.

        Args:
            round_num: counted from 1.
            fit_metrics: of the training, `num_samples` among them.
            eval_metrics: of the evaluation, `num_samples` among them.
        """
        fit, fit_not_finite = values.metrics_of(fit_metrics, self._warn)
        evaluated, eval_not_finite = values.metrics_of(eval_metrics, self._warn)
        number = self._whole(round_num, "round")
        writer = self._writer_for("round_end", number)
        if writer is not None:
            if fit_not_finite or eval_not_finite:
                writer.tell_not_finite("fit", fit_not_finite)
                writer.tell_not_finite("eval", eval_not_finite)
            writer.round = None
            writer.say(RoundEnd(number, fit, evaluated, **self._apart_from_rounds()))
            self._nudge()

    @_never_raises
    def log_local_epoch(self, round_num: int, local_epoch: int, metrics: Mapping[str, Any]) -> None:
        """A client has trained one epoch of its own within a round; both are counted from 1."""
        told, not_finite = values.metrics_of(metrics, self._warn)
        number, epoch = self._whole(round_num, "round"), self._whole(local_epoch, "local_epoch")
        writer = self._writer_for("local_epoch", number)
        if writer is not None:
            writer.say(LocalEpoch(number, epoch, told, **self._apart_from_rounds()))
            if not_finite:
                writer.tell_not_finite("train", not_finite)
            self._nudge()

    def _apart_from_rounds(self) -> dict[str, Any]:
        # For messages that say their round themselves.
        if self.client_id is None:
            return {"timestamp": clock.now()}
        return {"timestamp": clock.now(), "client_id": self.client_id}


class _Followed:
    # What a logger with a manager does beside: it has its directory followed.

    def _follow(
        self: Any,
        manager: WebSocketManager | None,
        log_dir: str | os.PathLike[str],
        enable_file_logging: bool,
    ) -> str | None:
        directory = str(Path(os.fspath(log_dir)).absolute()) if enable_file_logging else None
        if manager is None:
            return directory
        try:
            return str(manager.follow(directory))
        except Exception as error:  # somebody else's object; what is logged is recorded all the same
            _log.warning("the websocket_manager does not follow (%s: %s)", type(error).__name__, error)
            return directory


class WebSocketProgressLogger(_Followed, ProgressLogger):
    """A `ProgressLogger` whose messages a WebSocket manager sends to its viewers.

    Args:
        websocket_manager: follows the journal and has the viewers; `None`: whoever follows `log_dir` sees everything, too.
        log_dir: where the journal and the document lie.
        experiment_name: what is trained.
        mode: `centralized` or `federated`.
        enable_file_logging: `False` leaves nothing in `log_dir`: the journal lies in a private directory of the
            manager's, and there is no document. Without a manager nothing at all is recorded then.
        broadcast_interval: the least time in seconds between two sends to viewers. No message is dropped for it but
            `step`, of which the newest wins.
        run_id: the run this belongs to, where it is known.
        run_start: what the run's first message says, if this logger begins it.
        hears_cancel: whether whoever logs here looks for a request to stop.
    """

    def __init__(
        self,
        websocket_manager: WebSocketManager | None = None,
        log_dir: str | os.PathLike[str] = "logs/progress",
        experiment_name: str = "experiment",
        mode: str = "centralized",
        enable_file_logging: bool = True,
        broadcast_interval: float = 0.5,
        *,
        run_id: str | None = None,
        run_start: Mapping[str, Any] | None = None,
        hears_cancel: bool = False,
    ) -> None:
        self._set_up(
            log_dir,
            experiment_name,
            mode,
            client_id=None,
            run_id=run_id,
            run_start=run_start,
            hears_cancel=hears_cancel,
            broadcast_interval=broadcast_interval,
            directory=self._follow(websocket_manager, log_dir, enable_file_logging),
            keeps_files=enable_file_logging,
        )
        self._wake = getattr(websocket_manager, "wake", None)

    def shutdown(self) -> None:
        """End this logger; nothing is left to be sent, since everything is in the journal."""
        self.close()


class WebSocketFederatedProgressLogger(_Followed, FederatedProgressLogger):
    """A `FederatedProgressLogger` whose messages a WebSocket manager sends to its viewers.

    Args:
        client_id: who logs; `None` for the server's own logger of the run.
        websocket_manager: as in `WebSocketProgressLogger`, like all that follows.
        log_dir: where the journal and the document lie.
        experiment_name: what is trained.
        enable_file_logging: whether anything is left in `log_dir`.
        broadcast_interval: the least time in seconds between two sends to viewers.
        run_id: the run this belongs to, where it is known.
        run_start: what the run's first message says, if this logger begins it.
        hears_cancel: whether whoever logs here looks for a request to stop.
    """

    def __init__(
        self,
        client_id: str | None,
        websocket_manager: WebSocketManager | None = None,
        log_dir: str | os.PathLike[str] = "logs/progress",
        experiment_name: str = "experiment",
        enable_file_logging: bool = True,
        broadcast_interval: float = 0.5,
        *,
        run_id: str | None = None,
        run_start: Mapping[str, Any] | None = None,
        hears_cancel: bool = False,
    ) -> None:
        self._set_up(
            log_dir,
            experiment_name,
            "federated",
            client_id=None if client_id is None else values.text(client_id),
            run_id=run_id,
            run_start=run_start,
            hears_cancel=hears_cancel,
            broadcast_interval=broadcast_interval,
            directory=self._follow(websocket_manager, log_dir, enable_file_logging),
            keeps_files=enable_file_logging,
        )
        self._wake = getattr(websocket_manager, "wake", None)

    def shutdown(self) -> None:
        """End this logger; nothing is left to be sent, since everything is in the journal."""
        self.close()
