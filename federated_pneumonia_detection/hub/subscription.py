"""A viewer's end of the log: first what it missed, then what is live; bounded, however slowly it reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from federated_pneumonia_detection.hub.cursor import Seam, Selection, Start, join, newest_only
from federated_pneumonia_detection.hub.frames import Burst, Frame

__all__ = ["BOUND_BYTES", "History", "Line", "Subscription"]

BOUND_BYTES = 1024 * 1024
"""What a viewer may leave untaken for more than a moment before it is sent away to come back with its cursor."""
BURST_BYTES = 4 * BOUND_BYTES
"""What it may leave untaken even for a moment: what many messages written at once come to."""
MOMENT_S = 0.5
TOGETHER_BYTES = 64 * 1024
"""About how much of what waits is taken at once."""


class History(Protocol):
    """What a subscription asks of the hub. What comes after `top` may block, and runs on a worker thread."""

    def attach(self, subscription: Subscription) -> None:
        """Give it what is committed from now on."""

    def detach(self, subscription: Subscription, *, forget: bool) -> None:
        """Give it nothing more; `forget` it altogether when it has ended. Twice is fine."""

    def flow(self, subscription: Subscription, write: Callable[[bytes], object]) -> None:
        """What is committed is written to its line from here on, without asking it."""

    def hold(self, subscription: Subscription) -> None:
        """What is committed is offered to it again. Twice is fine."""

    def wait_until_ready(self) -> None:
        """Wait until what was there at the start has been read."""

    def top(self) -> int:
        """The newest offset."""

    def begin(self, selection: Selection, after: int | None, log_id: str | None) -> tuple[Frame, Start]:
        """The `subscribed` frame, and where reading begins."""

    def page(self, selection: Selection, after: int, began_at: int) -> tuple[list[Frame], int, bool]:
        """Frames after an offset, the offset they go up to, and whether that was the top.

        `began_at` is where the first page began: steps from before it have not been handed out yet.
        """

    def present(self, selection: Selection) -> list[Frame]:
        """The present state of each active run, or of the one that is selected."""


class Line(Protocol):
    """A viewer's connection, as far as it takes bursts without a task."""

    takes_now: bool
    """What is written now goes on its way now: the connection is open, and the viewer has taken what came before."""
    on_change: Callable[[], object] | None
    """To be called when `takes_now` has changed; on the loop."""
    write: Callable[[bytes], object]
    wire: Callable[[Burst], bytes]
    """A burst as it goes over the wire; made once and kept in the burst, for all viewers."""


class Subscription:
    """An async iterator of frames; the first one is `subscribed`. Or of several at once: `bursts`.

    It belongs to the event loop it is made on. When iteration ends, `too_slow` says whether it was for not keeping up.
    """

    __slots__ = (
        "__weakref__",
        "_after",
        "_began_at",
        "_closed",
        "_ended",
        "_history",
        "_is_waiting",
        "_judging",
        "_line",
        "_live",
        "_log_id",
        "_queue",
        "_queued_bytes",
        "_read_to",
        "_ready",
        "_seam",
        "_turn",
        "_waiter",
        "loop",
        "merged",
        "on_end",
        "selection",
        "too_slow",
        "withheld",
    )

    def __init__(self, history: History, selection: Selection, *, after: int | None, log_id: str | None) -> None:
        self.selection = selection
        self.loop = asyncio.get_running_loop()
        self.too_slow = False
        """Iteration ended because the viewer did not keep up: close with 4408."""
        self._line: Line | None = None
        self.on_end: Callable[[], object] | None = None
        """Called when it has ended, also while whoever takes is still busy with the last frames."""
        self.merged = 0
        """Steps that were never sent because a newer one came before the viewer took them."""
        self.withheld = 0
        """Frames that could not be sent at once because the viewer had not taken those before."""
        self._history = history
        self._after = after
        self._log_id = log_id
        # Where reading goes on: None before `subscribed` was made, then the offset history has been read up to.
        self._read_to: int | None = None
        self._began_at = 0
        self._live = False
        # What of the first live frames history had already; None once they are past that.
        self._seam: Seam | None = None
        self._closed = False
        # Made for whoever waits for the end.
        self._ended: asyncio.Event | None = None
        # Counts restarts.
        self._turn = 0
        # Frames made of history, which are taken first. (Lists: an empty deque is fourteen times as large.)
        self._ready: list[Frame] = []
        # What came live since this was attached, not taken yet.
        self._queue: list[Frame] = []
        self._queued_bytes = 0
        # Set while more than the bound waits: whether that lasts is looked at a moment later.
        self._judging: asyncio.TimerHandle | None = None
        self._waiter: asyncio.Future[None] | None = None
        # Whether everything has been taken, and whoever takes waits for more.
        self._is_waiting = False
        if after is None:
            # Whatever is committed from this moment on is live for this viewer, however late it is served.
            history.attach(self)
            self._began_at = history.top()

    @property
    def line(self) -> Line | None:
        """Where there is one, what is live goes by it at once while everything before has been taken.

        Hundreds of tasks need not be woken for one message.
        """
        return self._line

    @line.setter
    def line(self, line: Line | None) -> None:
        self._line = line
        if line is not None:
            line.on_change = self._look_at_line
            self._look_at_line()

    def wire(self, burst: Burst) -> bytes:
        """A burst as its line wants it."""
        assert self._line is not None
        return burst.wire or self._line.wire(burst)

    @property
    def untaken(self) -> int:
        """How many frames wait to be taken."""
        return len(self._ready) + len(self._queue)

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Frame:
        if not await self._has_some():
            raise StopAsyncIteration
        return self._take()

    async def bursts(self) -> AsyncIterator[Burst]:
        """The same frames, as many at once as wait, up to a bound."""
        while await self._has_some():
            frames, size_bytes = [], 0
            while size_bytes < TOGETHER_BYTES and (self._ready or self._queue):
                frame = self._take()
                frames.append(frame)
                size_bytes += len(frame)
            yield Burst(frames)

    async def _has_some(self) -> bool:
        """Wait until there is a frame to take; whether there is one, or it has ended."""
        while not self._closed:
            if self._ready or (self._live and self._queue):
                return True
            if not self._live:
                await self._catch_up()
                continue
            self._waiter = self.loop.create_future()
            self._is_waiting = True
            self._look_at_line()
            try:
                await self._waiter
            finally:
                self._waiter, self._is_waiting = None, False
                self._look_at_line()
        return False

    def _take(self) -> Frame:
        if self._ready:
            frame = self._ready.pop(0)
        else:
            frame = self._queue.pop(0)
            self._queued_bytes -= len(frame)
        return frame

    def close(self) -> None:
        """End the iteration, from the loop it runs on."""
        if not self._closed:
            self._closed = True
            self._history.detach(self, forget=True)
            if self._line is not None:
                self._line.on_change = None
            self._let_go()
            if self._judging is not None:
                self._judging.cancel()
            if self._ended is not None:
                self._ended.set()
            self._notify()
            if self.on_end is not None:
                self.on_end()

    async def wait_closed(self) -> None:
        """Wait until it has ended, also while nobody takes anything."""
        if self._closed:
            return
        if self._ended is None:
            self._ended = asyncio.Event()
        await self._ended.wait()

    def offer(self, burst: Burst) -> None:
        """Take what was committed and is of its selection, from the loop it runs on."""
        if self._closed:
            return
        if self._seam is not None:
            burst = self._past(self._seam, burst)
            if not burst.frames:
                return
        line = self._line
        if line is not None and self._live:
            # Only while its task waits for something to take: otherwise an older frame may still be on its way.
            if self._is_waiting and line.takes_now:
                line.write(self.wire(burst))
                return
            self.withheld += len(burst.frames)
        if self._queue:
            self._drop_old_steps(burst.frames)
        self._queue.extend(burst.frames)
        self._queued_bytes += burst.size_bytes
        if self._queued_bytes > BURST_BYTES:
            self._send_away()
            return
        if self._queued_bytes > BOUND_BYTES and self._judging is None:
            self._judging = self.loop.call_later(MOMENT_S, self._judge)
        self._notify()

    def _past(self, seam: Seam, burst: Burst) -> Burst:
        new = [frame for frame in burst.frames if seam.is_new(frame)]
        if new and new[-1] is burst.frames[-1] and (new[-1].offset or new[-1].key is not None):
            # Messages are handed out in the order of their commits: all that follows is newer, too.
            self._seam = None
            self._look_at_line()
        return burst if len(new) == len(burst.frames) else Burst(new)

    def restart(self) -> None:
        """Begin again: the log has become another one. From the loop it runs on."""
        if self._closed:
            return
        self._history.detach(self, forget=False)
        self._let_go()
        self._live, self._read_to, self._seam = False, None, None
        self._turn += 1
        # An offset of a log that is gone: the new `subscribed` will say that it was not recovered.
        self._after, self._log_id = 0, self._log_id or "gone"
        self._notify()

    def _let_go(self) -> None:
        self._queue.clear()
        self._ready.clear()
        self._queued_bytes = 0

    def _judge(self) -> None:
        self._judging = None
        if self._queued_bytes > BOUND_BYTES:
            self._send_away()

    def _send_away(self) -> None:
        if not self._closed:
            self.too_slow = True
            self.close()

    def _look_at_line(self) -> None:
        """See whether what is live may go to its line at once: only while its task waits, with nothing before it."""
        line = self._line
        if line is None:
            return
        if line.takes_now and self._is_waiting and self._live and self._seam is None:
            self._history.flow(self, line.write)
        else:
            self._history.hold(self)

    def _notify(self) -> None:
        if self._is_waiting and self._waiter is not None:
            self._is_waiting = False
            self._look_at_line()
            if not self._waiter.done():  # cancelled with its task
                self._waiter.set_result(None)

    def _drop_old_steps(self, frames: Sequence[Frame]) -> None:
        """Of steps a slow viewer has not taken, the newest of each run, client and phase is enough."""
        newer = {frame.key for frame in frames if frame.key is not None}
        if not newer or not any(frame.key in newer for frame in self._queue):
            return
        kept = [frame for frame in self._queue if frame.key not in newer]
        self.merged += len(self._queue) - len(kept)
        self._queue = kept
        self._queued_bytes = sum(map(len, kept))

    async def _catch_up(self) -> None:
        # A restart in the meantime makes whatever was read here worthless.
        turn = self._turn
        if self._read_to is None:
            await asyncio.to_thread(self._history.wait_until_ready)
            first, start = await asyncio.to_thread(self._history.begin, self.selection, self._after, self._log_id)
            if self._is_over(turn):
                return
            self._ready.append(first)
            self._read_to = start.after
            if self._after is None:
                present = await asyncio.to_thread(self._history.present, self.selection)
                # What is newer than that is in the queue already, with everything before it.
                self._go_live(turn, [frame for frame in present if frame.offset <= self._began_at], self._began_at)
            else:
                self._began_at = start.after
            return
        read = self._history.page
        frames, read_to, at_top = await asyncio.to_thread(read, self.selection, self._read_to, self._began_at)
        if self._is_over(turn):
            return
        if not at_top:
            self._ready.extend(frames)
            self._read_to = read_to
            return
        # Attached before the last page is read: what is committed in between comes twice, and `join` drops it.
        self._history.attach(self)
        more, more_to, _ = await asyncio.to_thread(read, self.selection, read_to, read_to)
        self._go_live(turn, [*frames, *more], more_to)

    def _go_live(self, turn: int, history: list[Frame], read_to: int) -> None:
        if self._is_over(turn):
            return
        history = newest_only(history)
        self._ready.extend(join(history, self._queue, after=read_to))
        # What history has may be on its way to the live ones still.
        self._seam = Seam.of(history, after=read_to)
        self._queue.clear()
        self._queued_bytes = 0
        self._live = True

    def _is_over(self, turn: int) -> bool:
        return self._closed or turn != self._turn
