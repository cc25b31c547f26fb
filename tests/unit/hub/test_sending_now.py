"""A viewer that has taken everything may be sent to at once, and order holds all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from federated_pneumonia_detection.hub.cursor import Selection
from federated_pneumonia_detection.hub.frames import Burst, Frame
from federated_pneumonia_detection.hub.subscription import BURST_BYTES, TOGETHER_BYTES, Subscription


class _NothingYet:
    """A history without anything in it."""

    def attach(self, subscription: Subscription) -> None:
        pass

    def detach(self, subscription: Subscription, *, forget: bool) -> None:
        pass

    def flow(self, subscription: Subscription, write: Callable[[bytes], object]) -> None:
        pass

    def hold(self, subscription: Subscription) -> None:
        pass

    def wait_until_ready(self) -> None:
        pass

    def top(self) -> int:
        return 0

    def begin(self, selection: Selection, after: int | None, log_id: str | None) -> Any:
        raise AssertionError("not asked for with a live viewer")

    page = begin  # type: ignore[assignment]

    def present(self, selection: Selection) -> list[Frame]:
        return []


class _Line:
    """A connection that takes what it is given, as long as it may."""

    def __init__(self) -> None:
        self.takes_now = True
        self.on_change: Callable[[], object] | None = None
        self.sent: list[bytes] = []
        self.write = self.sent.append

    @staticmethod
    def wire(burst: Burst) -> bytes:
        burst.wire = b"|".join(burst.frames)
        return burst.wire


def _frame(offset: int) -> Frame:
    return Frame(b"%d" % offset, offset=offset)


@pytest.fixture
async def live() -> Subscription:
    subscription = Subscription(_NothingYet(), Selection(None, None), after=None, log_id=None)
    subscription._live = True
    return subscription


async def test_a_viewer_that_waits_is_sent_to_at_once_and_its_task_sleeps_on(live: Subscription) -> None:
    live.line = line = _Line()
    taking = asyncio.ensure_future(anext(live))
    await asyncio.sleep(0)
    live.offer(Burst([_frame(1)]))
    live.offer(Burst([_frame(2)]))
    await asyncio.sleep(0)
    assert line.sent == [b"1", b"2"]
    assert not taking.done()
    live.close()
    with pytest.raises(StopAsyncIteration):
        await taking


async def test_what_cannot_go_at_once_goes_through_the_queue_and_everything_after_it_too(live: Subscription) -> None:
    live.line = line = _Line()
    line.takes_now = False
    taking = asyncio.ensure_future(anext(live))
    await asyncio.sleep(0)
    live.offer(Burst([_frame(1)]))
    line.takes_now = True
    live.offer(Burst([_frame(2)]))  # 1 has not been taken by the task yet
    assert await taking == b"1"
    live.offer(Burst([_frame(3)]))  # the task is busy with 1
    assert [await anext(live), await anext(live)] == [b"2", b"3"]
    assert line.sent == []
    live.close()


async def test_a_burst_goes_at_once_as_a_whole(live: Subscription) -> None:
    live.line = line = _Line()
    taking = asyncio.ensure_future(anext(live))
    await asyncio.sleep(0)
    live.offer(Burst([_frame(1), _frame(2), _frame(3)]))
    assert line.sent == [b"1|2|3"]
    assert live.withheld == 0
    live.close()
    with pytest.raises(StopAsyncIteration):
        await taking


async def test_what_waits_is_taken_together_and_counted(live: Subscription) -> None:
    live.line = _Line()
    live.line.takes_now = False
    live.offer(Burst([_frame(1), _frame(2)]))
    live.offer(Burst([_frame(3)]))
    assert live.withheld == 3
    bursts = live.bursts()
    assert list((await anext(bursts)).frames) == [b"1", b"2", b"3"]
    live.close()
    with pytest.raises(StopAsyncIteration):
        await anext(bursts)


async def test_no_more_than_a_bound_is_taken_together(live: Subscription) -> None:
    for offset in range(1, 4):
        live.offer(Burst([Frame(b"x" * TOGETHER_BYTES, offset=offset)]))
    assert [[frame.offset for frame in (await anext(live.bursts())).frames] for _ in range(3)] == [[1], [2], [3]]
    live.close()


async def test_the_end_is_told_also_while_nobody_takes(live: Subscription) -> None:
    ended: list[bool] = []
    live.on_end = lambda: ended.append(live.too_slow)
    live.offer(Burst([Frame(b"x" * (BURST_BYTES + 1), offset=1)]))
    assert ended == [True]
    live.close()
    assert ended == [True]


async def test_what_history_had_is_not_sent_again_when_it_comes_live_later(live: Subscription) -> None:
    key = ("run", None, "train")
    step = Frame(b"step", row=4, key=key)
    live._go_live(live._turn, [_frame(5), step], 5)
    live.offer(Burst([_frame(4), step]))
    live.offer(Burst([_frame(5)]))
    live.offer(Burst([_frame(5), _frame(6)]))
    live.offer(Burst([_frame(7)]))
    assert [await anext(live) for _ in range(4)] == [b"5", b"step", b"6", b"7"]
    assert live.untaken == 0
    live.close()


async def test_what_stands_in_no_log_is_sent_also_before_the_first_new_message(live: Subscription) -> None:
    live._go_live(live._turn, [_frame(5)], 5)
    live.offer(Burst([Frame(b"hello")]))
    live.offer(Burst([_frame(5)]))
    assert [await anext(live), await anext(live)] == [b"5", b"hello"]
    assert live.untaken == 0
    live.close()
