"""Progress added from outside to anybody's Flower app: a mod for the client, a wrapper for the strategy.

Neither touches a number: what a client sends and what a strategy makes of it is bit for bit what it would be without.
Nothing is subclassed, and the user's code is not changed::

    app = ClientApp(mods=[progress_mod()])                  # in the client app
    watch_strategy(strategy, logger).start(grid=grid, ...)  # in the server app

Inside a watched client `current_progress()` takes what happens within the round: steps and local epochs.
"""

from __future__ import annotations

import inspect
import math
import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MessageType, MetricRecord
from flwr.clientapp import ClientApp
from flwr.clientapp.typing import ClientAppCallable, Mod
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Result, Strategy

from federated_pneumonia_detection.federated.roster import Roster, clear_reason, client_name
from federated_pneumonia_detection.federated.round_progress import RoundProgress
from federated_pneumonia_detection.progress import FederatedProgressLogger
from federated_pneumonia_detection.progress.protocol import WebSocketManager

__all__ = ["current_progress", "flower_run_id", "progress_mod", "watch_client_app", "watch_strategy"]

S = TypeVar("S", bound=Strategy)

_WEIGHT = "num-examples"  # Flower's key for the weight of a reply
_EVAL_WEIGHT = "val-examples"
_WHO = "client-id"
_DEFAULT_LOG_DIR = "logs/progress"

_progress: ContextVar[RoundProgress | None] = ContextVar("fpd_round_progress", default=None)


def current_progress() -> RoundProgress | None:
    """The progress of the client whose message is being handled here; `None` outside a watched client."""
    return _progress.get()


def flower_run_id(context: Context) -> str | None:
    """The run id that follows from Flower's own number, `None` where the environment names another (`FPD_RUN_ID`)."""
    return None if os.environ.get("FPD_RUN_ID") else f"flwr-{context.run_id}"


def _client_id(context: Context) -> str:
    return client_name(context.node_config.get("partition-id", context.node_id))  # type: ignore[arg-type]


def progress_mod(
    log_dir: str | None = None,
    *,
    experiment_name: str = "federated",
    run_id: str | None = None,
    websocket_manager: WebSocketManager | None = None,
    client_id: Callable[[Context], str] = _client_id,
    ends_with: str = MessageType.TRAIN,
) -> Mod:
    """Make a mod that tells when a client's rounds begin and end, and with what metrics.

    Args:
        log_dir: where the journal lies. The operator's own word, `log-dir` in the node's configuration, wins; a path
            in a message is never looked at.
        experiment_name: what the run is called, where the server does not say.
        run_id: the run to join; else the one the server names (`run-id`), `FPD_RUN_ID`, or Flower's own number.
        websocket_manager: a manager in this process.
        client_id: what to call a client; by default `client_` and its partition number.
        ends_with: the message that ends a client's round: `train`, or `evaluate` where the strategy evaluates on
            every client it trains. Its metrics are the round's `eval_metrics`.
    """
    return _ProgressMod(log_dir, experiment_name, run_id, websocket_manager, client_id, ends_with)


@dataclass(frozen=True)
class _ProgressMod:
    # An object of a class, not a function in a function: Ray sends the mod to other processes, and would have to copy
    # what such a function refers to, a ContextVar among it, instead of naming it.
    log_dir: str | None
    experiment_name: str
    run_id: str | None
    websocket_manager: WebSocketManager | None
    client_id: Callable[[Context], str]
    ends_with: str

    def __call__(self, message: Message, context: Context, call_next: ClientAppCallable) -> Message:
        kind = message.metadata.message_type.partition(".")[0]
        if kind not in (MessageType.TRAIN, self.ends_with):
            return call_next(message, context)
        config = _config_of(message)
        progress = self._progress(config, context)
        round_num = int(config.get("server-round", 0))
        if kind == MessageType.TRAIN:
            progress.start_round(round_num, config.get("total-rounds"))
        else:
            progress.round_num = round_num
        token = _progress.set(progress)
        try:
            reply = call_next(message, context)
            if not reply.has_error():
                _end_round(progress, message, context, reply, kind=kind, ends_with=self.ends_with)
                # A record of its own kind: strategies look at arrays and metrics only.
                reply.content[_WHO] = ConfigRecord({_WHO: self.client_id(context)})
        finally:
            _progress.reset(token)
            progress.close()
        return reply

    def _progress(self, config: Mapping[str, Any], context: Context) -> RoundProgress:
        named = str(config["run-id"]) if config.get("run-id") else flower_run_id(context)
        return RoundProgress(
            self.client_id(context),
            log_dir=str(context.node_config.get("log-dir") or self.log_dir or _DEFAULT_LOG_DIR),
            experiment_name=str(config.get("experiment") or self.experiment_name),
            run_id=self.run_id or named,
            websocket_manager=self.websocket_manager,
        )


def _end_round(
    progress: RoundProgress, message: Message, context: Context, reply: Message, *, kind: str, ends_with: str
) -> None:
    fit, evaluated = _split(_known(_metrics_of(reply)))
    kept = f"fpd-fit-{message.metadata.run_id}"
    if kind != ends_with:
        # The round goes on until it is evaluated, perhaps in another process: Flower carries the state there.
        context.state[kept] = MetricRecord({key: value for key, value in fit.items() if value is not None})
        return
    if kind == MessageType.EVALUATE:
        evaluated = {**fit, **evaluated}
        fit = dict(context.state.metric_records.get(kept, {}))
    progress.end_round(progress.round_num, fit, evaluated)


def watch_client_app(app: ClientApp, mod: Mod) -> ClientApp:
    """Put `mod` around an app whose functions are registered already (Flower binds an app's own mods when they are)."""
    return _Watched(app, mod)


class _Watched(ClientApp):
    def __init__(self, inner: ClientApp, mod: Mod) -> None:
        super().__init__()
        self._inner = inner
        self._mod = mod

    # Flower's simulation calls by keyword, so the parameters have these names.
    def __call__(self, message: Message, context: Context) -> Message:
        return self._mod(message, context, self._inner)


def _config_of(message: Message) -> Mapping[str, Any]:
    records = message.content.config_records
    return records.get("config") or next(iter(records.values()), ConfigRecord())


def _known(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Without what could not be measured: strategies want the same keys of every client, people want no false alarm."""
    return {
        key: value
        for key, value in metrics.items()
        if "loss" in key or not isinstance(value, float) or not math.isnan(value)
    }


def _metrics_of(reply: Message) -> dict[str, Any]:
    return {key: value for record in reply.content.metric_records.values() for key, value in record.items()}


def _split(metrics: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Metrics of training, and those of validation (`val_…`, `val-…`), each with its number of images."""
    fit = {key: value for key, value in metrics.items() if not key.startswith(("val_", "val-"))}
    evaluated = {key: value for key, value in metrics.items() if key.startswith("val_")}
    if _WEIGHT in fit:
        fit["num_samples"] = fit.pop(_WEIGHT)
    for part, prefix in ((fit, "num-"), (evaluated, "val-num-")):
        for name in ("normal", "pneumonia"):
            if (count := metrics.get(f"{prefix}{name}")) is not None:
                part.pop(f"{prefix}{name}", None)
                part[f"num_{name}"] = count
    if metrics.get(_EVAL_WEIGHT) == 0:
        evaluated.clear()
    if _EVAL_WEIGHT in metrics:
        evaluated["num_samples"] = metrics[_EVAL_WEIGHT]
    return fit, evaluated


@dataclass
class _Round:
    """What the server has seen of the open round."""

    failed: dict[str, str] = field(default_factory=dict)
    answered: int = 0
    evaluated_images: float = 0
    fit: dict[str, Any] = field(default_factory=dict)
    evaluated: dict[str, Any] = field(default_factory=dict)


class _StrategyWatch:
    """The watching side of `watch_strategy`; each method stands around the strategy's own of the same name."""

    def __init__(self, strategy: Strategy, logger: FederatedProgressLogger, roster: Roster, *, say_end: bool) -> None:
        self.logger = logger
        self.roster = roster
        self.say_end = say_end
        self.total_rounds: int | None = None
        self.round = _Round()
        self.any_answer = False
        self.last: dict[str, Any] = {}
        self._sent: list[Message] = []
        self._own: Any = {
            name: getattr(strategy, name)
            for name in ("start", "configure_train", "configure_evaluate", "aggregate_train", "aggregate_evaluate")
        }

    def start(self, *args: Any, **kwargs: Any) -> Result:
        call = inspect.signature(self._own["start"]).bind(*args, **kwargs)
        call.apply_defaults()
        self.total_rounds = call.arguments["num_rounds"]
        call.arguments["train_config"] = self._tell_clients(call.arguments["train_config"])
        call.arguments["evaluate_config"] = self._tell_clients(call.arguments["evaluate_config"])
        call.arguments["evaluate_fn"] = self._around_evaluation(call.arguments["evaluate_fn"])
        began = time.monotonic()
        try:
            result: Result = self._own["start"](*call.args, **call.kwargs)
        except BaseException as error:
            if self.say_end:
                self.logger.log_training_error(f"{type(error).__name__}: {error}")
            raise
        if self.say_end:
            self._end(time.monotonic() - began)
        return result

    def _tell_clients(self, config: ConfigRecord | None) -> ConfigRecord:
        told = ConfigRecord() if config is None else config
        if self.total_rounds is not None:
            told.setdefault("total-rounds", self.total_rounds)
        if (run_id := getattr(self.logger, "run_id", None)) is not None:
            told.setdefault("run-id", run_id)
        return told

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        messages = self._noted(self._own["configure_train"](server_round, arrays, config, grid))
        self.round = _Round()
        self.logger.log_round_start(server_round, self.total_rounds)
        return messages

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        return self._noted(self._own["configure_evaluate"](server_round, arrays, config, grid))

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        received = list(replies)
        self.round.answered = self._look(server_round, received)
        self.any_answer = self.any_answer or self.round.answered > 0
        arrays, metrics = self._own["aggregate_train"](server_round, received)
        self.round.fit = dict(metrics or {})
        return arrays, metrics

    def aggregate_evaluate(self, server_round: int, replies: Iterable[Message]) -> MetricRecord | None:
        received = list(replies)
        self._look(server_round, received)
        self.round.evaluated_images = sum(
            float(_metrics_of(reply).get(_WEIGHT, 0)) for reply in received if not reply.has_error()
        )
        metrics: MetricRecord | None = self._own["aggregate_evaluate"](server_round, received)
        self.round.evaluated = dict(metrics or {})
        return metrics

    def _around_evaluation(
        self, evaluate: Callable[[int, ArrayRecord], MetricRecord | None] | None
    ) -> Callable[[int, ArrayRecord], MetricRecord | None]:
        # Flower calls this last in a round, so it is where the round's end is known.
        def evaluated(server_round: int, arrays: ArrayRecord) -> MetricRecord | None:
            metrics = evaluate(server_round, arrays) if evaluate else None
            if server_round > 0:
                self._close_round(server_round, dict(metrics or {}))
            return metrics

        return evaluated

    def _noted(self, messages: Iterable[Message]) -> list[Message]:
        # A message gets its number when it is sent, so the messages are kept.
        self._sent = list(messages)
        return self._sent

    def _look(self, server_round: int, replies: list[Message]) -> int:
        nodes = {message.metadata.message_id: message.metadata.dst_node_id for message in self._sent}
        answered = 0
        for reply in replies:
            if not reply.has_error():
                answered += 1
                if (who := reply.content.config_records.get(_WHO)) is not None:
                    self.roster.learn(reply.metadata.src_node_id, str(who[_WHO]))
                continue
            # A lost node's reply is made by the SuperLink, under the server's own node number.
            node = nodes.get(reply.metadata.reply_to_message_id, reply.metadata.src_node_id)
            name, reason = self.roster.name(node), clear_reason(reply.error.reason)
            if name not in self.round.failed:
                self.round.failed[name] = reason
                self.logger.log_client_failed(server_round, name, reason)
        return answered

    def _close_round(self, server_round: int, central: dict[str, Any]) -> None:
        now = self.round
        evaluated = {**now.evaluated, **central}
        if now.evaluated and "num_samples" not in evaluated:
            evaluated["num_samples"] = now.evaluated_images
        fit = {key: value for key, value in now.fit.items() if not key.startswith(("val_", "val-", "num-"))}
        self.last = evaluated or fit
        self.logger.log_round_aggregated(server_round, self.last, now.answered, list(now.failed))
        self.logger.log_round_end(server_round, fit, evaluated)

    def _end(self, duration_s: float) -> None:
        if not self.any_answer:
            who, why = next(iter(self.round.failed.items()), ("nobody", "no client was asked"))
            self.logger.log_training_error(f"no client sent an update: {who}: {why}")
            return
        ending = {"total_rounds": self.total_rounds, "duration_seconds": round(duration_s, 3)}
        self.logger.log_training_complete({**ending, **self.last})


def watch_strategy(
    strategy: S, logger: FederatedProgressLogger, *, roster: Roster | None = None, say_end: bool = True
) -> S:
    """Tell the rounds of `strategy` to `logger`; returns the same strategy.

    The bound methods of this instance are replaced, its class is not: what checks a strategy's class still holds.

    Args:
        strategy: any strategy of Flower's Message API.
        logger: a logger without a client id, `FederatedProgressLogger(None, …)`.
        roster: names by node; without it a client is named by its node number.
        say_end: whether the end of `start` is the end of the run: `training_complete`, or `training_error` where no
            client ever answered.
    """
    watch = _StrategyWatch(strategy, logger, Roster() if roster is None else roster, say_end=say_end)
    for name in ("start", "configure_train", "configure_evaluate", "aggregate_train", "aggregate_evaluate"):
        setattr(strategy, name, getattr(watch, name))
    return strategy
