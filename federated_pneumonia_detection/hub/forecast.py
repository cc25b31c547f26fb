"""When a run will end: a median and a bound that nine of ten runs keep, from what was seen of it so far.

Pure arithmetic, with a twin in the page (`forecast.ts`). A unit is an epoch of a run on one machine or a round of a
federated one; it lasts from its own beginning to that of the next, so validation and aggregation are counted. What
units take is described by mean, deviation and skewness (a straggler now and then makes a long tail), their sum by a
Pearson type III distribution (Wilson and Hilferty's approximation), and what is not known of few units by Student's t.
Where a run may stop early, the number of units is a distribution too.

The constants were set on simulated runs other than those of `benchmarks/forecast.py`, which shows how often the bound
holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import exp, fsum, log1p, pi, sqrt, tanh
from statistics import median

import msgspec

__all__ = ["EarlyStop", "Forecast", "Open", "Seen", "forecast"]

_MEDIAN, _BOUND = 0.0, 1.2815515655446004
"""Standard normal deviates of P50 and P90."""
_PRIOR_UNITS = 3
"""How many units of experience what is usual elsewhere counts for."""
_PRIOR_DEVIATION = 0.08
"""What a unit's deviation usually is, as a share of its mean."""
_PRIOR_SKEWNESS = 1.0
_WANDER = 0.016
"""By how much the pace itself changes from one unit to the next, as a share of it: other load, a warm machine."""
_STRAGGLERS, _STRAGGLERS_AMONG = 0.3, 15.0
"""A long unit that was not seen yet may come: so many among so many are known from elsewhere."""
_STRAGGLER = (1.2, 2.0, 4.0)
"""How much longer such a unit is: mean, mean square and mean cube, in units."""
_START_UP = 1.4
"""A first unit this many times as long as the others had the start in it, and tells nothing of those to come."""
_CLOSING, _CLOSING_DEVIATION = 0.1, 0.08
"""What comes after the last unit (the test, the curves), in units."""
_OVERDUE = 0.5
"""A unit that is overdue takes about half as long again as it is overdue already: stragglers have long tails."""
_OVERDUE_SKEWNESS = 2.0
_FURTHEST = 200
"""How many units ahead early stopping is thought through."""


class Open(msgspec.Struct, frozen=True):
    """Somebody in the middle of a unit: a hospital that has not sent yet."""

    durations: tuple[float, ...]
    """Seconds its last units took, oldest first."""
    elapsed: float
    """Seconds since it began this one."""


class EarlyStop(msgspec.Struct, frozen=True):
    """A run that ends where its loss has not fallen for `patience` units."""

    patience: int
    losses: tuple[float, ...]
    """The validation loss of each unit so far, oldest first."""


class Seen(msgspec.Struct, frozen=True):
    """What is known of a run's pace.

    Attributes:
        durations: seconds the finished units took, oldest first.
        left: units that are not over, the open one among them.
        elapsed: seconds since the open unit began; `None` between two units.
        waiting: the hospitals the open round still waits for.
        closing: seconds from a round's last sender to its end, of the finished rounds.
        early: early stopping, where it is on.
    """

    durations: tuple[float, ...]
    left: int
    elapsed: float | None = None
    waiting: tuple[Open, ...] = ()
    closing: tuple[float, ...] = ()
    early: EarlyStop | None = None


class Forecast(msgspec.Struct, frozen=True):
    """Seconds that are left, as a median and a bound: the run, and the open epoch or round."""

    run_p50_s: float
    run_p90_s: float
    unit_p50_s: float | None = None
    unit_p90_s: float | None = None
    units_p50: int | None = None
    """Where the run may stop early: how many epochs or rounds it still takes, as a median."""


class _Sum(msgspec.Struct, frozen=True):
    """Mean, variance and third central moment of a duration; of independent ones they add up."""

    mean: float = 0.0
    variance: float = 0.0
    third: float = 0.0

    def plus(self, other: _Sum) -> _Sum:
        return _Sum(self.mean + other.mean, self.variance + other.variance, self.third + other.third)


class _Pace(msgspec.Struct, frozen=True):
    """What one unit takes."""

    mean: float
    deviation: float
    skewness: float
    freedom: float
    """Degrees of freedom: how much is known of the deviation."""
    units: int
    persistence: float
    """By how much one slow unit makes the next ones slow, too: the factor on the variance of a sum of many."""

    def of(self, units: float) -> _Sum:
        """So many units, what is not known of the mean counted in."""
        spread = self.deviation**2 * self.persistence
        wander = (_WANDER * self.mean) ** 2 * units * units * (units / 3 + self.units / 3)
        variance = spread * (units + units * units / (self.units + 1)) + wander
        known = _Sum(units * self.mean, variance, units * self.skewness * self.deviation**3)
        long = units * _STRAGGLERS / (_STRAGGLERS_AMONG + self.units)
        once, square, cube = _STRAGGLER
        return known.plus(_Sum(long * once * self.mean, long * square * self.mean**2, long * cube * self.mean**3))

    def rest(self, elapsed: float) -> _Sum:
        """What is left of one that began `elapsed` seconds ago, by a logistic distribution: its tail stays tame."""
        one = self.deviation * sqrt(1 + 1 / self.units)
        scale = one * sqrt(3) / pi
        ahead = (elapsed - self.mean) / scale
        if ahead < -30:
            mean = self.mean - elapsed
        else:
            # Far behind its time the expected rest comes to one scale.
            mean = scale * (1 if ahead > 30 else (1 + exp(ahead)) * log1p(exp(-ahead)))
        overdue = _OVERDUE * max(0.0, elapsed - self.mean)
        deviation = max(min(one, mean), overdue)
        mean = max(mean, overdue)
        skewness = self.skewness + (_OVERDUE_SKEWNESS - self.skewness) * overdue / mean
        return _Sum(mean, deviation**2, skewness * deviation**3)


def forecast(seen: Seen) -> Forecast | None:
    """Seconds left of the run and of its open unit; `None` before the first unit is over."""
    durations = [duration for duration in seen.durations if duration > 0]
    if not durations or seen.left < 0:
        return None
    pace = _pace(durations)
    unit = None if seen.elapsed is None or not seen.left else _open_unit(seen, pace, seen.elapsed)
    closing = _Sum(_CLOSING * pace.mean, (_CLOSING_DEVIATION * pace.mean) ** 2)
    first = closing if unit is None else closing.plus(unit)
    rest = seen.left - (0 if unit is None else 1)
    ends = _ends(seen, rest) if seen.early is not None else {rest: 1.0}
    sums = [(first.plus(pace.of(units)), chance) for units, chance in ends.items()]
    p50, p90 = (_mixed_quantile(sums, deviate, pace.freedom) for deviate in (_MEDIAN, _BOUND))
    begun = 0 if unit is None else 1
    return Forecast(
        p50,
        max(p50, p90),
        None if unit is None else _quantile(unit, _MEDIAN, pace.freedom),
        None if unit is None else _quantile(unit, _BOUND, pace.freedom),
        None if seen.early is None else _middle(ends) + begun,
    )


# --- what one unit takes ----------------------------------------------------------------------------------------


def _pace(durations: Sequence[float]) -> _Pace:
    told = list(durations)
    if len(told) > 1 and told[0] > _START_UP * median(told[1:]):
        told = told[1:]
    count = len(told)
    mean = fsum(told) / count
    squares = fsum((each - mean) ** 2 for each in told)
    freedom = count - 1 + _PRIOR_UNITS
    deviation = sqrt((squares + _PRIOR_UNITS * (_PRIOR_DEVIATION * mean) ** 2) / freedom)
    skewness = fsum(((each - mean) / deviation) ** 3 for each in told) / count
    known = min(3.0, max(0.0, skewness))
    skewness = (count * known + _PRIOR_UNITS * _PRIOR_SKEWNESS) / (count + _PRIOR_UNITS)
    return _Pace(mean, deviation, skewness, float(freedom), count, _persistence(told, mean, squares))


def _persistence(told: Sequence[float], mean: float, squares: float) -> float:
    count = len(told)
    if count < 4 or squares <= 0:
        return 1.0
    together = fsum((one - mean) * (other - mean) for one, other in pairwise(told))
    lag = min(0.8, max(0.0, together / squares * count / (count + 3)))
    return (1 + lag) / (1 - lag)


def _open_unit(seen: Seen, pace: _Pace, elapsed: float) -> _Sum:
    known = [each for each in seen.waiting if each.durations]
    if not known or len(known) < len(seen.waiting):
        return pace.rest(elapsed)
    # A round ends when the slowest of those it waits for has sent, and what comes after is done.
    slowest = max((_pace(each.durations).rest(each.elapsed) for each in known), key=lambda each: each.mean)
    if not seen.closing:
        return slowest
    after = _pace([max(each, 1e-3) for each in seen.closing])
    return slowest.plus(after.of(1))


# --- how many units there are -----------------------------------------------------------------------------------


def _ends(seen: Seen, rest: int) -> dict[int, float]:
    """How many whole units come after the open one, and with what chance, where the run may stop early."""
    assert seen.early is not None
    begun = 0 if seen.elapsed is None or not seen.left else 1
    patience, losses = max(1, seen.early.patience), seen.early.losses
    waited, fell = _waited(losses)
    horizon = min(rest + begun, _FURTHEST)
    # The chance of each number of units waited in vain, unit by unit.
    chances = {min(waited, patience - 1): 1.0}
    ends: dict[int, float] = {}
    for ahead in range(1, horizon + 1):
        falls = _chance_to_fall(len(losses) + ahead, fell, len(losses))
        following: dict[int, float] = {0: 0.0}
        for vain, chance in chances.items():
            following[0] += chance * falls
            if vain + 1 < patience:
                following[vain + 1] = following.get(vain + 1, 0.0) + chance * (1 - falls)
            else:
                units = max(0, ahead - begun)
                ends[units] = ends.get(units, 0.0) + chance * (1 - falls)
        chances = following
    ends[rest] = ends.get(rest, 0.0) + fsum(chances.values())
    return ends


def _waited(losses: Sequence[float]) -> tuple[int, list[int]]:
    """For how many units the loss has not fallen below its least, and at which units it fell."""
    best: float | None = None
    fell = []
    for number, loss in enumerate(losses, 1):
        if best is None or loss < best:
            best = loss
            fell.append(number)
    return (len(losses) - fell[-1] if fell else 0), fell


def _chance_to_fall(number: int, fell: Sequence[int], known: int) -> float:
    """The chance that the loss of unit `number` is the least so far.

    A loss that only scatters has a new least with chance 1/n; one that still falls has more. What the last units did is
    carried on, and fades.
    """
    recent = min(8, known)
    share = (sum(1 for at in fell if at > known - recent) + 0.5) / (recent + 1) if recent else 0.5
    fades = 0.94 ** (number - known - 1)
    return max(1 / number, share * fades)


def _middle(ends: dict[int, float]) -> int:
    below = 0.0
    for units in sorted(ends):
        below += ends[units]
        if below >= 0.5:
            return units
    return max(ends)


# --- distributions ----------------------------------------------------------------------------------------------


def _quantile(total: _Sum, deviate: float, freedom: float) -> float:
    """The quantile of a sum, by its three moments, never below 0."""
    deviation = sqrt(max(total.variance, 0.0))
    if deviation <= 0:
        return max(0.0, total.mean)
    skewness = min(4.0, max(0.0, total.third / deviation**3))
    return max(0.0, total.mean + deviation * _pearson(_student(deviate, freedom), skewness))


def _mixed_quantile(sums: list[tuple[_Sum, float]], deviate: float, freedom: float) -> float:
    if len(sums) == 1:
        return _quantile(sums[0][0], deviate, freedom)
    wanted = 1 - _above(deviate)
    low, high = 0.0, max(_quantile(total, 6.0, freedom) for total, _ in sums)
    for _ in range(24):
        middle = (low + high) / 2
        below = fsum(chance * _below(total, middle, freedom) for total, chance in sums)
        low, high = (middle, high) if below < wanted else (low, middle)
    return high


def _below(total: _Sum, value: float, freedom: float) -> float:
    """The chance that a sum is at most `value`: `_quantile` the other way round."""
    deviation = sqrt(max(total.variance, 0.0))
    if deviation <= 0:
        return 1.0 if value >= total.mean else 0.0
    skewness = min(4.0, max(1e-6, total.third / deviation**3))
    reached = (value - total.mean) / deviation
    root = max(0.0, skewness * reached / 2 + 1) ** (1 / 3)
    student = 6 / skewness * (root - 1) + skewness / 6
    normal = student * (1 - 1 / (4 * freedom)) / sqrt(1 + student * student / (2 * freedom))
    return 1 - _above(normal)


def _pearson(deviate: float, skewness: float) -> float:
    """The deviate of a Pearson type III distribution (Wilson and Hilferty, 1931)."""
    if skewness < 1e-6:
        return deviate
    part = skewness / 6
    return 2 / skewness * (max(0.0, 1 + part * deviate - part * part) ** 3 - 1)


def _student(deviate: float, freedom: float) -> float:
    """Student's deviate from the normal one (Cornish and Fisher's expansion)."""
    cube = deviate**3
    return deviate + (cube + deviate) / (4 * freedom) + (5 * deviate**5 + 16 * cube + 3 * deviate) / (96 * freedom**2)


def _above(deviate: float) -> float:
    """The chance that a normal deviate is greater (a logistic form, good to 0.0002, with nothing to look up)."""
    return (1 - tanh(deviate * (0.7978845608 + 0.0356774 * deviate * deviate))) / 2
