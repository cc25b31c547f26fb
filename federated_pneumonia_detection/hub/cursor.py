"""Arithmetic of the cursor: where a viewer goes on, what of the log is for it, and how history meets what is live.

A cursor is an offset within a log of a known identity. Everything here is a function of values.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from federated_pneumonia_detection.hub.frames import Frame, StepKey
from federated_pneumonia_detection.hub.stores.store import Step, Stored

__all__ = ["Seam", "Selection", "Start", "due_steps", "in_order", "join", "newest_only", "start"]


class Selection(NamedTuple):
    """What a viewer wants to see: everything, one run, or one client of it."""

    run_id: str | None = None
    client_id: str | None = None

    def takes(self, frame: Frame) -> bool:
        """Whether a frame is for this viewer. What belongs to no run is for everybody."""
        if self.run_id is not None and frame.run_id is not None and frame.run_id != self.run_id:
            return False
        return self.client_id is None or frame.run_id is None or frame.client_id == self.client_id


class Start(NamedTuple):
    """Where reading begins: above `after`; and whether that is where the viewer had been."""

    after: int
    recovered: bool


def start(after: int, log_id: str | None, *, current: str, top: int, floor: int) -> Start:
    """Where a viewer with this cursor goes on.

    Args:
        after: The last offset the viewer has.
        log_id: The log it has it from; `None` takes `after` at its word.
        current: The log there is now.
        top: Its newest offset.
        floor: The newest offset that is kept no more.

    Returns:
        The beginning of the log, not recovered, when the viewer's offsets mean something else here, or when something
        after its cursor is kept no more.
    """
    if (log_id is not None and log_id != current) or after > top or after < floor:
        return Start(0, recovered=False)
    return Start(after, recovered=True)


def in_order(messages: Sequence[Stored], steps: Iterable[Step]) -> list[Stored | Step]:
    """Steps put where they were committed: behind the lifecycle message at whose offset they stand."""
    merged: list[Stored | Step] = []
    waiting = deque(sorted(steps, key=lambda step: step.at))
    for message in messages:
        while waiting and waiting[0].at < message.offset:
            merged.append(waiting.popleft())
        merged.append(message)
    merged.extend(waiting)
    return merged


def due_steps(steps: Iterable[Step], *, after: int, up_to: int | None, began_at: int) -> list[Step]:
    """Which of the newest steps belong to a page of history, so that over all pages each comes once, in its place.

    Args:
        steps: The newest step of each run, client and phase.
        after: Where the page begins.
        up_to: Its last offset; `None` for the last page.
        began_at: Where the first page began.
    """
    if up_to is not None:
        return [step for step in steps if after <= step.at < up_to]
    # What was committed before the cursor rides along as well: the viewer may have been told an older one only.
    return [step for step in steps if step.at >= after or step.at < began_at]


T = TypeVar("T", Frame, Stored | Step)


def newest_only(items: Sequence[T]) -> list[T]:
    """The same without steps that a later one of the same run, client and phase makes old."""
    seen: set[StepKey] = set()
    kept: list[T] = []
    for item in reversed(items):
        key = _key(item)
        if key is not None:
            if key in seen:
                continue
            seen.add(key)
        kept.append(item)
    kept.reverse()
    return kept


def _key(item: Frame | Stored | Step) -> StepKey | None:
    if isinstance(item, Frame):
        return item.key
    return (item.run_id, item.client_id, item.phase) if isinstance(item, Step) else None


class Seam(NamedTuple):
    """Where history ends for one viewer: how it tells what is live and new from what history had already.

    A message can be read from the log before it is handed to those who watch live, by another server long before.
    """

    top: int
    rows: Mapping[StepKey, int]

    @classmethod
    def of(cls, history: Iterable[Frame], *, after: int = 0) -> Seam:
        """The end of this history, of which an earlier part went up to `after`."""
        top, rows = after, dict[StepKey, int]()
        for frame in history:
            if frame.key is not None:
                rows[frame.key] = max(frame.row, rows.get(frame.key, 0))
            elif frame.offset > top:
                top = frame.offset
        return cls(top, rows)

    def is_new(self, frame: Frame) -> bool:
        """Whether a live frame was not in history; what stands in no log always is."""
        if frame.key is not None:
            return frame.row > self.rows.get(frame.key, 0)
        return not frame.offset or frame.offset > self.top


def join(history: Sequence[Frame], live: Iterable[Frame], *, after: int = 0) -> list[Frame]:
    """What was read from the log, then what came live in the meantime, each once and in order.

    The viewer was attached first and history read then, so live frames may repeat history, and never leave a gap.

    Args:
        history: Frames read from the log.
        live: Frames that came since the viewer was attached.
        after: How far an earlier part of history went.
    """
    seam = Seam.of(history, after=after)
    return [*history, *filter(seam.is_new, live)]
