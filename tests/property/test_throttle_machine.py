"""The throttle beside a model of it: any order of arrivals, looks, ends and clocks that jump."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from machines import tried

from federated_pneumonia_detection.hub.throttle import Throttle

moments = st.floats(0, 3, allow_nan=False)


class ThrottleMachine(RuleBasedStateMachine):
    """Items are numbers in their order, so whatever is lost, doubled or turned round shows."""

    @initialize(interval=st.sampled_from([0.0, 0.1, 0.5, 2.0]))
    def begin(self, interval: float) -> None:
        self.throttle: Throttle[int] = Throttle(interval)
        self.interval = interval
        self.now = 1000.0
        self.added = self.taken = 0
        self.urgent = False
        self.sent_at: float | None = None

    @rule(count=st.integers(0, 3), urgent=st.booleans())
    def arrive(self, count: int, urgent: bool) -> None:
        self.throttle.add(range(self.added, self.added + count), urgent=urgent)
        self.added += count
        self.urgent = self.urgent or urgent

    @rule(wait=moments)
    def time_goes_on(self, wait: float) -> None:
        self.now += wait

    @rule(back=st.floats(0, 5000, allow_nan=False))
    def the_clock_goes_back(self, back: float) -> None:
        self.now -= back

    @rule()
    def take(self) -> None:
        self.what_is_held_is_what_was_not_taken()
        due = self.throttle.due(self.now)
        batch = self.throttle.take(self.now)
        assert batch == (list(range(self.taken, self.added)) if due == 0 else [])
        if batch:
            allowed = self.urgent or self.sent_at is None or self.now - self.sent_at >= self.interval - 1e-6
            assert allowed, "two batches of a writer came closer than its interval"
            self.taken, self.urgent, self.sent_at = self.added, False, self.now

    @rule()
    def what_is_held_goes_after_the_wait_it_was_told(self) -> None:
        due = self.throttle.due(self.now)
        if due is not None:
            self.now += due + 1e-6
            assert self.throttle.due(self.now) == 0, "a wait that was told does not end"
            self.take()
            assert self.taken == self.added

    @invariant()
    def what_is_held_is_what_was_not_taken(self) -> None:
        if hasattr(self, "throttle"):
            assert len(self.throttle) == self.added - self.taken
            due = self.throttle.due(self.now)
            assert (due is None) == (self.added == self.taken)
            assert due is None or 0 <= due <= self.interval + 1e-9
            if due is not None and self.sent_at is not None:
                # Whoever is asked after the clock went back counts from then on.
                self.sent_at = min(self.sent_at, self.now)


TestThrottle, TestThrottleForLong = tried(ThrottleMachine, examples=100, long_examples=3000)
