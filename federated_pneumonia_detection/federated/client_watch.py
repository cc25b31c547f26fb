"""The line at the client: a mod that tells when a client's rounds begin and end, and with what metrics.

It touches no number: what a client sends is bit for bit what it would be without, and the user's code is not changed::

    app = ClientApp(mods=[progress_mod()])

Inside a watched client `current_progress()` takes what happens within the round: steps and local epochs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from flwr.app import ConfigRecord, Context, Message, MessageType, MetricRecord
from flwr.clientapp import ClientApp
from flwr.clientapp.typing import ClientAppCallable, Mod

from federated_pneumonia_detection.federated.reply_metrics import WHO, config_of, fit_and_evaluated, metrics_of
from federated_pneumonia_detection.federated.roster import client_name
from federated_pneumonia_detection.federated.round_progress import RoundProgress
from federated_pneumonia_detection.progress.protocol import WebSocketManager

__all__ = ["current_progress", "flower_run_id", "progress_mod", "watch_client_app"]

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
        config = config_of(message)
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
                reply.content[WHO] = ConfigRecord({WHO: self.client_id(context)})
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
    fit, evaluated = fit_and_evaluated(metrics_of(reply))
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
