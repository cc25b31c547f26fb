"""Hands what was committed to all viewers: one wake of each loop and one filter of each selection for a batch."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from federated_pneumonia_detection.hub.cursor import Selection
from federated_pneumonia_detection.hub.frames import Frame
from federated_pneumonia_detection.hub.subscription import Subscription

__all__ = ["Fanout"]

_Viewers = dict[Selection, set[Subscription]]


class Fanout:
    """All subscriptions, by the loop they run on and what they want to see."""

    def __init__(self) -> None:
        # Guards the outer dicts: they are read by the follower's thread. The inner sets belong to their loops.
        self._lock = threading.Lock()
        self._attached: dict[asyncio.AbstractEventLoop, _Viewers] = {}
        self._known: set[Subscription] = set()
        self.frames_sent = 0

    def know(self, subscription: Subscription) -> None:
        """A subscription exists, live or not: it has to hear when the log becomes another one."""
        with self._lock:
            self._known.add(subscription)

    def attach(self, subscription: Subscription) -> None:
        """Give it what is published from now on. On its loop."""
        with self._lock:
            viewers = self._attached.setdefault(subscription.loop, {})
            viewers.setdefault(subscription.selection, set()).add(subscription)

    def detach(self, subscription: Subscription, *, forget: bool) -> None:
        """Give it nothing more. On its loop, or when that has ended."""
        with self._lock:
            if forget:
                self._known.discard(subscription)
            viewers = self._attached.get(subscription.loop, {})
            chosen = viewers.get(subscription.selection)
            if chosen is None:
                return
            chosen.discard(subscription)
            if not chosen:
                del viewers[subscription.selection]
            if not viewers:
                del self._attached[subscription.loop]

    def is_watched(self) -> bool:
        """Whether anybody is attached."""
        return bool(self._attached)

    def publish(self, frames: Sequence[Frame]) -> None:
        """Hand a batch to every loop, from any thread; returns before anybody has it."""
        if not frames:
            return
        with self._lock:
            loops = list(self._attached)
        for loop in loops:
            with suppress(RuntimeError):  # the loop has been closed: its viewers are gone
                loop.call_soon_threadsafe(self._deliver, loop, frames)

    def each(self, act: Callable[[Subscription], None]) -> None:
        """Do something with every subscription, on its loop."""
        with self._lock:
            known = list(self._known)
        for subscription in known:
            with suppress(RuntimeError):
                subscription.loop.call_soon_threadsafe(act, subscription)

    def count(self) -> int:
        """How many subscriptions there are."""
        with self._lock:
            return len(self._known)

    def _deliver(self, loop: asyncio.AbstractEventLoop, frames: Sequence[Frame]) -> None:
        with self._lock:
            chosen = [(selection, list(viewers)) for selection, viewers in self._attached.get(loop, {}).items()]
        for selection, viewers in chosen:
            everything = selection == (None, None)
            wanted = frames if everything else [frame for frame in frames if selection.takes(frame)]
            if not wanted:
                continue
            size_bytes = sum(map(len, wanted))
            for viewer in viewers:
                viewer.offer(wanted, size_bytes)
            self.frames_sent += len(wanted) * len(viewers)
