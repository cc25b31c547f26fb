"""The one server app: rounds, aggregates, failed clients and the end of the run, whichever engine carries it."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flwr.app import ArrayRecord, Context, Message, MessageType, MetricRecord
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.exception import PrivacyBudgetExhausted
from flwr.serverapp.strategy import Strategy

from federated_pneumonia_detection.config import ConfigError
from federated_pneumonia_detection.data import DataError
from federated_pneumonia_detection.federated.errors import AllClientsFailed, FederatedError, RunCancelled
from federated_pneumonia_detection.federated.global_model import GlobalModel
from federated_pneumonia_detection.federated.grid import GuardedGrid
from federated_pneumonia_detection.federated.harmless import harmless
from federated_pneumonia_detection.federated.names import ask_who, who_answered
from federated_pneumonia_detection.federated.records import Order
from federated_pneumonia_detection.federated.reply_metrics import config_of
from federated_pneumonia_detection.federated.roster import Roster, clear_reason, told_error
from federated_pneumonia_detection.federated.strategies import draw_by_seed, strategy_of
from federated_pneumonia_detection.federated.strategy_facts import privacy_spent
from federated_pneumonia_detection.federated.strategy_state import ACCOUNT, count_on, give_back, strategy_state
from federated_pneumonia_detection.federated.strategy_watch import watch_strategy
from federated_pneumonia_detection.progress import FederatedProgressLogger
from federated_pneumonia_detection.progress.orders import OrderWatch
from federated_pneumonia_detection.training.errors import TrainingError
from federated_pneumonia_detection.training.machine import MachineWatch, pace_s

__all__ = ["ServerRun", "build_server_app", "tell_end"]

# Of a traceback, its end: the innermost call says most.
_DETAIL_CHARACTERS = 8_000
_STAGES = {MessageType.TRAIN: "training", MessageType.EVALUATE: "evaluating"}


class _EnoughRounds(Exception):
    """The validation loss has not fallen for as many rounds as were to be waited for."""


@dataclass
class ServerRun:
    """One federated run as its server sees it, from the first message to the last.

    Attributes:
        order: what every client is told.
        model: the global model.
        logger: the server's own, without a client id.
        reply_timeout_s: after so long a client that has not answered counts as failed in its round.
        connect_timeout_s: how long to wait for the clients to connect.
        poll_s: seconds between two looks for replies.
        status: `running`, then `completed`, `failed` or `cancelled`.
        rounds_done: rounds that were aggregated.
        history: one row for each aggregated round.
        final_metrics: what `training_complete` said.
        rounds_before: rounds that an earlier attempt of the run has done; this one begins after them.
    """

    order: Order
    model: GlobalModel
    logger: FederatedProgressLogger
    reply_timeout_s: float = 12 * 3600.0
    connect_timeout_s: float = 120.0
    poll_s: float = 0.02
    status: str = "running"
    rounds_done: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    final_metrics: dict[str, Any] = field(default_factory=dict)
    rounds_before: int = 0
    _strategy_state: dict[str, Any] = field(default_factory=dict)
    _unkept: bool = False
    _began: float = field(default_factory=time.monotonic)

    def go_on_from(self, round_num: int, kept: Mapping[str, Any], *, newest: Mapping[str, Any]) -> None:
        """Begin after that round, with what was kept at its end; 0 is the very start.

        Args:
            round_num: the last round that is kept.
            kept: what was kept of it; empty for 0.
            newest: what was kept of the newest round of all: what was spent of a privacy budget stays spent, also for
                rounds that are done again.

        Raises:
            BadCheckpoint: the weights are of another network.
        """
        account = dict(newest.get("strategy", {})).get(ACCOUNT)
        self._strategy_state = {} if account is None else {ACCOUNT: account}
        if round_num == 0:
            return
        self.model.go_on_from(round_num, kept)
        self.rounds_before = self.rounds_done = round_num
        self.history = [dict(row) for row in kept["history"]]
        self._strategy_state = {**kept["strategy"], **self._strategy_state}

    @contextmanager
    def told(self) -> Iterator[None]:
        """Tell how the run ends, if what stands in the block ends it by raising; the first end told is the only one."""
        try:
            yield
        except BaseException as error:
            if self.status == "running":
                self.status = tell_end(self.logger, error)
            raise

    def rounds(self, grid: Grid) -> None:
        """Run all rounds on `grid`, then test the best model.

        Raises:
            RunCancelled: somebody asked for the end.
            AllClientsFailed: a round brought no update.
            NoClients: the clients did not connect in time.
        """
        config = self.order.config
        roster = Roster()
        orders = OrderWatch(self.logger.log_dir, self.order.run_id)
        guarded = GuardedGrid(
            grid,
            roster=roster,
            check=self._checker(orders),
            waited_s=lambda: orders.waited_s,
            on_answers=lambda sent, nodes: self._tell_answers(roster, sent, nodes),
            reply_timeout_s=self.reply_timeout_s,
            connect_timeout_s=self.connect_timeout_s,
            poll_s=self.poll_s,
        )
        _learn_names(guarded, roster, self.order, self.logger)
        strategy = strategy_of(config, averaged=self.model.statistics())
        give_back(strategy, self._strategy_state)
        draw_by_seed(strategy, config.seed)
        _refuse_empty_rounds(strategy, roster)
        self._warn_of_no_account(strategy)
        count_on(strategy, self.rounds_before)
        watch_strategy(strategy, self.logger, roster=roster, say_end=False)
        try:
            with MachineWatch(self.logger, every_s=pace_s()):
                strategy.start(
                    grid=guarded,
                    initial_arrays=self.model.arrays(),
                    num_rounds=config.num_rounds,
                    timeout=self.reply_timeout_s,
                    train_config=self.order.to_record(),
                    evaluate_fn=lambda round_num, arrays: self._after_round(round_num, arrays, strategy),
                )
        except _EnoughRounds:
            patience = config.early_stopping_patience
            text = f"the validation loss has not fallen for {patience} rounds"
            self.logger.log_alert("info", "Stopped early", text)
        except PrivacyBudgetExhausted:
            text = f"the next round would spend more than max_epsilon, {config.max_epsilon:g}"
            self.logger.log_alert("info", "The privacy budget is spent", text)
        self._complete(privacy_spent(strategy))

    def _tell_answers(self, roster: Roster, sent: list[Message], nodes: list[int]) -> None:
        """Say whose answer is here while others are waited for: who has trained may not get its update through."""
        stage = _STAGES.get(sent[0].metadata.message_type.partition(".")[0])
        if stage is not None:
            asked, here = ([roster.name(node) for node in roster.sort(of)] for of in (_nodes(sent), nodes))
            with harmless("telling who has answered"):
                number = int(config_of(sent[0])["server-round"])
                self.logger.log_stage(stage, round_num=number, expected=len(asked), connected=asked, answered=here)

    def _warn_of_no_account(self, strategy: Strategy) -> None:
        if self.order.config.privacy == "none" or privacy_spent(strategy):
            return
        noise = self.order.config.noise_multiplier
        text = "without noise nothing is promised" if noise == 0 else "install it with: pip install 'flwr[dp]'"
        self.logger.log_alert("warning", "No account is kept of privacy", text)

    def _after_round(self, round_num: int, arrays: ArrayRecord, strategy: Strategy) -> MetricRecord | None:
        if round_num == 0:
            return None
        metrics = self.model.take(round_num, arrays)
        self.rounds_done = round_num
        self.history.append({"round": round_num, **metrics})
        try:
            self.model.keep(round_num, {"history": self.history, "strategy": strategy_state(strategy)})
        except OSError as error:
            if not self._unkept:
                self._unkept = True
                text = f"{error.strerror or error}; the training goes on, but could not be resumed from here"
                self.logger.log_alert("warning", f"No checkpoint of round {round_num}", text)
        return MetricRecord(metrics)

    def _complete(self, spent: Mapping[str, float]) -> None:
        self.logger.log_stage("testing", round_num=self.rounds_done)
        tested, curves = self.model.test()
        best = self.model.best_metrics
        rounds, epochs = self.rounds_done, self.order.config.local_epochs
        self.final_metrics = {
            "total_rounds": rounds,
            "total_epochs": rounds * epochs,
            "best_round": self.model.best_round,
            "best_epoch": None if self.model.best_round is None else self.model.best_round * epochs,
            "best_val_recall": best.get("val_recall"),
            "best_val_loss": best.get("val_loss"),
            "best_val_auroc": best.get("val_auroc"),
            "duration_seconds": round(time.monotonic() - self._began, 3),
            **tested,
            **spent,
        }
        if curves:
            self.logger.log_test_curves(**curves)
        self.status = "completed"
        self.logger.log_training_complete(self.final_metrics)

    def _checker(self, orders: OrderWatch) -> Callable[[], None]:
        patience = self.order.config.early_stopping_patience

        def check() -> None:
            # At once: a client that has stopped because it was asked to is not to be taken for one that failed.
            if (cancel := orders.heed(self.logger, at_once=True)) is not None:
                raise RunCancelled(cancel.reason, cancel.by)
            if patience is not None and self.model.waited >= patience:
                raise _EnoughRounds

        return check


def tell_end(logger: FederatedProgressLogger, error: BaseException) -> str:
    """Tell that a run ends by `error`, in the words that fit it.

    Returns:
        The run's status: `cancelled` or `failed`.
    """
    if isinstance(error, RunCancelled):
        logger.log_training_cancelled(error.reason, error.by)
        return "cancelled"
    if isinstance(error, KeyboardInterrupt):
        logger.log_training_cancelled("interrupted from the keyboard", "keyboard")
        return "cancelled"
    if isinstance(error, AllClientsFailed):
        logger.log_training_error(str(error), error.detail)
        return "failed"
    detail = "".join(traceback.format_exception(error))
    logger.log_training_error(_one_line(error), None if _is_known(error) else detail[-_DETAIL_CHARACTERS:])
    return "failed"


def build_server_app(run: ServerRun) -> ServerApp:
    """Make the server app of `run`."""
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        with run.told():
            run.rounds(grid)

    return app


def _learn_names(grid: GuardedGrid, roster: Roster, order: Order, logger: FederatedProgressLogger) -> None:
    """Ask every node for its client's name, before anything can go wrong that must be told by name."""
    asked: dict[int, Message] = {}
    expected = order.config.num_clients

    def ask_those_who_came(nodes: list[int]) -> None:
        # Whoever waits for the others wants to know which are here, not how many.
        new = [node for node in nodes if node not in asked]
        for reply in grid.send_and_receive([ask_who(node, order.run_id) for node in new]):
            asked[reply.metadata.src_node_id] = reply
            if not reply.has_error():
                roster.learn(reply.metadata.src_node_id, who_answered(reply))
        here = [roster.name(node) for node in roster.sort(nodes)]
        logger.log_stage("waiting_for_clients", expected=expected, connected=here)

    nodes = grid.wait_for(expected, on_change=ask_those_who_came)
    replies = [asked[node] for node in nodes]
    roster.fill(nodes, expected)
    if all(reply.has_error() for reply in replies):
        # Nobody can even say its name: that will not get better by training.
        reasons = {roster.name(r.metadata.src_node_id): clear_reason(r.error.reason) for r in replies}
        raise AllClientsFailed(1, reasons)


def _refuse_empty_rounds(strategy: Strategy, roster: Roster) -> None:
    """Let a round without any update end the run: Flower would go on as if nothing had happened."""
    aggregate = strategy.aggregate_train

    def aggregated(server_round: int, replies: Iterable[Message]) -> tuple[ArrayRecord | None, MetricRecord | None]:
        received = list(replies)
        if all(reply.has_error() for reply in received):
            names = [roster.name(reply.metadata.src_node_id) for reply in received]
            reasons = [clear_reason(reply.error.reason) for reply in received]
            raise AllClientsFailed(server_round, dict(zip(names, reasons, strict=True)))
        return aggregate(server_round, received)

    strategy.aggregate_train = aggregated  # type: ignore[method-assign]


def _nodes(messages: Iterable[Message]) -> list[int]:
    return [message.metadata.dst_node_id for message in messages]


def _one_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if isinstance(error, DataError):
        return error.public
    if _is_known(error) and lines:
        return lines[0]
    return f"the server app raised {told_error(error)}"


def _is_known(error: BaseException) -> bool:
    """Whether its one line says all: where in our code it was found helps nobody, and may hold a path."""
    return isinstance(error, ConfigError | DataError | FederatedError | TrainingError)
