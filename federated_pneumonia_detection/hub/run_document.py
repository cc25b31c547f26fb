"""The polled document of a whole run, from the log: all its writers' lifecycle messages in order, with offsets."""

from __future__ import annotations

from typing import Any

import msgspec

from federated_pneumonia_detection.hub.frames import on_the_wire
from federated_pneumonia_detection.hub.state import Attempt, RunState
from federated_pneumonia_detection.hub.stores.store import Store

__all__ = ["bodies_of", "document", "etag"]

_PAGE = 10_000


def document(store: Store, state: RunState) -> tuple[bytes, str]:
    """The document as JSON, and an ETag that changes whenever it does.

    It has the form of the document beside the journals: `metadata`, `epochs` (the messages), `current_epoch` and, for a
    federated run, `current_round`; beside these `log_id` and `top`, so that a poller may go on from there by WebSocket.
    """
    log_id = store.log_id
    bodies, top = bodies_of(store, state.run_id)
    metadata = {
        "run_id": state.run_id,
        "experiment_name": state.experiment_name,
        "training_mode": state.mode,
        "start_time": state.start_time,
        "end_time": state.end_time,
        "updated_at": state.updated_at,
        "status": state.status,
        "attempt": state.attempt,
        **({"attempts": [_told(attempt) for attempt in state.attempts]} if state.attempts else {}),
    }
    tail = {"current_epoch": state.epoch}
    if state.mode == "federated":
        tail["current_round"] = state.round
    head = {"log_id": log_id, "top": top, "metadata": metadata}
    body = b'%b,"epochs":[%b],%b' % (
        msgspec.json.encode(head)[:-1],
        b",".join(bodies),
        msgspec.json.encode(tail)[1:],
    )
    return body, etag(log_id, top)


def _told(attempt: Attempt) -> dict[str, Any]:
    """What a reader of the document wants to know of an attempt."""
    names = ("attempt", "reached", "kept", "started", "ended", "how")
    return {"from": attempt.from_ or 0, **{name: getattr(attempt, name) for name in names}}


def etag(log_id: str, top: int) -> str:
    """What names this state of a run's document."""
    return f'"{log_id}:{top}"'


def bodies_of(store: Store, run_id: str) -> tuple[list[bytes], int]:
    """A run's lifecycle messages as they go over the wire, in order, and the offset of the last (0: there is none)."""
    bodies: list[bytes] = []
    after = 0
    while messages := store.read(after=after, limit=_PAGE, run_id=run_id):
        bodies += map(on_the_wire, messages)
        after = messages[-1].offset
        if len(messages) < _PAGE:
            break
    return bodies, after
