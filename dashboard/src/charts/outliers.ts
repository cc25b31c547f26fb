/** A y range that a few values far away do not flatten. They are marked at the edge with their number and extreme. */

import type { PlotSeries } from "./plot";

/** Below this many values none is far away from the others. */
const FEWEST = 8;
/** At most this share of the values may lie outside … */
const SHARE = 0.02;
/** … and only where the rest takes less than a quarter of the range. */
const TIMES = 4;

/** The values that decide the range: all of them, or all but a few that lie far above or far below the others. */
export function withoutOutliers(values: Iterable<number | null | undefined>): number[] {
  const told: number[] = [];
  for (const value of values) if (value != null && Number.isFinite(value)) told.push(value);
  if (told.length < FEWEST) return told;
  told.sort((a, b) => a - b);
  const few = Math.max(1, Math.floor(told.length * SHARE));
  const kept = told.slice(0, endOfRest(told, few));
  const rest = span(told) > TIMES * span(kept) && span(kept) > 0 ? kept : told;
  const turned = rest.map((value) => -value).reverse();
  const keptBelow = turned
    .slice(0, endOfRest(turned, few))
    .map((value) => -value)
    .reverse();
  return span(rest) > TIMES * span(keptBelow) && span(keptBelow) > 0 ? keptBelow : rest;
}

/** Where the few greatest begin: after the widest step among them, so that none of the others goes with them. */
function endOfRest(sorted: readonly number[], few: number): number {
  let end = sorted.length;
  let widest = 0;
  for (let i = sorted.length - few; i < sorted.length; i++) {
    const step = (sorted[i] ?? 0) - (sorted[i - 1] ?? 0);
    if (step > widest) {
      widest = step;
      end = i;
    }
  }
  return end;
}

function span(sorted: readonly number[]): number {
  return (sorted[sorted.length - 1] ?? 0) - (sorted[0] ?? 0);
}

/** How many values lie outside a y range, and how far the farthest of them. */
export interface Outside {
  readonly above: number;
  readonly most: number;
  readonly below: number;
  readonly least: number;
}

/** What of the curves lies outside `min` to `max`; `null` where nothing does. */
export function outsideOf(series: readonly PlotSeries[], min: number, max: number): Outside | null {
  let above = 0;
  let below = 0;
  let most = max;
  let least = min;
  for (const { points, smooth } of series) {
    if (smooth) continue;
    for (const value of points.y) {
      if (value === null) continue;
      if (value > max) above += 1;
      if (value < min) below += 1;
      if (value > most) most = value;
      if (value < least) least = value;
    }
  }
  return above + below === 0 ? null : { above, most, below, least };
}

/** "2 values above, up to 40" */
export function outsideWords(outside: Outside): string {
  const number = (value: number) => String(Number(value.toPrecision(3))).replace("-", "\u2212");
  const parts = [];
  if (outside.above > 0)
    parts.push(`${outside.above} ${plural(outside.above)} above, up to ${number(outside.most)}`);
  if (outside.below > 0)
    parts.push(`${outside.below} ${plural(outside.below)} below, down to ${number(outside.least)}`);
  return parts.join("; ");
}

function plural(n: number): string {
  return n === 1 ? "value" : "values";
}
