"""All that a page needs to open a run, in one answer: where it stands, every message, and its own steps."""

from __future__ import annotations

from typing import Any

import msgspec

from federated_pneumonia_detection.hub import series
from federated_pneumonia_detection.hub.attempts import Attempts
from federated_pneumonia_detection.hub.run_document import bodies_of
from federated_pneumonia_detection.hub.state import RunState
from federated_pneumonia_detection.hub.stores.store import NOBODY, Store

__all__ = ["MOST_STEPS", "page"]

MOST_STEPS = 20_000
"""A run with more is opened without them, or reading them would keep everything else waiting."""


def page(store: Store, state: RunState) -> bytes:
    """One JSON object: `log_id`, `top`, `state`, `steps` and `messages`.

    `messages` are all lifecycle messages of the run in order, with offsets, up to `top`: whoever has them goes on live
    with `after=top&log_id=…`. `steps` are the columns of `series`, of the steps that no client made, in all attempts; a
    client's newest step comes with the live messages, and a chart that wants them all asks `series`. A run with more
    than `MOST_STEPS` is told without them, and says `steps_left_out`: `series?points=` has each bucket's least and
    greatest.

    Args:
        store: The log.
        state: The run, its sentences made for now.
    """
    log_id, top = store.log_id, store.top
    bodies, last = bodies_of(store, state.run_id)
    # Rows are dense, so the newest of each phase tell how many there are.
    newest = store.newest_steps(run_id=state.run_id)
    left_out = sum(step.row for step in newest if step.client_id is None) > MOST_STEPS
    steps: list[Any] = [] if left_out else _steps(store, state)
    head = {
        "log_id": log_id,
        "top": max(top, last),
        "state": state,
        "steps": steps,
        **({"steps_left_out": True} if left_out else {}),
    }
    return b'%b,"messages":[%b]}' % (msgspec.json.encode(head)[:-1], b",".join(bodies))


def _steps(store: Store, state: RunState) -> list[Any]:
    """The run's own, in all attempts."""
    found = series.columns(store, state.run_id, client_id=NOBODY, since=0, attempts=Attempts(state), attempt="all")
    return list(found["steps"])
