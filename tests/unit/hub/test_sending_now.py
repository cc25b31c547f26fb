"""A viewer that has taken everything may be sent to at once, and order holds all the same."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from federated_pneumonia_detection.hub.cursor import Selection
from federated_pneumonia_detection.hub.frames import Frame
from federated_pneumonia_detection.hub.subscription import Subscription


class _NothingYet:
    """A history without anything in it."""

    def attach(self, subscription: Subscription) -> None:
        pass

    def detach(self, subscription: Subscription, *, forget: bool) -> None:
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


def _frame(offset: int) -> Frame:
    return Frame(b"%d" % offset, offset=offset)


@pytest.fixture
async def live() -> Subscription:
    subscription = Subscription(_NothingYet(), Selection(None, None), after=None, log_id=None)
    subscription._live = True
    return subscription


async def test_a_viewer_that_waits_is_sent_to_at_once_and_its_task_sleeps_on(live: Subscription) -> None:
    sent: list[bytes] = []
    live.send_now = lambda frame: sent.append(frame) is None
    taking = asyncio.ensure_future(anext(live))
    await asyncio.sleep(0)
    live.offer([_frame(1)], 1)
    live.offer([_frame(2)], 1)
    await asyncio.sleep(0)
    assert sent == [b"1", b"2"]
    assert not taking.done()
    live.close()
    with pytest.raises(StopAsyncIteration):
        await taking


async def test_what_cannot_go_at_once_goes_through_the_queue_and_everything_after_it_too(live: Subscription) -> None:
    accepts = False
    sent: list[bytes] = []
    live.send_now = lambda frame: accepts and sent.append(frame) is None
    taking = asyncio.ensure_future(anext(live))
    await asyncio.sleep(0)
    live.offer([_frame(1)], 1)
    accepts = True
    live.offer([_frame(2)], 1)  # 1 has not been taken by the task yet
    assert await taking == b"1"
    live.offer([_frame(3)], 1)  # the task is busy with 1
    assert [await anext(live), await anext(live)] == [b"2", b"3"]
    assert sent == []
    live.close()
