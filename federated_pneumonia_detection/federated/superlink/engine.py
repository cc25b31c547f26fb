"""Hands a run to a SuperLink, and follows it to its end from this process."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from federated_pneumonia_detection.federated.environment import private_directory
from federated_pneumonia_detection.federated.errors import FederatedError, SuperLinkRefused
from federated_pneumonia_detection.federated.superlink.app_directory import write_app
from federated_pneumonia_detection.federated.superlink.directory import Federation
from federated_pneumonia_detection.federated.superlink.flower import Flower
from federated_pneumonia_detection.federated.superlink.ticket import Desk, Result, Ticket
from federated_pneumonia_detection.progress.cancel import CancelWatch, clear, request_cancel

__all__ = ["run_superlink"]

_LOOK_S = 0.1
_ASK_S = 5.0
_BEGINS_WITHIN_S = 180.0
"""How long the SuperLink may take to start a run's server app: its launcher may have died, which it does not notice."""

_OBEYS_WITHIN_S = (4.0, 8.0)
"""How long a run that was asked to stop may take, before its server app is signalled, and before it is killed."""


def run_superlink(federation_dir: Path, ticket: Ticket) -> dict[str, Any]:
    """Submit the run of `ticket`, and wait until it is over.

    Returns:
        What `FederatedTrainer.train` returns.

    Raises:
        FederatedError: the SuperLink cannot be reached, does not take the run, or the run failed.
        KeyboardInterrupt: it was ended from the keyboard.
    """
    federation = Federation.open(federation_dir)
    flower = Flower(federation)
    if not flower.is_there():
        raise SuperLinkRefused(
            f"no SuperLink of {federation_dir} answers at {federation.address}; start it with "
            "`fpd federation up` or `fpd federation superlink`"
        )
    desk = Desk.of(Path(ticket.log_dir), ticket.run_id)
    clear(ticket.log_dir, ticket.run_id)
    number = flower.submit(write_app(private_directory() / "app"), desk.write(ticket))
    interrupted = False

    def ask(by_keyboard: bool) -> None:
        nonlocal interrupted
        interrupted = interrupted or by_keyboard
        reason = "interrupted from the keyboard" if by_keyboard else "the process was asked to end (SIGTERM)"
        request_cancel(ticket.log_dir, ticket.run_id, reason=reason, by="keyboard" if by_keyboard else "signal")

    try:
        with _signals(ask):
            result = _follow(flower, number, desk, CancelWatch(ticket.log_dir, ticket.run_id))
    except BaseException:
        with suppress(SuperLinkRefused):
            flower.stop(number)
        raise
    finally:
        clear(ticket.log_dir, ticket.run_id)
    if interrupted and result.status == "cancelled":
        raise KeyboardInterrupt
    if result.status == "failed":
        raise FederatedError(result.error or "the run failed; its log says why")
    named = {"run_id": ticket.run_id, "experiment_name": ticket.experiment_name}
    return {**named, "status": result.status, **result.results}


def _follow(flower: Flower, number: int, desk: Desk, watch: CancelWatch) -> Result:
    """Wait for the result; where none can come any more, say why."""
    begun, next_ask = time.monotonic(), time.monotonic() + _ASK_S
    asked_at: float | None = None
    signals = [(_OBEYS_WITHIN_S[0], signal.SIGTERM), (_OBEYS_WITHIN_S[1], signal.SIGKILL)]
    while (result := desk.result()) is None:
        time.sleep(_LOOK_S)
        now = time.monotonic()
        if desk.server_lives() is False:
            time.sleep(_LOOK_S)
            return desk.result() or Result(error="the run's server app died without a word (killed, or out of memory)")
        if desk.server_lives() is None and now - begun > _BEGINS_WITHIN_S:
            flower.stop(number)
            return Result(
                error=f"the SuperLink took the run and did not begin it within {_BEGINS_WITHIN_S:g} s; start it again"
            )
        if asked_at is None and watch.asked() is not None:
            asked_at = now
        if asked_at is not None and signals and now - asked_at > signals[0][0]:
            # By its own process: Flower tells an app of a stop at its next heartbeat, half a minute later.
            desk.end_server(signals.pop(0)[1])
            if not signals:
                flower.stop(number)
        if now < next_ask:
            continue
        next_ask = now + _ASK_S
        try:
            status = flower.status(number)
        except SuperLinkRefused:
            # Its server app tells the end better than we could; one that never began has nobody to tell it.
            if desk.server_lives() is None:
                raise
            continue
        if status.startswith("finished") and desk.server_lives() is None and desk.result() is None:
            return Result(error=f"the SuperLink ended the run before it began ({status}); `flwr log {number}` says why")
    return result


@contextmanager
def _signals(ask: Callable[[bool], None]) -> Iterator[None]:
    """Within it the first Ctrl-C or SIGTERM asks the run to stop, as anybody else would; a second one interrupts."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = False

    def hear(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        ask(number == signal.SIGINT)

    before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)
