"""The line at the strategy: its rounds, aggregates and failed clients, told from outside.

The arithmetic is untouched, and nothing is subclassed::

    watch_strategy(strategy, logger).start(grid=grid, ...)
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Result, Strategy

from federated_pneumonia_detection.federated.reply_metrics import WEIGHT, WHO, metrics_of
from federated_pneumonia_detection.federated.roster import Roster, clear_reason
from federated_pneumonia_detection.progress import FederatedProgressLogger

__all__ = ["watch_strategy"]

S = TypeVar("S", bound=Strategy)


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
            float(metrics_of(reply).get(WEIGHT, 0)) for reply in received if not reply.has_error()
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
                if (who := reply.content.config_records.get(WHO)) is not None:
                    self.roster.learn(reply.metadata.src_node_id, str(who[WHO]))
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
