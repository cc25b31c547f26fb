"""All that a page needs to open a run, in one answer: where it stands, every message, and its own steps."""

from __future__ import annotations

import msgspec

from federated_pneumonia_detection.hub import series
from federated_pneumonia_detection.hub.attempts import Attempts
from federated_pneumonia_detection.hub.run_document import bodies_of
from federated_pneumonia_detection.hub.state import RunState
from federated_pneumonia_detection.hub.stores.store import NOBODY, Store

__all__ = ["page"]


def page(store: Store, state: RunState) -> bytes:
    """One JSON object: `log_id`, `top`, `state`, `steps` and `messages`.

    `messages` are all lifecycle messages of the run in order, with offsets, up to `top`: whoever has them goes on live
    with `after=top&log_id=…`. `steps` are the columns of `series`, of the steps that no client made, in all attempts; a
    client's newest step comes with the live messages, and a chart that wants them all asks `series`.

    Args:
        store: The log.
        state: The run, its sentences made for now.
    """
    log_id, top = store.log_id, store.top
    bodies, last = bodies_of(store, state.run_id)
    steps = series.columns(store, state.run_id, client_id=NOBODY, since=0, attempts=Attempts(state), attempt="all")[
        "steps"
    ]
    head = {"log_id": log_id, "top": max(top, last), "state": state, "steps": steps}
    return b'%b,"messages":[%b]}' % (msgspec.json.encode(head)[:-1], b",".join(bodies))
