/** Columns for charts: points of several series joined on x, with the difference between "not here" and "missing" kept. */

import uPlot from "uplot";

/** One series as two columns of the same length; `y` is `null` where a value is missing, which breaks the line. */
export interface Points {
  x: readonly number[];
  y: readonly (number | null)[];
  /** Least and greatest of an interval, drawn as a band. */
  low?: readonly (number | null)[];
  high?: readonly (number | null)[];
}

export const NO_POINTS: Points = { x: [], y: [] };

/**
 * Joins the series on x. Where a series simply has no point at another's x stands `undefined`, which a line crosses;
 * an explicit `null` is a gap and stays one.
 *
 * @param firstIsAxis The first one only lends its x values and becomes no column.
 */
export function joinColumns(series: readonly Points[], firstIsAxis = false): uPlot.AlignedData {
  const tables = series.map((points, i): uPlot.AlignedData => {
    if (firstIsAxis && i === 0) return [points.x as number[]];
    const columns: [number[], ...(number | null)[][]] = [points.x as number[], points.y as (number | null)[]];
    if (points.low && points.high) {
      columns.push(points.low as (number | null)[], points.high as (number | null)[]);
    }
    return columns;
  });
  if (tables.length === 0) return [[]];
  return uPlot.join(
    tables,
    tables.map((table) => table.map(() => 1)),
  );
}

/** The place of the last x at or before `at`; -1 before the first. `xs` must rise. */
export function lastAtOrBefore(xs: readonly number[], at: number): number {
  let low = 0;
  let high = xs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((xs[middle] ?? Number.POSITIVE_INFINITY) <= at) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The place of the x nearest to `at`; -1 when there is none. */
export function nearest(xs: readonly number[], at: number): number {
  const before = lastAtOrBefore(xs, at);
  if (before < 0) return xs.length > 0 ? 0 : -1;
  const left = xs[before];
  const right = xs[before + 1];
  if (left === undefined || right === undefined) return before;
  return right - at < at - left ? before + 1 : before;
}

/** Puts a `null` between two points that lie further apart in time than a gap may be, so that the line breaks there. */
export function breakAtGaps(
  points: Points,
  times: readonly number[],
  gap: number,
): { points: Points; gaps: { from: number; to: number; seconds: number }[] } {
  const x: number[] = [];
  const y: (number | null)[] = [];
  const gaps: { from: number; to: number; seconds: number }[] = [];
  points.x.forEach((at, i) => {
    const before = points.x[i - 1];
    const time = times[i];
    const timeBefore = times[i - 1];
    if (before !== undefined && time !== undefined && timeBefore !== undefined && time - timeBefore > gap) {
      x.push((before + at) / 2);
      y.push(null);
      gaps.push({ from: before, to: at, seconds: time - timeBefore });
    }
    x.push(at);
    y.push(points.y[i] ?? null);
  });
  return { points: { x, y }, gaps };
}

/**
 * The same curve with at most `2 × buckets` points: the least and the greatest of each bucket in their order, and every
 * `null`, so that no spike and no gap is lost.
 */
export function thin(points: Points, buckets: number): Points {
  const length = points.x.length;
  if (length <= 2 * buckets || buckets < 1) return points;
  const x: number[] = [];
  const y: (number | null)[] = [];
  const size = length / buckets;
  for (let bucket = 0; bucket < buckets; bucket++) {
    const from = Math.floor(bucket * size);
    const to = Math.min(length, Math.floor((bucket + 1) * size));
    for (const i of keepers(points.y, from, to)) {
      x.push(points.x[i] ?? 0);
      y.push(points.y[i] ?? null);
    }
  }
  return { x, y };
}

function keepers(y: readonly (number | null)[], from: number, to: number): number[] {
  let least = -1;
  let most = -1;
  const kept = new Set<number>();
  for (let i = from; i < to; i++) {
    const value = y[i];
    if (value == null) {
      // One missing value is enough to break the line here.
      if (i === from || y[i - 1] != null) kept.add(i);
      continue;
    }
    if (least < 0 || value < (y[least] ?? Number.POSITIVE_INFINITY)) least = i;
    if (most < 0 || value > (y[most] ?? Number.NEGATIVE_INFINITY)) most = i;
  }
  if (least >= 0) kept.add(least);
  if (most >= 0) kept.add(most);
  return [...kept].sort((a, b) => a - b);
}
