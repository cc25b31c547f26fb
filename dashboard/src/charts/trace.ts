/**
 * A long curve that grows at its end. Adding a point costs the same however many there are, and so does drawing: for any
 * part of it, at most about `2 × buckets` points come out, each bucket's least and greatest, and a `null` where one was,
 * so that no spike and no gap is lost.
 */

import type { Points } from "./columns";

/** Four points of one level make one of the next. */
const FOLD = 4;

/** Least and greatest of each bucket of one level, by their places; -1 where all are missing. */
interface Level {
  readonly least: number[];
  readonly most: number[];
  /** The place of a missing value of the bucket; -1 where it has none. */
  readonly gap: number[];
}

export class Trace {
  readonly x: number[] = [];
  readonly y: (number | null)[] = [];
  readonly #levels: Level[] = [];

  get length(): number {
    return this.x.length;
  }

  /** Adds a point right of all others; `null` is a gap. */
  push(x: number, y: number | null): void {
    const i = this.x.length;
    this.x.push(x);
    this.y.push(y);
    for (let depth = 0, size = FOLD; depth === 0 || size <= i + 1; depth++, size *= FOLD) {
      this.#levels[depth] ??= this.#made(size, i);
      this.#take(this.#levels[depth] as Level, Math.floor(i / size), i);
    }
  }

  /** Forgets all but the first `length` points. */
  truncate(length: number): void {
    if (length >= this.x.length) return;
    this.x.length = length;
    this.y.length = length;
    this.#levels.forEach((level, depth) => {
      const size = FOLD ** (depth + 1);
      const whole = Math.floor(length / size);
      for (const column of [level.least, level.most, level.gap]) column.length = whole;
      for (let i = whole * size; i < length; i++) this.#take(level, whole, i);
    });
  }

  /** The curve from `from` to `to`, with the point before and the one after, so that the line leaves at both edges. */
  view(from: number, to: number, buckets: number): Points {
    const first = Math.max(0, this.#firstAbove(from) - 1);
    const last = Math.min(this.x.length, this.#firstAbove(to) + 1);
    let depth = -1;
    let size = 1;
    while ((last - first) / size > 2 * buckets && this.#levels[depth + 1]) {
      depth += 1;
      size *= FOLD;
    }
    const level = this.#levels[depth];
    if (level === undefined) return { x: this.x.slice(first, last), y: this.y.slice(first, last) };
    const x: number[] = [];
    const y: (number | null)[] = [];
    const put = (i: number) => {
      x.push(this.x[i] ?? 0);
      y.push(this.y[i] ?? null);
    };
    for (let bucket = Math.floor(first / size); bucket * size < last; bucket++) {
      const found = [level.least[bucket] ?? -1, level.most[bucket] ?? -1, level.gap[bucket] ?? -1];
      const kept = [...new Set(found.filter((i) => i >= 0))];
      for (const i of kept.sort((a, b) => a - b)) put(i);
    }
    // The newest point is the end of the line, whatever its bucket keeps.
    const end = last - 1;
    if (end >= 0 && (x[x.length - 1] ?? Number.NEGATIVE_INFINITY) < (this.x[end] ?? 0)) put(end);
    return { x, y };
  }

  #made(size: number, until: number): Level {
    const level: Level = { least: [], most: [], gap: [] };
    for (let i = 0; i < until; i++) this.#take(level, Math.floor(i / size), i);
    return level;
  }

  #take(level: Level, bucket: number, i: number): void {
    const value = this.y[i] ?? null;
    const { least, most, gap } = level;
    least[bucket] ??= -1;
    most[bucket] ??= -1;
    gap[bucket] ??= -1;
    if (value === null) {
      gap[bucket] = i;
      return;
    }
    const low = this.y[least[bucket] ?? -1];
    const high = this.y[most[bucket] ?? -1];
    if (low == null || value < low) least[bucket] = i;
    if (high == null || value > high) most[bucket] = i;
  }

  /** The place of the first x above `at`. */
  #firstAbove(at: number): number {
    let low = 0;
    let high = this.x.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.x[middle] ?? 0) <= at) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
