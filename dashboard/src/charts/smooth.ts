/** Smoothing, which is off unless somebody asks for it, and never without the raw line beside it. */

import type { PlotSeries, PlotSpec } from "./plot";

/** How much each smoothed value keeps of the one before it; "off" is none. */
export const SMOOTHINGS = { off: 0, some: 0.6, much: 0.9 } as const;
export type Smoothing = keyof typeof SMOOTHINGS;
export const SMOOTHING_NAMES = Object.keys(SMOOTHINGS) as Smoothing[];

/** An exponential moving average, step by step. It begins at its first value and begins anew after a gap. */
export class Average {
  #sum = 0;
  #weights = 0;

  constructor(readonly weight: number) {}

  copy(): Average {
    const copy = new Average(this.weight);
    copy.#sum = this.#sum;
    copy.#weights = this.#weights;
    return copy;
  }

  next(value: number | null): number | null {
    if (value === null) {
      this.#sum = 0;
      this.#weights = 0;
      return null;
    }
    // Divided by the weights so far, as Adam does, or the first values would be drawn to zero.
    this.#sum = this.weight * this.#sum + (1 - this.weight) * value;
    this.#weights = this.weight * this.#weights + (1 - this.weight);
    return this.#sum / this.#weights;
  }
}

export function smoothed(y: readonly (number | null)[], weight: number): (number | null)[] {
  const average = new Average(weight);
  return y.map((value) => average.next(value));
}

/** The raw line, faint, and what the smoothed one is called and looks like. */
export function rawAndSmooth(
  series: PlotSeries,
  y: readonly (number | null)[],
  x: readonly number[],
  smoothing: Smoothing,
): PlotSeries[] {
  return [
    { ...series, alpha: 0.3, width: 1 },
    {
      label: `${series.label}, smoothed ${SMOOTHINGS[smoothing]}`,
      look: series.look,
      points: { x, y },
      marked: false,
      smooth: true,
      width: 2,
    },
  ];
}

/** The same chart with a smoothed line over each raw one that has none yet. */
export function withSmoothing(spec: PlotSpec, smoothing: Smoothing): PlotSpec {
  if (smoothing === "off") return spec;
  const has = (label: string) => spec.series.some((each) => each.label.startsWith(`${label}, smoothed`));
  return {
    ...spec,
    series: spec.series.flatMap((each) =>
      each.reference || each.tail || each.smooth || has(each.label)
        ? [each]
        : rawAndSmooth(each, smoothed(each.points.y, SMOOTHINGS[smoothing]), each.points.x, smoothing),
    ),
  };
}
