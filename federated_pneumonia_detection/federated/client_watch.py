"""The line at the client: a mod that tells when a client's rounds begin and end, how they fail, and their batches.

It touches no number: what a client sends is bit for bit what it would be without, and the user's code is not changed::

    app = ClientApp(mods=[progress_mod()])

Whatever goes wrong in the watching itself is told in the process's log, and the training goes on unwatched.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Mapping
from contextvars import Token
from dataclasses import dataclass
from typing import Any

from flwr.app import ConfigRecord, Context, Message, MessageType, MetricRecord
from flwr.clientapp import ClientApp
from flwr.clientapp.typing import ClientAppCallable, Mod

from federated_pneumonia_detection.federated.batches import BatchTeller, current_teller, leave, within
from federated_pneumonia_detection.federated.harmless import harmless
from federated_pneumonia_detection.federated.reply_metrics import (
    WHO,
    config_of,
    fit_and_evaluated,
    metrics_of,
    size_bytes,
)
from federated_pneumonia_detection.federated.roster import clear_reason, node_name, told_error
from federated_pneumonia_detection.federated.round_progress import RoundProgress
from federated_pneumonia_detection.progress.cancel import CancelWatch
from federated_pneumonia_detection.progress.protocol import WebSocketManager

__all__ = ["flower_run_id", "progress_mod", "watch_client_app"]

_DEFAULT_LOG_DIR = "logs/progress"
_ROUND = "fpd-round"
# Of a traceback, its end: the innermost call says most.
_DETAIL_CHARACTERS = 8_000


def flower_run_id(context: Context) -> str | None:
    """The run id that follows from Flower's own number, `None` where the environment names another (`FPD_RUN_ID`)."""
    return None if os.environ.get("FPD_RUN_ID") else f"flwr-{context.run_id}"


def _client_id(context: Context) -> str:
    return node_name(context.node_config, context.node_id)


def progress_mod(
    log_dir: str | None = None,
    *,
    experiment_name: str = "federated",
    run_id: str | None = None,
    websocket_manager: WebSocketManager | None = None,
    client_id: Callable[[Context], str] = _client_id,
) -> Mod:
    """Make a mod that tells a client's rounds: when they begin and end, with what metrics, and how they fail.

    A round ends when the client's training does; where it is asked to evaluate after that, its metrics follow as the
    round's `eval_metrics`. Batches are told where torch's optimizers take them, or by `watch_batches`, or by
    `current_progress()`.

    Args:
        log_dir: where the journal lies. The operator's own word, `log-dir` in the node's configuration, wins; without
            either it is `FPD_LOG_DIR`, else `logs/progress`. A path in a message is never looked at.
        experiment_name: what the run is called, where the server does not say.
        run_id: the run to join; else the one the server names (`run-id`), `FPD_RUN_ID`, or Flower's own number.
        websocket_manager: a manager in this process.
        client_id: what to call a client; by default `client_` and its partition number.
    """
    return _ProgressMod(log_dir, experiment_name, run_id, websocket_manager, client_id)


@dataclass(frozen=True)
class _ProgressMod:
    # An object of a class, not a function in a function: Ray sends the mod to other processes, and would have to copy
    # what such a function refers to, a ContextVar among it, instead of naming it.
    log_dir: str | None
    experiment_name: str
    run_id: str | None
    websocket_manager: WebSocketManager | None
    client_id: Callable[[Context], str]

    def __call__(self, message: Message, context: Context, call_next: ClientAppCallable) -> Message:
        kind = message.metadata.message_type.partition(".")[0]
        if kind not in (MessageType.TRAIN, MessageType.EVALUATE):
            return call_next(message, context)
        watch = _ClientWatch(kind)
        with harmless("watching a client's round"):
            watch.begin(self, message, context)
        try:
            reply = call_next(message, context)
            with harmless("telling the end of a client's round"):
                watch.end(reply)
        except BaseException as error:
            with harmless("telling how a client failed"):
                watch.fail(error)
            raise
        finally:
            with harmless("closing a client's journal"):
                watch.close()
        return reply

    def progress(self, config: Mapping[str, Any], context: Context) -> RoundProgress:
        named = str(config["run-id"]) if config.get("run-id") else flower_run_id(context)
        operators = context.node_config.get("log-dir")
        # A server that names the run also says which attempt of it this is, from the second on.
        attempt = config.get("attempt", 1) if config.get("run-id") else None
        return RoundProgress(
            self.client_id(context),
            log_dir=str(operators or self.log_dir or os.environ.get("FPD_LOG_DIR") or _DEFAULT_LOG_DIR),
            experiment_name=str(config.get("experiment") or self.experiment_name),
            run_id=self.run_id or named,
            attempt=attempt,
            websocket_manager=self.websocket_manager,
        )


class _ClientWatch:
    """What one message makes a client say. Each method may raise; the mod sees to it that nobody is hurt."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._progress: RoundProgress | None = None
        self._token: Token[BatchTeller | None] | None = None
        self._name: str | None = None
        self._bytes_down: int | None = None

    def begin(self, mod: _ProgressMod, message: Message, context: Context) -> None:
        config = config_of(message)
        # Now: what a client does with a message, its records among it, is its own affair.
        self._bytes_down = size_bytes(message)
        progress = self._progress = mod.progress(config, context)
        # Only a server that watches knows what to make of a name.
        self._name = mod.client_id(context) if "run-id" in config else None
        round_num = self._round(config, context)
        if self._kind == MessageType.TRAIN:
            self._token = within(progress)
            progress.start_round(round_num, _total_rounds(config, context))
        else:
            progress.round_num = round_num

    def end(self, reply: Message) -> None:
        if (progress := self._progress) is None or progress.round_num is None:
            return
        if reply.has_error():  # a mod further in has made it of an exception
            self._failed(progress, clear_reason(reply.error.reason), None)
            return
        fit, evaluated = fit_and_evaluated(metrics_of(reply))
        if (teller := current_teller()) is not None:
            teller.flush()
        if self._kind == MessageType.EVALUATE:
            fit, evaluated = {}, {**fit, **evaluated}
        if self._name is not None:
            # A record of its own kind: strategies look at arrays and metrics only.
            reply.content.setdefault(WHO, ConfigRecord({WHO: self._name}))
        progress.end_round(None, fit, evaluated, bytes_down=self._bytes_down, bytes_up=size_bytes(reply))

    def fail(self, error: BaseException) -> None:
        if (progress := self._progress) is None or progress.round_num is None:
            return
        detail = "".join(traceback.format_exception(error))
        self._failed(progress, told_error(error), detail[-_DETAIL_CHARACTERS:])

    def _failed(self, progress: RoundProgress, text: str, detail: str | None) -> None:
        # A client that stops because it was asked to has not failed.
        run_id = progress.logger.run_id
        if run_id is None or CancelWatch(progress.logger.log_dir, run_id).asked() is None:
            progress.error(text, detail)

    def close(self) -> None:
        if self._token is not None:
            leave(self._token)
        if self._progress is not None:
            self._progress.close()

    def _round(self, config: Mapping[str, Any], context: Context) -> int:
        """The round by the server's word; else counted here, where Flower keeps a client's state between messages."""
        if (told := config.get("server-round")) is not None:
            return int(told)
        before = int(context.state.metric_records.get(_ROUND, {"n": 0})["n"])  # type: ignore[arg-type]
        now = before + 1 if self._kind == MessageType.TRAIN or before == 0 else before
        context.state[_ROUND] = MetricRecord({"n": now})
        return now


def _total_rounds(config: Mapping[str, Any], context: Context) -> int | None:
    # The key of Flower's own examples, for a server that says nothing.
    told: Any = config.get("total-rounds") or context.run_config.get("num-server-rounds")
    return told if isinstance(told, int) else None


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
