"""Journals merged by time, piece by piece, as a follower does: any clocks, any writers that have something new."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from machines import tried

from federated_pneumonia_detection.hub.merge import merge

WRITERS = "abcd"
EPOCH = datetime(2026, 11, 24, tzinfo=UTC)
zones = st.sampled_from([UTC, timezone(timedelta(hours=-8)), timezone(timedelta(hours=5, minutes=30))])


class MergeMachine(RuleBasedStateMachine):
    """Each writer numbers what it says; `merged` is the stream that a log would get."""

    def __init__(self) -> None:
        super().__init__()
        self.clocks = dict.fromkeys(WRITERS, 0.0)
        self.said = dict.fromkeys(WRITERS, 0)
        self.unread: dict[str, list[tuple[str | None, tuple[str, int, float | None]]]] = {w: [] for w in WRITERS}
        self.merged: list[tuple[str, int]] = []

    @rule(writer=st.sampled_from(WRITERS), step=st.floats(-3600, 3600, allow_nan=False), zone=zones)
    def say(self, writer: str, step: float, zone: timezone) -> None:
        self.clocks[writer] += step
        moment = EPOCH + timedelta(seconds=self.clocks[writer])
        self._add(writer, moment.astimezone(zone).isoformat(), moment.timestamp())

    @rule(writer=st.sampled_from(WRITERS), time=st.sampled_from([None, "", "soon", "2026-13-01T00:00:00Z"]))
    def say_without_a_time(self, writer: str, time: str | None) -> None:
        self._add(writer, time, None)

    def _add(self, writer: str, text: str | None, moment: float | None) -> None:
        self.said[writer] += 1
        self.unread[writer].append((text, (writer, self.said[writer], moment)))

    @rule(writers=st.sets(st.sampled_from(WRITERS)))
    def read(self, writers: set[str]) -> None:
        batch = list(merge([self.unread[writer] for writer in sorted(writers)]))
        for writer in writers:
            self.unread[writer] = []
        newest = dict.fromkeys(writers, float("-inf"))
        keys = []
        for writer, number, moment in batch:
            # As old as its time says, and no older than what its writer said before it.
            newest[writer] = newest[writer] if moment is None else max(newest[writer], moment)
            keys.append(newest[writer])
            self.merged.append((writer, number))
        assert all(earlier <= later for earlier, later in pairwise(keys)), "merged against the time"

    def teardown(self) -> None:
        self.read(set(WRITERS))
        for writer in WRITERS:
            in_order = list(range(1, self.said[writer] + 1))
            assert [number for name, number in self.merged if name == writer] == in_order


TestMerge, TestMergeForLong = tried(MergeMachine, examples=100, long_examples=3000)
