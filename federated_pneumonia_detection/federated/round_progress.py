"""What one client says of its rounds, in the right order and each thing once. No Lightning, no Flower, no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from federated_pneumonia_detection.federated.errors import RunCancelled
from federated_pneumonia_detection.progress import FederatedProgressLogger, WebSocketFederatedProgressLogger
from federated_pneumonia_detection.progress.orders import OrderWatch
from federated_pneumonia_detection.progress.protocol import WebSocketManager

__all__ = ["BROADCAST_INTERVAL_S", "RoundProgress", "make_logger"]

BROADCAST_INTERVAL_S = 0.1


def make_logger(
    client_id: str | None,
    *,
    log_dir: str,
    experiment_name: str,
    run_id: str | None,
    websocket_manager: WebSocketManager | None,
    **more: Any,
) -> FederatedProgressLogger:
    """A federated logger, by way of `websocket_manager` where there is one; without `client_id` the server's."""
    common: dict[str, Any] = {
        "log_dir": log_dir,
        "experiment_name": experiment_name,
        "run_id": run_id,
        "broadcast_interval": BROADCAST_INTERVAL_S,
        **more,
    }
    if websocket_manager is None:
        return FederatedProgressLogger(client_id, **common)
    return WebSocketFederatedProgressLogger(client_id, websocket_manager=websocket_manager, **common)


class RoundProgress:
    """A client's rounds, told to a logger.

    Within a round the epochs are the client's own: `step` and `local_epoch`, never `epoch_start` or `epoch_end`. A
    round that was ended is not ended again, and what comes between two rounds is not told as part of one.

    After each step it looks whether somebody wants the run to stop or to wait, where the request can be seen from here.

    Args:
        client_id: what people call the client.
        log_dir: directory of the journal.
        experiment_name: what the run is called.
        run_id: the run to join; `None` finds or makes one.
        attempt: which attempt of the run; `None` finds out.
        websocket_manager: what shows the messages to people, where there is one in this process.
    """

    def __init__(
        self,
        client_id: str,
        *,
        log_dir: str,
        experiment_name: str,
        run_id: str | None = None,
        attempt: int | None = None,
        websocket_manager: WebSocketManager | None = None,
    ) -> None:
        self.logger = make_logger(
            client_id,
            log_dir=log_dir,
            experiment_name=experiment_name,
            run_id=run_id,
            attempt=attempt,
            websocket_manager=websocket_manager,
            hears_cancel=True,
        )
        self._orders: OrderWatch | None = None
        # The round that is open, `None` between rounds.
        self.round_num: int | None = None
        # How many batches and local epochs were told.
        self.steps_told = self.epochs_told = 0

    def start_round(self, round_num: int, total_rounds: int | None) -> None:
        """A round begins."""
        self.round_num = round_num
        self.logger.log_round_start(round_num, total_rounds)

    def step(self, epoch: int, step: int, total_steps: int | None, metrics: Mapping[str, Any]) -> None:
        """A batch was trained; epochs are counted within the round.

        Raises:
            RunCancelled: somebody asked the run to stop.
        """
        self.steps_told += 1
        if self.round_num is not None:
            self.logger.log_step(epoch, step, total_steps, metrics)
        self.heed()

    def heed(self) -> None:
        """Wait while somebody wants the run to wait.

        Raises:
            RunCancelled: somebody asked it to stop; the client has said so by then.
        """
        if self._orders is None:
            if self.logger.run_id is None:
                return
            self._orders = OrderWatch(self.logger.log_dir, self.logger.run_id)
        cancel = self._orders.heed(self.logger)
        if cancel is not None:
            self.round_num = None
            self.logger.log_training_cancelled(cancel.reason, cancel.by)
            raise RunCancelled(cancel.reason, cancel.by)

    def local_epoch(self, epoch: int, metrics: Mapping[str, Any]) -> None:
        """A local epoch is over."""
        self.epochs_told += 1
        if self.round_num is not None:
            self.logger.log_local_epoch(self.round_num, epoch, metrics)

    def end_round(
        self,
        round_num: int | None,
        fit_metrics: Mapping[str, Any],
        eval_metrics: Mapping[str, Any],
        *,
        bytes_down: int | None = None,
        bytes_up: int | None = None,
    ) -> None:
        """The round is over; the client has sent, or will send, its update."""
        if self.round_num is None:
            return
        self.logger.log_round_end(
            self.round_num if round_num is None else round_num,
            fit_metrics,
            eval_metrics,
            bytes_down=bytes_down,
            bytes_up=bytes_up,
        )
        self.round_num = None

    def error(self, message: str, detail: str | None = None) -> None:
        """This client's part of the run failed: one clear line, and what helps to see why."""
        self.round_num = None
        self.logger.log_training_error(message, detail)

    def close(self) -> None:
        """End the logger; what was said stays."""
        self.logger.close()
