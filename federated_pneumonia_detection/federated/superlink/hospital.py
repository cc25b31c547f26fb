"""The client app as a SuperNode starts it: one process for each message, on a hospital's machine and images.

Which images, and where the journal goes, is the operator's word (`--node-config`) and nobody else's: no message is ever
asked for a path.
"""

from __future__ import annotations

import time
from pathlib import Path

from flwr.app import Context, Error, Message, MessageType, RecordDict
from flwr.clientapp import ClientApp
from flwr.clientapp.typing import ClientAppCallable

from federated_pneumonia_detection.federated.names import answer_who, begun_run
from federated_pneumonia_detection.federated.records import Site
from federated_pneumonia_detection.federated.reply_metrics import config_of
from federated_pneumonia_detection.federated.superlink.leaving import ends_when_asked
from federated_pneumonia_detection.federated.superlink.signals import Signalled, heard
from federated_pneumonia_detection.federated.superlink.watchful_grid import IDLE
from federated_pneumonia_detection.progress import liveness
from federated_pneumonia_detection.progress.cancel import CancelWatch, clear, request_cancel
from federated_pneumonia_detection.progress.errors import NotAJournal
from federated_pneumonia_detection.progress.framing import decode_header

__all__ = ["app"]

_APP_RAISED = 2  # Flower's code for a ClientApp that raised
_OBEYS_WITHIN_S = 10.0
_LOOK_S = 0.1
_LONGEST_HEADER = 65_536


class _Hospital(ClientApp):
    """Handles what must be quick by itself, and loads torch only for the rest."""

    # Flower calls by keyword, so the parameters have these names.
    def __call__(self, message: Message, context: Context) -> Message:
        if message.metadata.message_type == IDLE:
            return Message(RecordDict(), reply_to=message)
        site = Site.of(context)
        if site.source is None:
            words = 'no images are named in this hospital\'s node configuration (data="…")'
            return Message(Error(_APP_RAISED, words), reply_to=message)
        if message.metadata.message_type == MessageType.QUERY:
            _end_what_is_left(site.log_dir, begun_run(message))
            return answer_who(message, context)
        return _inner(message, context)


app = _Hospital()


def _inner(message: Message, context: Context) -> Message:
    from federated_pneumonia_detection.federated.client_app import build_client_app
    from federated_pneumonia_detection.training.devices import torch_threads

    log_dir, run_id = Site.of(context).log_dir, str(config_of(message).get("run-id", ""))
    try:
        with heard(), torch_threads(None), ends_when_asked(log_dir, run_id):
            return build_client_app(mods=[_tell_why_it_ends])(message, context)
    except Signalled:
        # Nobody is there to take an answer.
        raise SystemExit(1) from None


def _tell_why_it_ends(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """Say into the hospital's journal why Flower ends this process, before it does."""
    from federated_pneumonia_detection.federated.batches import current_progress

    try:
        return call_next(message, context)
    except Signalled as signalled:
        if (progress := current_progress()) is not None:
            if signalled.orphaned:
                progress.error("this hospital's SuperNode ended in the middle of the round")
            elif (asked := CancelWatch(progress.logger.log_dir, str(progress.logger.run_id)).asked()) is not None:
                progress.logger.log_training_cancelled(asked.reason, asked.by)
                progress.round_num = None
            else:
                progress.logger.log_alert("info", "Stopped", "the SuperLink ended the run")
                progress.round_num = None
        raise


def _end_what_is_left(log_dir: str, run_id: str) -> None:
    """Let what an earlier attempt of the run still trains here end, so that two never write as one client."""
    journals = [path for path in Path(log_dir).glob("*.jsonl") if _is_of(path, run_id)]
    deadline = time.monotonic() + _OBEYS_WITHIN_S
    while any(map(_lives, journals)) and time.monotonic() < deadline:
        request_cancel(log_dir, run_id, reason="the run goes on in another attempt", by="the coordinator")
        time.sleep(_LOOK_S)
    clear(log_dir, run_id)


def _is_of(journal: Path, run_id: str) -> bool:
    try:
        with journal.open("rb") as file:
            return decode_header(file.readline(_LONGEST_HEADER)).run_id == run_id
    except (NotAJournal, OSError):
        return False


def _lives(journal: Path) -> bool:
    try:
        return liveness.state(journal) is liveness.State.ALIVE
    except (NotAJournal, OSError):
        return False
