"""How much the state machines are tried: seeded and few examples in `make test`, fresh and many in `make long`."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# A machine that waits for real threads and disks is slow where the computer is busy.
_SLOW_IS_FINE = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]


def seeded(examples: int, steps: int = 40) -> settings:
    """The same examples each time."""
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=_SLOW_IS_FINE,
    )


def fresh(examples: int, steps: int = 80) -> settings:
    """Other examples each time."""
    return settings(seeded(examples, steps), derandomize=False)


def tried(machine: type[Any], *, examples: int, long_examples: int, steps: int = 40) -> tuple[type[Any], type[Any]]:
    """The two test cases of a state machine: for `make test`, and for `make long`."""
    quick = type("TestQuick", (machine.TestCase,), {"settings": seeded(examples, steps)})
    long = type("TestLong", (machine.TestCase,), {"settings": fresh(long_examples, 2 * steps)})
    return quick, pytest.mark.timeout(1800)(pytest.mark.long(long))
