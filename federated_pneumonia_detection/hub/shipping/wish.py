"""What a server wishes of a training whose journal is shipped to it: the answer to a delivery carries it back.

At the site it becomes the same small file beside the journal that a training of that machine listens to. Nothing else
comes that way: no path, no setting, no code.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from federated_pneumonia_detection.hub.state import RunState
from federated_pneumonia_detection.progress.cancel import Cancel
from federated_pneumonia_detection.progress.pause import GoOn, Pause

__all__ = ["Wish", "wish_of"]

_LONGEST = 500


class Wish(msgspec.Struct, frozen=True):
    """What is wished of a run's trainings: that they end, that they wait, or that they wait no longer."""

    what: Literal["stop", "pause", "go_on"]
    reason: str | None = None
    by: str | None = None


def wish_of(run: RunState | None, asked: Cancel | None, waits: Pause | GoOn | None = None) -> Wish | None:
    """What is wished of those who still train for `run`.

    Args:
        run: what is known of it; `None` for nothing.
        asked: the request to stop that lies beside the server's own journal of it, if one does.
        waits: the request to wait that lies there, or the word of whoever took it away.
    """
    if run is None:
        return None
    if asked is not None or run.cancel_asked is not None:
        request = asked or Cancel()
        return Wish("stop", request.reason or run.reason, request.by or run.stopped_by)
    # Where nobody leads the run, one client's end is not the others'.
    if run.end is None or not run.led:
        return _patience(waits)
    if run.end.status == "cancelled":
        return Wish("stop", run.reason, run.stopped_by)
    if run.end.status == "failed":
        return Wish("stop", f"the run has failed: {run.error}"[:_LONGEST] if run.error else "the run has failed")
    return None


def _patience(waits: Pause | GoOn | None) -> Wish | None:
    if isinstance(waits, Pause):
        return Wish("pause", waits.reason, waits.by)
    return None if waits is None else Wish("go_on", by=waits.by)
