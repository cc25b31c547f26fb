/** The one cursor that all charts of a screen share: an x value, or nothing; and the part of x they show. No React in here. */

export interface CursorValue {
  /** In the unit of the x axis. */
  x: number;
  /** Set by a chart's own pointer or keys; a chart that merely follows does not publish again. */
  source: string;
}

/** The part of an x axis that is shown. Of another axis (epochs, seconds) it says nothing. */
export interface Zoom {
  readonly axis: string;
  readonly range: readonly [number, number];
}

export class Cursor {
  #value: CursorValue | null = null;
  #zoom: Zoom | null = null;
  readonly #listeners = new Set<() => void>();

  /** A click holds the cursor where it is, in all charts, until the next one or Escape. */
  held = false;

  readonly get = (): CursorValue | null => this.#value;

  readonly set = (value: CursorValue | null): void => {
    if (value?.x === this.#value?.x) return;
    this.#value = value;
    for (const listener of this.#listeners) listener();
  };

  readonly getZoom = (): Zoom | null => this.#zoom;

  /** Zooms all charts that share this cursor; `null` shows the whole of each. */
  readonly setZoom = (zoom: Zoom | null): void => {
    this.#zoom = zoom;
    for (const listener of this.#listeners) listener();
  };

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
}

/** Where the cursor goes from `x` when a key is pressed; `stops` are the x values one can stand on. */
export function moveCursor(stops: readonly number[], x: number | null, key: string): number | null {
  const first = stops[0];
  const last = stops[stops.length - 1];
  if (first === undefined || last === undefined) return null;
  if (key === "Home") return first;
  if (key === "End" || x === null) return last;
  if (key === "ArrowRight") return stops.find((stop) => stop > x + 1e-9) ?? last;
  if (key === "ArrowLeft") return stops.findLast((stop) => stop < x - 1e-9) ?? first;
  return x;
}

/** The next x range of a chart after `+`, `−` or `0`; `null` is the whole of it. */
export function zoom(
  whole: readonly [number, number],
  now: readonly [number, number] | null,
  key: string,
  around: number | null,
): [number, number] | null {
  if (key === "0") return null;
  const [from, to] = now ?? whole;
  const factor = key === "+" || key === "=" ? 0.5 : key === "-" ? 2 : 1;
  const span = (to - from) * factor;
  if (factor === 1) return now ? [from, to] : null;
  if (span >= whole[1] - whole[0]) return null;
  if (span < (whole[1] - whole[0]) / 256) return [from, to];
  const middle = around !== null && around >= from && around <= to ? around : (from + to) / 2;
  const start = Math.min(Math.max(whole[0], middle - span / 2), whole[1] - span);
  return [start, start + span];
}
