/**
 * What an axis shows: the planned range of x from the start, and a y range that grows in round steps.
 * Pure functions; nothing here knows a canvas.
 */

/** The unit steps an axis may have: 1, 2, 5 and their powers of ten. */
const UNITS = [1, 2, 5, 10] as const;

/** The least step of the form 1, 2 or 5 times a power of ten that cuts `span` into at most `parts` parts. */
export function roundStep(span: number, parts: number): number {
  if (!(span > 0) || !(parts > 0)) return 1;
  const rough = span / parts;
  const power = 10 ** Math.floor(Math.log10(rough));
  for (const unit of UNITS) {
    // The tolerance keeps 0.1 / 0.1 = 1.0000000000000002 from jumping to the next step.
    if (unit * power >= rough * (1 - 1e-9)) return unit * power;
  }
  return 10 * power;
}

/** Round numbers from `from` to `to`, both included when they are multiples of the step. */
export function ticks(from: number, to: number, step: number): number[] {
  const first = Math.ceil(from / step - 1e-9);
  const last = Math.floor(to / step + 1e-9);
  const found: number[] = [];
  for (let i = first; i <= last && found.length < 200; i++) found.push(tidy(i * step));
  return found;
}

/** 0.30000000000000004 is 0.3. */
export function tidy(value: number): number {
  return Number(value.toPrecision(12));
}

/** The range reserved on an axis of rounds: 5, 10, 20, 50, 100, 200, 500 … so it grows seldom and by a lot. */
export function plannedRange(reached: number): number {
  let end = 5;
  for (let power = 1; ; power *= 10) {
    for (const unit of [5, 10, 20] as const) {
      end = unit * power;
      if (end >= reached) return end;
    }
  }
}

/** Ticks of an axis of whole epochs or rounds: never a fraction of one. */
export function wholeTicks(from: number, to: number, pixels: number, least = 40): number[] {
  const step = Math.max(1, roundStep(to - from, Math.max(1, Math.floor(pixels / least))));
  return ticks(from, to, step);
}

/** A range with the ticks inside it. */
export interface Scale {
  min: number;
  max: number;
  ticks: number[];
}

/**
 * The y range of a rate, which has 1 as its ceiling: the floor falls in round steps as values need it, so
 * the curve keeps its place while it climbs.
 */
export function rateScale(values: Iterable<number | null | undefined>, parts = 5): Scale {
  let least = 1;
  for (const value of values) if (value != null && Number.isFinite(value) && value < least) least = value;
  // A floor a little below the least value, but never a chart taller than what there is to see.
  const span = Math.max(0.05, Math.min(1, (1 - least) * 1.05));
  const step = roundStep(span, parts);
  const min = Math.max(0, tidy(Math.floor((1 - span) / step + 1e-9) * step));
  return { min, max: 1, ticks: ticks(min, 1, step) };
}

/** The y range of a loss: from zero (or below, where a loss is negative) to a round number above the greatest value. */
export function lossScale(values: Iterable<number | null | undefined>, parts = 4): Scale {
  let least = 0;
  let most = 0;
  for (const value of values) {
    if (value == null || !Number.isFinite(value)) continue;
    if (value > most) most = value;
    if (value < least) least = value;
  }
  if (most === least) most = least + 1;
  const step = roundStep(most - least, parts);
  const min = tidy(Math.floor(least / step + 1e-9) * step);
  const max = tidy(Math.ceil(most / step - 1e-9) * step);
  return { min, max: max === min ? min + step : max, ticks: ticks(min, max, step) };
}

/** A logarithmic range in whole decades; values at or below zero have no place on it. */
export function logScale(values: Iterable<number | null | undefined>): Scale {
  let least = Number.POSITIVE_INFINITY;
  let most = 0;
  for (const value of values) {
    if (value == null || !(value > 0) || !Number.isFinite(value)) continue;
    if (value > most) most = value;
    if (value < least) least = value;
  }
  if (most === 0) return { min: 0.1, max: 1, ticks: [0.1, 1] };
  const from = Math.floor(Math.log10(least) + 1e-9);
  const to = Math.max(from + 1, Math.ceil(Math.log10(most) - 1e-9));
  const found: number[] = [];
  for (let power = from; power <= to; power++) found.push(tidy(10 ** power));
  return { min: tidy(10 ** from), max: tidy(10 ** to), ticks: found };
}

/**
 * A range that only ever grows, and at most once per `turn` (an epoch or a round): between two turns it grows only
 * when a value would leave the chart.
 */
export function growOnly(before: Scale | null, next: Scale): Scale {
  if (!before) return next;
  if (next.min >= before.min && next.max <= before.max) return before;
  const min = Math.min(before.min, next.min);
  const max = Math.max(before.max, next.max);
  const step = roundStep(max - min, 5);
  return {
    min: tidy(Math.floor(min / step + 1e-9) * step),
    max: tidy(Math.ceil(max / step - 1e-9) * step),
    ticks: ticks(min, max, step),
  };
}

/** How a tick is written: as many decimals as its step needs, the minus sign U+2212, thousands as 20k. */
export function tickText(value: number, step: number): string {
  const size = Math.abs(value);
  if (size >= 10_000) {
    const thousands = value / 1000;
    return `${minus(Number.isInteger(thousands) ? String(thousands) : thousands.toFixed(1))}k`;
  }
  const decimals = step >= 1 ? 0 : Math.min(8, Math.ceil(-Math.log10(step) - 1e-9));
  return minus(value.toFixed(decimals));
}

/** The true minus sign, which is as wide as a plus. */
export function minus(text: string): string {
  return text.startsWith("-") ? `\u2212${text.slice(1)}` : text;
}

/** The labels of several ticks, all with the same decimals. */
export function tickTexts(values: readonly number[]): string[] {
  let step = 1;
  const [first, second] = values;
  if (first !== undefined && second !== undefined) step = Math.abs(second - first);
  return values.map((value) => tickText(value, step));
}

/** Round ticks of a part of an axis, as it is shown when zoomed. */
export function ticksWithin(
  from: number,
  to: number,
  parts: number,
): { ticks: readonly number[]; texts: readonly string[] } {
  const found = ticks(from, to, roundStep(to - from, parts));
  return { ticks: found, texts: tickTexts(found) };
}
