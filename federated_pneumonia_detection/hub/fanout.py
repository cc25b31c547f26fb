"""Hands what was committed to all viewers: one wake of each loop and one filter of each selection for a batch.

What is committed while a loop is still busy with what came before goes out together with what follows it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import repeat
from operator import call

from federated_pneumonia_detection.hub.cursor import Selection, newest_only
from federated_pneumonia_detection.hub.frames import Burst, Frame
from federated_pneumonia_detection.hub.subscription import Subscription

__all__ = ["Fanout"]

logger = logging.getLogger(__name__)

_TOGETHER_BYTES = 256 * 1024


class _Viewers:
    """Who wants to see the same. Of its loop alone."""

    __slots__ = ("flowing", "others")

    def __init__(self) -> None:
        # Those who have taken everything and take more now, by what writes to them.
        self.flowing: dict[Subscription, Callable[[bytes], object]] = {}
        self.others: set[Subscription] = set()

    def __len__(self) -> int:
        return len(self.flowing) + len(self.others)

    def offer(self, burst: Burst) -> None:
        """Give a burst to everybody, in one go."""
        # Whoever goes from the ones to the others meanwhile has it once.
        flowing, others = dict(self.flowing), list(self.others)
        if flowing:
            _write_to_all(flowing.values(), next(iter(flowing)).wire(burst))
        for viewer in others:
            viewer.offer(burst)


def _write_to_all(writes: Iterable[Callable[[bytes], object]], wire: bytes) -> None:
    # Without a step of the interpreter for each: behind each system call they cost as much as a tenth of it.
    left = iter(writes)
    while True:
        try:
            deque(map(call, left, repeat(wire)), maxlen=0)
        except Exception:
            logger.exception("writing to a viewer failed")
        else:
            return


class _Load:
    """What is on its way to one loop."""

    __slots__ = ("frames", "size_bytes")

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.size_bytes = 0


class Fanout:
    """All subscriptions, by the loop they run on and what they want to see."""

    def __init__(self) -> None:
        # Guards the dicts: they are read by the follower's thread. What is in them belongs to their loops.
        self._lock = threading.Lock()
        self._attached: dict[asyncio.AbstractEventLoop, dict[Selection, _Viewers]] = {}
        self._known: set[Subscription] = set()
        # What each loop has been woken for and has not taken yet.
        self._loads: dict[asyncio.AbstractEventLoop, _Load] = {}
        self.frames_sent = 0
        self.steps_merged = 0
        """Steps that no viewer was sent, or not every one, because a newer one came first; of viewers that are gone."""
        self.frames_withheld = 0
        """Frames that could not be sent at once because a viewer was behind; of viewers that are gone."""
        self.too_slow = 0
        """How many viewers were sent away to come back with their cursor."""

    def know(self, subscription: Subscription) -> None:
        """A subscription exists, live or not: it has to hear when the log becomes another one."""
        with self._lock:
            self._known.add(subscription)

    def attach(self, subscription: Subscription) -> None:
        """Give it what is published from now on. On its loop."""
        with self._lock:
            chosen = self._attached.setdefault(subscription.loop, {})
            chosen.setdefault(subscription.selection, _Viewers()).others.add(subscription)

    def detach(self, subscription: Subscription, *, forget: bool) -> None:
        """Give it nothing more. On its loop, or when that has ended."""
        with self._lock:
            if forget and subscription in self._known:
                self._known.discard(subscription)
                self.steps_merged += subscription.merged
                self.frames_withheld += subscription.withheld
                self.too_slow += subscription.too_slow
            viewers = self._viewers_like(subscription)
            if viewers is None:
                return
            viewers.others.discard(subscription)
            viewers.flowing.pop(subscription, None)
            chosen = self._attached[subscription.loop]
            if not len(viewers):
                del chosen[subscription.selection]
            if not chosen:
                del self._attached[subscription.loop]

    def flow(self, subscription: Subscription, write: Callable[[bytes], object]) -> None:
        """It has taken everything: what comes is written to it at once, until `hold`. On its loop."""
        viewers = self._viewers_like(subscription)
        if viewers is not None and subscription in viewers.others:
            viewers.others.discard(subscription)
            viewers.flowing[subscription] = write

    def hold(self, subscription: Subscription) -> None:
        """What comes is offered to it. On its loop; twice is fine."""
        viewers = self._viewers_like(subscription)
        if viewers is not None and viewers.flowing.pop(subscription, None) is not None:
            viewers.others.add(subscription)

    def _viewers_like(self, subscription: Subscription) -> _Viewers | None:
        return self._attached.get(subscription.loop, {}).get(subscription.selection)

    def is_watched(self) -> bool:
        """Whether anybody is attached."""
        return bool(self._attached)

    def publish(self, frames: Sequence[Frame]) -> None:
        """Hand a batch to every loop, from any thread; returns before anybody has it."""
        if not frames:
            return
        size_bytes = sum(map(len, frames))
        with self._lock:
            for loop in self._attached:
                load = self._loads.get(loop)
                if load is None or load.size_bytes + size_bytes > _TOGETHER_BYTES:
                    load = _Load()
                    try:
                        loop.call_soon_threadsafe(self._deliver, loop, load)
                    except RuntimeError:  # the loop has been closed: its viewers are gone
                        self._loads.pop(loop, None)
                        continue
                    self._loads[loop] = load
                load.frames.extend(frames)
                load.size_bytes += size_bytes

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

    def counts(self) -> dict[str, int]:
        """What was merged, withheld and sent away so far, of all viewers there were."""
        with self._lock:
            return {
                "steps_merged": self.steps_merged + sum(known.merged for known in self._known),
                "frames_withheld": self.frames_withheld + sum(known.withheld for known in self._known),
                "viewers_too_slow": self.too_slow,
            }

    def _deliver(self, loop: asyncio.AbstractEventLoop, load: _Load) -> None:
        with self._lock:
            if self._loads.get(loop) is load:
                del self._loads[loop]
            chosen = list(self._attached.get(loop, {}).items())
        frames = newest_only(load.frames)
        self.steps_merged += len(load.frames) - len(frames)
        for selection, viewers in chosen:
            everything = selection == (None, None)
            wanted = frames if everything else [frame for frame in frames if selection.takes(frame)]
            if wanted:
                self.frames_sent += len(wanted) * len(viewers)
                viewers.offer(Burst(wanted))
