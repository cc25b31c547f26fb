"""The line at the strategy: its rounds, aggregates, failed clients and its end, told from outside.

The arithmetic is untouched, and nothing is subclassed::

    strategy = watch_strategy(FedAvg(...))

Whatever goes wrong in the watching itself is told in the process's log, and the rounds go on unwatched.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Result, Strategy

from federated_pneumonia_detection.federated.errors import RunCancelled
from federated_pneumonia_detection.federated.harmless import harmless
from federated_pneumonia_detection.federated.reply_metrics import WEIGHT, WHO, metrics_of, size_bytes
from federated_pneumonia_detection.federated.roster import Roster, clear_reason, told_error
from federated_pneumonia_detection.federated.server_log import ServerLog
from federated_pneumonia_detection.federated.strategy_facts import nodes_needed, privacy_spent, waits_told
from federated_pneumonia_detection.progress import FederatedProgressLogger
from federated_pneumonia_detection.progress.cancel import clear
from federated_pneumonia_detection.progress.orders import OrderWatch

__all__ = ["watch_strategy"]

S = TypeVar("S", bound=Strategy)

_AROUND = ("start", "configure_train", "configure_evaluate", "aggregate_train", "aggregate_evaluate")


def watch_strategy(
    strategy: S,
    logger: FederatedProgressLogger | None = None,
    *,
    log_dir: str | None = None,
    experiment_name: str | None = None,
    run_id: str | None = None,
    roster: Roster | None = None,
    say_end: bool = True,
) -> S:
    """Tell the rounds of `strategy`; returns the same strategy.

    The bound methods of this instance are replaced, its class is not: what checks a strategy's class still holds. Of
    strategies one inside the other (differential privacy), watch the outermost.

    Args:
        strategy: any strategy of Flower's Message API.
        logger: a logger without a client id, `FederatedProgressLogger(None, …)`, which stays open; without one,
            `start` opens one of its own, by what follows.
        log_dir: where the journal lies; `FPD_LOG_DIR` if left out, else `logs/progress`.
        experiment_name: what the run is called; the app's name (`publisher/app`) if left out.
        run_id: what programs call the run; `FPD_RUN_ID` if left out, else Flower's own number, as `flwr-<id>`.
        roster: names by node; without it a client is named as it names itself, or by its node number.
        say_end: whether the end of `start` is the end of the run: `training_complete`, or `training_error` where no
            client ever answered.
    """
    watch = _StrategyWatch(strategy, logger, ServerLog(log_dir, experiment_name, run_id), roster, say_end=say_end)
    for name in _AROUND:
        setattr(strategy, name, getattr(watch, name))
    return strategy


@dataclass
class _Round:
    """What the server has seen of the open round."""

    number: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    answered: int = 0
    evaluated_images: float = 0
    fit: dict[str, Any] = field(default_factory=dict)
    evaluated: dict[str, Any] = field(default_factory=dict)
    is_over: bool = True


class _StrategyWatch:
    """The watching side of `watch_strategy`; each method stands around the strategy's own of the same name."""

    def __init__(
        self,
        strategy: Strategy,
        logger: FederatedProgressLogger | None,
        named: ServerLog,
        roster: Roster | None,
        *,
        say_end: bool,
    ) -> None:
        self.logger = logger
        self.roster = Roster() if roster is None else roster
        self.say_end = say_end
        self.total_rounds: int | None = None
        self.round = _Round()
        self.any_answer = False
        self.last: dict[str, Any] = {}
        self._strategy = strategy
        self._named = named
        self._opened: FederatedProgressLogger | None = None
        self._experiment = ""
        self._sent: list[Message] = []
        self._own: Any = {name: getattr(strategy, name) for name in _AROUND}
        self._orders: OrderWatch | None = None

    def start(self, *args: Any, **kwargs: Any) -> Result:
        began = time.monotonic()
        with harmless("watching a strategy's start"):
            args, kwargs = self._begin(args, kwargs)
        try:
            result: Result = self._own["start"](*args, **kwargs)
        except BaseException as error:
            with harmless("telling how a run failed"):
                if self.say_end and self.logger is not None:
                    self._tell_end_by(error, self.logger)
            raise
        else:
            with harmless("telling a run's end"):
                self._close_round({})
                if self.say_end:
                    self._end(time.monotonic() - began)
            return result
        finally:
            with harmless("closing the server's journal"):
                self._close()

    def _tell_end_by(self, error: BaseException, logger: FederatedProgressLogger) -> None:
        if not isinstance(error, RunCancelled):
            logger.log_training_error(f"the server app raised {told_error(error)}")
            return
        logger.log_training_cancelled(error.reason, error.by)
        clear(logger.log_dir, str(logger.run_id))

    def _begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        call = inspect.signature(self._own["start"]).bind(*args, **kwargs)
        call.apply_defaults()
        given = call.arguments
        self.total_rounds, self.any_answer, self.last = given.get("num_rounds"), False, {}
        self._open(given.get("grid"))
        if "evaluate_fn" in given:
            given["evaluate_fn"] = self._around_evaluation(given["evaluate_fn"])
        return call.args, call.kwargs

    def _open(self, grid: Grid | None) -> None:
        if self.logger is None:
            self.logger = self._opened = self._named.open(self._strategy, grid, self.total_rounds)
            self._experiment = self._named.experiment(grid)

    def _close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self.logger = self._opened = None

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        with harmless("telling a round's beginning"):
            self._open(grid)
            self._close_round({})
            self._tell_clients(config)
        self._heed()
        with self._waits_told(grid, server_round):
            messages = self._noted(self._own["configure_train"](server_round, arrays, config, grid))
        with harmless("telling a round's beginning"):
            self.round = _Round(server_round, is_over=False)
            if self.logger is not None:
                self.logger.log_round_start(server_round, self.total_rounds)
                self._tell_asked("training", server_round, messages)
        return messages

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        with harmless("telling clients of the run"):
            self._tell_clients(config)
        self._heed()
        with self._waits_told(grid, server_round):
            messages = self._noted(self._own["configure_evaluate"](server_round, arrays, config, grid))
        with harmless("telling who evaluates"):
            self._tell_asked("evaluating", server_round, messages)
        return messages

    def _tell_asked(self, stage: str, server_round: int, messages: list[Message]) -> None:
        if messages and self.logger is not None:
            asked = self._names({message.metadata.dst_node_id for message in messages})
            self.logger.log_stage(stage, round_num=server_round, expected=len(asked), connected=asked)

    def _names(self, nodes: Iterable[int]) -> list[str]:
        return [self.roster.name(node) for node in self.roster.sort(nodes)]

    def _waits_told(self, grid: Grid, server_round: int) -> AbstractContextManager[None]:
        needed = nodes_needed(self._strategy)

        def tell(nodes: list[int]) -> None:
            if self.logger is not None:
                self.logger.log_stage(
                    "waiting_for_clients", round_num=server_round, expected=needed, connected=self._names(nodes)
                )

        return waits_told(grid, needed, tell)

    def _tell_clients(self, config: ConfigRecord) -> None:
        if self.total_rounds is not None:
            config.setdefault("total-rounds", self.total_rounds)
        if (run_id := getattr(self.logger, "run_id", None)) is not None:
            config.setdefault("run-id", run_id)
        if (attempt := getattr(self.logger, "attempt", 1)) > 1:
            config.setdefault("attempt", attempt)
        if self._opened is not None:
            config.setdefault("experiment", self._experiment)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        received = list(replies)
        # Before looking who failed: clients that stopped because they were asked to have not.
        self._heed()
        with harmless("telling who answered"):
            self.round.answered = self._look(server_round, received)
            self.any_answer = self.any_answer or self.round.answered > 0
            if self.logger is not None:
                self.logger.log_stage("aggregating", round_num=server_round)
        arrays, metrics = self._own["aggregate_train"](server_round, received)
        with harmless("telling what a round made"):
            self.round.fit = dict(metrics or {})
            if arrays is None and self.round.answered and self.logger is not None:
                failed = f", {len(self.round.failed)} failed" if self.round.failed else ""
                text = f"the strategy made no model of {self.round.answered} answers{failed}: the one before stays"
                self.logger.log_alert("warning", f"Round {server_round} changed nothing", text)
        return arrays, metrics

    def aggregate_evaluate(self, server_round: int, replies: Iterable[Message]) -> MetricRecord | None:
        received = list(replies)
        with harmless("telling who evaluated"):
            self._look(server_round, received)
            self.round.evaluated_images = sum(
                float(metrics_of(reply).get(WEIGHT, 0)) for reply in received if not reply.has_error()
            )
        metrics: MetricRecord | None = self._own["aggregate_evaluate"](server_round, received)
        with harmless("telling what clients evaluated"):
            self.round.evaluated = dict(metrics or {})
        return metrics

    def _heed(self) -> None:
        """Wait while the run is to wait, stop where it is to stop: between two phases of a round.

        Raises:
            RunCancelled: it is to stop.
        """
        cancel = None
        # Who ends the run hears requests; where somebody else does, somebody else hears them.
        with harmless("looking for requests to stop or to wait"):
            if self.say_end and self.logger is not None:
                self._orders = self._orders or OrderWatch(self.logger.log_dir, str(self.logger.run_id))
                cancel = self._orders.heed(self.logger, at_once=True)
        if cancel is not None:
            raise RunCancelled(cancel.reason, cancel.by)

    def _around_evaluation(
        self, evaluate: Callable[[int, ArrayRecord], MetricRecord | None] | None
    ) -> Callable[[int, ArrayRecord], MetricRecord | None]:
        # Flower calls this last in a round, so it is where the round's end is known.
        def evaluated(server_round: int, arrays: ArrayRecord) -> MetricRecord | None:
            with harmless("telling an evaluation"):
                if evaluate and server_round > 0 and self.logger is not None:
                    self.logger.log_stage("evaluating", round_num=server_round)
            metrics = evaluate(server_round, arrays) if evaluate else None
            with harmless("telling a round's end"):
                if server_round > 0:
                    self._close_round(dict(metrics or {}))
            return metrics

        return evaluated

    def _noted(self, messages: Iterable[Message]) -> list[Message]:
        # A message gets its number when it is sent, so the messages are kept.
        self._sent = list(messages)
        return self._sent

    def _look(self, server_round: int, replies: list[Message]) -> int:
        sent = {message.metadata.message_id: message for message in self._sent}
        answered = 0
        for reply in replies:
            if not reply.has_error():
                answered += 1
                if (who := reply.content.config_records.get(WHO)) is not None:
                    self.roster.learn(reply.metadata.src_node_id, str(who[WHO]))
                continue
            # A lost node's reply is made by the SuperLink, under the server's own node number.
            asked = sent.get(reply.metadata.reply_to_message_id)
            node = reply.metadata.src_node_id if asked is None else asked.metadata.dst_node_id
            name, reason = self.roster.name(node), clear_reason(reply.error.reason)
            if name not in self.round.failed:
                self.round.failed[name] = reason
                if self.logger is not None:
                    down = None if asked is None else size_bytes(asked)
                    self.logger.log_client_failed(server_round, name, reason, bytes_down=down)
        return answered

    def _close_round(self, central: dict[str, Any]) -> None:
        now, logger = self.round, self.logger
        if now.is_over or logger is None:
            return
        now.is_over = True
        evaluated = {**now.evaluated, **central}
        if now.evaluated and "num_samples" not in evaluated:
            evaluated["num_samples"] = now.evaluated_images
        fit = {key: value for key, value in now.fit.items() if not key.startswith(("val_", "val-", "num-"))}
        self.last = {**(evaluated or fit), **privacy_spent(self._strategy)}
        logger.log_round_aggregated(now.number, self.last, now.answered, list(now.failed))
        logger.log_round_end(now.number, fit, evaluated)

    def _end(self, duration_s: float) -> None:
        if (logger := self.logger) is None:
            return
        if not self.any_answer:
            who, why = next(iter(self.round.failed.items()), ("nobody", "no client was asked"))
            logger.log_training_error(f"no client sent an update: {who}: {why}")
            return
        ending = {"total_rounds": self.total_rounds, "duration_seconds": round(duration_s, 3)}
        logger.log_training_complete({**ending, **self.last})
