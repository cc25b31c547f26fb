/**
 * When a run will end: the page's own copy of `hub/forecast.py`, held to the same figures by
 * `tests/recordings/forecasts.json`. What it rests on is told there.
 */

import { median } from "./wording";

const MEDIAN = 0;
const BOUND = 1.2815515655446004;
const PRIOR_UNITS = 3;
const PRIOR_DEVIATION = 0.08;
const PRIOR_SKEWNESS = 1;
const WANDER = 0.016;
const STRAGGLERS = 0.3;
const STRAGGLERS_AMONG = 15;
const STRAGGLER = { once: 1.2, square: 2, cube: 4 };
const START_UP = 1.4;
const CLOSING = 0.1;
const CLOSING_DEVIATION = 0.08;
const OVERDUE = 0.5;
const OVERDUE_SKEWNESS = 2;
const FURTHEST = 200;

/** Somebody in the middle of a unit: seconds its last units took, and seconds since it began this one. */
export interface Open {
  readonly durations: readonly number[];
  readonly elapsed: number;
}

/** What is known of a run's pace; a unit is an epoch or a round. */
export interface Seen {
  readonly durations: readonly number[];
  readonly left: number;
  readonly elapsed: number | null;
  readonly waiting: readonly Open[];
  readonly closing: readonly number[];
  readonly early: { readonly patience: number; readonly losses: readonly number[] } | null;
}

/** Seconds that are left, as a median and a bound that nine of ten keep: the run, and the open epoch or round. */
export interface Forecast {
  readonly run_p50_s: number;
  readonly run_p90_s: number;
  readonly unit_p50_s: number | null;
  readonly unit_p90_s: number | null;
  readonly units_p50: number | null;
}

interface Sum {
  readonly mean: number;
  readonly variance: number;
  readonly third: number;
}

interface Pace {
  readonly mean: number;
  readonly deviation: number;
  readonly skewness: number;
  readonly freedom: number;
  readonly units: number;
  readonly persistence: number;
}

/** Seconds left of the run and of its open unit; `null` before the first unit is over. */
export function forecast(seen: Seen): Forecast | null {
  const durations = seen.durations.filter((duration) => duration > 0);
  if (durations.length === 0 || seen.left < 0) return null;
  const pace = paceOf(durations);
  const unit = seen.elapsed === null || seen.left === 0 ? null : openUnit(seen, pace, seen.elapsed);
  const closing = {
    mean: CLOSING * pace.mean,
    variance: (CLOSING_DEVIATION * pace.mean) ** 2,
    third: 0,
  };
  const first = unit === null ? closing : plus(closing, unit);
  const begun = unit === null ? 0 : 1;
  const rest = seen.left - begun;
  const ends = seen.early === null ? new Map([[rest, 1]]) : endsOf(seen, seen.early, rest);
  const sums = [...ends].map(([units, chance]) => ({ total: plus(first, many(pace, units)), chance }));
  const p50 = mixedQuantile(sums, MEDIAN, pace.freedom);
  const p90 = mixedQuantile(sums, BOUND, pace.freedom);
  return {
    run_p50_s: p50,
    run_p90_s: Math.max(p50, p90),
    unit_p50_s: unit === null ? null : quantile(unit, MEDIAN, pace.freedom),
    unit_p90_s: unit === null ? null : quantile(unit, BOUND, pace.freedom),
    units_p50: seen.early === null ? null : middleOf(ends) + begun,
  };
}

// --- what one unit takes

function paceOf(durations: readonly number[]): Pace {
  const first = durations[0] ?? 0;
  const others = durations.slice(1);
  const told = others.length > 0 && first > START_UP * median(others) ? others : durations;
  const count = told.length;
  const mean = sumOf(told) / count;
  const squares = sumOf(told.map((each) => (each - mean) ** 2));
  const freedom = count - 1 + PRIOR_UNITS;
  const deviation = Math.sqrt((squares + PRIOR_UNITS * (PRIOR_DEVIATION * mean) ** 2) / freedom);
  const skewness = sumOf(told.map((each) => ((each - mean) / deviation) ** 3)) / count;
  const known = Math.min(3, Math.max(0, skewness));
  return {
    mean,
    deviation,
    skewness: (count * known + PRIOR_UNITS * PRIOR_SKEWNESS) / (count + PRIOR_UNITS),
    freedom,
    units: count,
    persistence: persistenceOf(told, mean, squares),
  };
}

function persistenceOf(told: readonly number[], mean: number, squares: number): number {
  const count = told.length;
  if (count < 4 || squares <= 0) return 1;
  const together = sumOf(told.slice(1).map((each, index) => ((told[index] ?? 0) - mean) * (each - mean)));
  const lag = Math.min(0.8, Math.max(0, ((together / squares) * count) / (count + 3)));
  return (1 + lag) / (1 - lag);
}

/** So many units, what is not known of the mean counted in. */
function many(pace: Pace, units: number): Sum {
  const spread = pace.deviation ** 2 * pace.persistence;
  const wander = (WANDER * pace.mean) ** 2 * units * units * (units / 3 + pace.units / 3);
  const long = (units * STRAGGLERS) / (STRAGGLERS_AMONG + pace.units);
  return {
    mean: units * pace.mean + long * STRAGGLER.once * pace.mean,
    variance:
      spread * (units + (units * units) / (pace.units + 1)) +
      wander +
      long * STRAGGLER.square * pace.mean ** 2,
    third: units * pace.skewness * pace.deviation ** 3 + long * STRAGGLER.cube * pace.mean ** 3,
  };
}

/** What is left of one that began `elapsed` seconds ago, by a logistic distribution: its tail stays tame. */
function restOf(pace: Pace, elapsed: number): Sum {
  const one = pace.deviation * Math.sqrt(1 + 1 / pace.units);
  const scale = (one * Math.sqrt(3)) / Math.PI;
  const ahead = (elapsed - pace.mean) / scale;
  const expected = ahead < -30 ? pace.mean - elapsed : scale * restInScales(ahead);
  const overdue = OVERDUE * Math.max(0, elapsed - pace.mean);
  const deviation = Math.max(Math.min(one, expected), overdue);
  const mean = Math.max(expected, overdue);
  const skewness = pace.skewness + ((OVERDUE_SKEWNESS - pace.skewness) * overdue) / mean;
  return { mean, variance: deviation ** 2, third: skewness * deviation ** 3 };
}

function restInScales(ahead: number): number {
  return ahead > 30 ? 1 : (1 + Math.exp(ahead)) * Math.log1p(Math.exp(-ahead));
}

function openUnit(seen: Seen, pace: Pace, elapsed: number): Sum {
  const known = seen.waiting.filter((each) => each.durations.length > 0);
  if (known.length === 0 || known.length < seen.waiting.length) return restOf(pace, elapsed);
  const rests = known.map((each) => restOf(paceOf(each.durations), each.elapsed));
  const slowest = rests.reduce((found, each) => (each.mean > found.mean ? each : found));
  if (seen.closing.length === 0) return slowest;
  return plus(slowest, many(paceOf(seen.closing.map((each) => Math.max(each, 1e-3))), 1));
}

// --- how many units there are

/** How many whole units come after the open one, and with what chance, where the run may stop early. */
function endsOf(seen: Seen, early: NonNullable<Seen["early"]>, rest: number): Map<number, number> {
  const begun = seen.elapsed === null || seen.left === 0 ? 0 : 1;
  const patience = Math.max(1, early.patience);
  const { losses } = early;
  const { waited, fell } = waitedFor(losses);
  const horizon = Math.min(rest + begun, FURTHEST);
  let chances = new Map([[Math.min(waited, patience - 1), 1]]);
  const ends = new Map<number, number>();
  for (let ahead = 1; ahead <= horizon; ahead++) {
    const falls = chanceToFall(losses.length + ahead, fell, losses.length);
    const following = new Map([[0, 0]]);
    for (const [vain, chance] of chances) {
      add(following, 0, chance * falls);
      if (vain + 1 < patience) add(following, vain + 1, chance * (1 - falls));
      else add(ends, Math.max(0, ahead - begun), chance * (1 - falls));
    }
    chances = following;
  }
  add(ends, rest, sumOf([...chances.values()]));
  return ends;
}

function waitedFor(losses: readonly number[]): { waited: number; fell: readonly number[] } {
  let best: number | null = null;
  const fell: number[] = [];
  losses.forEach((loss, index) => {
    if (best !== null && loss >= best) return;
    best = loss;
    fell.push(index + 1);
  });
  return { waited: losses.length - (fell.at(-1) ?? losses.length), fell };
}

function chanceToFall(number: number, fell: readonly number[], known: number): number {
  const recent = Math.min(8, known);
  const fallen = fell.filter((at) => at > known - recent).length;
  const share = recent > 0 ? (fallen + 0.5) / (recent + 1) : 0.5;
  return Math.max(1 / number, share * 0.94 ** (number - known - 1));
}

function middleOf(ends: ReadonlyMap<number, number>): number {
  let below = 0;
  const ordered = [...ends].sort(([one], [other]) => one - other);
  for (const [units, chance] of ordered) {
    below += chance;
    if (below >= 0.5) return units;
  }
  return ordered.at(-1)?.[0] ?? 0;
}

// --- distributions

function quantile(total: Sum, deviate: number, freedom: number): number {
  const deviation = Math.sqrt(Math.max(total.variance, 0));
  if (deviation <= 0) return Math.max(0, total.mean);
  const skewness = Math.min(4, Math.max(0, total.third / deviation ** 3));
  return Math.max(0, total.mean + deviation * pearson(student(deviate, freedom), skewness));
}

function mixedQuantile(
  sums: readonly { readonly total: Sum; readonly chance: number }[],
  deviate: number,
  freedom: number,
): number {
  const only = sums.length === 1 ? sums[0] : undefined;
  if (only) return quantile(only.total, deviate, freedom);
  const wanted = 1 - above(deviate);
  let low = 0;
  let high = Math.max(...sums.map(({ total }) => quantile(total, 6, freedom)));
  for (let turn = 0; turn < 24; turn++) {
    const middle = (low + high) / 2;
    const reached = sumOf(sums.map(({ total, chance }) => chance * below(total, middle, freedom)));
    if (reached < wanted) low = middle;
    else high = middle;
  }
  return high;
}

/** The chance that a sum is at most `value`: `quantile` the other way round. */
function below(total: Sum, value: number, freedom: number): number {
  const deviation = Math.sqrt(Math.max(total.variance, 0));
  if (deviation <= 0) return value >= total.mean ? 1 : 0;
  const skewness = Math.min(4, Math.max(1e-6, total.third / deviation ** 3));
  const reached = (value - total.mean) / deviation;
  const root = Math.max(0, (skewness * reached) / 2 + 1) ** (1 / 3);
  const deviate = (6 / skewness) * (root - 1) + skewness / 6;
  const normal = (deviate * (1 - 1 / (4 * freedom))) / Math.sqrt(1 + (deviate * deviate) / (2 * freedom));
  return 1 - above(normal);
}

function pearson(deviate: number, skewness: number): number {
  if (skewness < 1e-6) return deviate;
  const part = skewness / 6;
  return (2 / skewness) * (Math.max(0, 1 + part * deviate - part * part) ** 3 - 1);
}

function student(deviate: number, freedom: number): number {
  const cube = deviate ** 3;
  return (
    deviate +
    (cube + deviate) / (4 * freedom) +
    (5 * deviate ** 5 + 16 * cube + 3 * deviate) / (96 * freedom ** 2)
  );
}

function above(deviate: number): number {
  return (1 - Math.tanh(deviate * (0.7978845608 + 0.0356774 * deviate * deviate))) / 2;
}

// --- small things

function plus(one: Sum, other: Sum): Sum {
  return {
    mean: one.mean + other.mean,
    variance: one.variance + other.variance,
    third: one.third + other.third,
  };
}

function add(to: Map<number, number>, key: number, value: number): void {
  to.set(key, (to.get(key) ?? 0) + value);
}

function sumOf(values: readonly number[]): number {
  return values.reduce((total, each) => total + each, 0);
}
