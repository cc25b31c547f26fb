"""What was committed goes to all viewers in one go, and to each of them once, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from federated_pneumonia_detection.hub.cursor import Selection
from federated_pneumonia_detection.hub.fanout import Fanout
from federated_pneumonia_detection.hub.frames import Burst, Frame
from federated_pneumonia_detection.hub.subscription import Subscription


class _History:
    """A history without anything in it, of viewers who are live from the beginning."""

    def __init__(self, fanout: Fanout) -> None:
        self.attach, self.detach = fanout.attach, fanout.detach
        self.flow, self.hold = fanout.flow, fanout.hold

    def wait_until_ready(self) -> None:
        pass

    def top(self) -> int:
        return 0

    def begin(self, selection: Selection, after: int | None, log_id: str | None) -> object:
        raise AssertionError("not asked for with a live viewer")

    page = begin

    def present(self, selection: Selection) -> list[Frame]:
        return []


class _Line:
    def __init__(self, write: Callable[[bytes], object] | None = None) -> None:
        self.sent: list[bytes] = []
        self.write = write or self.sent.append
        self.on_change: Callable[[], object] | None = None
        self._takes_now = True

    @property
    def takes_now(self) -> bool:
        return self._takes_now

    @takes_now.setter
    def takes_now(self, takes_now: bool) -> None:
        self._takes_now = takes_now
        assert self.on_change is not None
        self.on_change()

    @staticmethod
    def wire(burst: Burst) -> bytes:
        burst.wire = b"|".join(burst.frames)
        return burst.wire


class _Viewer:
    def __init__(self, fanout: Fanout, line: _Line, run_id: str | None = None) -> None:
        history = _History(fanout)
        self.subscription = Subscription(history, Selection(run_id), after=None, log_id=None)  # type: ignore[arg-type]
        self.subscription._live = True
        self.line = self.subscription.line = line
        self.taken: list[bytes] = []
        self.task = asyncio.ensure_future(self._take())

    async def _take(self) -> None:
        async for frame in self.subscription:
            self.taken.append(bytes(frame))

    async def end(self) -> None:
        self.subscription.close()
        await self.task


def _frame(offset: int, run_id: str = "run") -> Frame:
    return Frame(b"%d" % offset, offset=offset, run_id=run_id)


async def _turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_viewer_that_keeps_up_gets_everything_by_its_line_and_one_that_does_not_by_its_task() -> None:
    fanout = Fanout()
    quick, slow = _Viewer(fanout, _Line()), _Viewer(fanout, _Line())
    await _turns()
    fanout.publish([_frame(1)])
    await _turns()
    slow.line.takes_now = False
    fanout.publish([_frame(2), _frame(3)])
    await _turns()
    slow.line.takes_now = True
    fanout.publish([_frame(4)])
    await _turns()
    assert (quick.line.sent, quick.taken) == ([b"1", b"2|3", b"4"], [])
    assert (slow.line.sent, slow.taken) == ([b"1", b"4"], [b"2", b"3"])
    assert fanout.frames_sent == 8
    await quick.end()
    await slow.end()


async def test_one_that_stops_taking_in_the_middle_has_what_was_written_to_it_and_no_more() -> None:
    fanout = Fanout()
    line = _Line()

    def write(data: bytes) -> None:
        line.sent.append(data)
        line.takes_now = False

    line.write = write
    viewer, other = _Viewer(fanout, line), _Viewer(fanout, _Line())
    await _turns()
    fanout.publish([_frame(1)])
    await _turns()
    fanout.publish([_frame(2)])
    await _turns()
    assert (line.sent, viewer.taken) == ([b"1"], [b"2"])
    assert other.line.sent == [b"1", b"2"]
    await viewer.end()
    await other.end()


async def test_a_line_that_fails_costs_the_others_nothing(caplog: pytest.LogCaptureFixture) -> None:
    fanout = Fanout()

    def fail(data: bytes) -> None:
        raise OSError("gone")

    viewers = [_Viewer(fanout, line) for line in (_Line(), _Line(fail), _Line())]
    await _turns()
    fanout.publish([_frame(1)])
    await _turns()
    assert [viewer.line.sent for viewer in viewers] == [[b"1"], [], [b"1"]]
    assert "writing to a viewer failed" in caplog.text
    for viewer in viewers:
        await viewer.end()


async def test_who_is_gone_gets_nothing_and_who_wants_one_run_gets_that() -> None:
    fanout = Fanout()
    gone, one, everything = _Viewer(fanout, _Line()), _Viewer(fanout, _Line(), "one"), _Viewer(fanout, _Line())
    await _turns()
    await gone.end()
    fanout.publish([_frame(1, "one"), _frame(2, "two")])
    await _turns()
    assert (gone.line.sent, one.line.sent, everything.line.sent) == ([], [b"1"], [b"1|2"])
    await one.end()
    await everything.end()
    assert not fanout.is_watched()
