"""The polled document of a whole run, from the log: all its writers' lifecycle messages in order, with offsets."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from federated_pneumonia_detection.hub.frames import Frame, frame_of
from federated_pneumonia_detection.hub.state import RunState
from federated_pneumonia_detection.hub.stores.store import Store

__all__ = ["document", "etag"]

_PAGE = 2000


def document(store: Store, state: RunState) -> tuple[bytes, str]:
    """The document as JSON, and an ETag that changes whenever it does.

    It has the form of the document beside the journals: `metadata`, `epochs` (the messages), `current_epoch` and, for a
    federated run, `current_round`; beside these `log_id` and `top`, so that a poller may go on from there by WebSocket.
    """
    log_id = store.log_id
    frames = list(frames_of(store, state.run_id))
    top = frames[-1].offset if frames else 0
    metadata = {
        "run_id": state.run_id,
        "experiment_name": state.experiment_name,
        "training_mode": state.mode,
        "start_time": state.start_time,
        "end_time": state.end_time,
        "updated_at": state.updated_at,
        "status": state.status,
        "attempt": state.attempt,
    }
    tail = {"current_epoch": state.epoch}
    if state.mode == "federated":
        tail["current_round"] = state.round
    head = {"log_id": log_id, "top": top, "metadata": metadata}
    body = b'%b,"epochs":[%b],%b' % (
        msgspec.json.encode(head)[:-1],
        b",".join(frames),
        msgspec.json.encode(tail)[1:],
    )
    return body, etag(log_id, top)


def etag(log_id: str, top: int) -> str:
    """What names this state of a run's document."""
    return f'"{log_id}:{top}"'


def frames_of(store: Store, run_id: str) -> Iterator[Frame]:
    """A run's lifecycle messages as they go over the wire, in order."""
    after = 0
    while messages := store.read(after=after, limit=_PAGE, run_id=run_id):
        yield from map(frame_of, messages)
        after = messages[-1].offset
