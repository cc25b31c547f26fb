import { describe, expect, it } from "vitest";
import { lookOf } from "./marks";
import type { PlotSpec } from "./plot";
import { smoothed, withSmoothing } from "./smooth";

const axis = { min: 0, max: 1, ticks: [0, 1], texts: ["0", "1"] };
const spec: PlotSpec = {
  series: [{ label: "train", look: lookOf(0), marked: true, points: { x: [1, 2, 3], y: [1, null, 0] } }],
  x: axis,
  y: axis,
  stops: [1, 2, 3],
};

describe("smoothing", () => {
  it("begins at the first value, lags behind, and begins anew after a gap", () => {
    expect(smoothed([1, 1, 1], 0.9).map((value) => Number(value?.toFixed(9)))).toEqual([1, 1, 1]);
    const [first, second, gap, after] = smoothed([1, 0, null, 5], 0.6);
    expect(first).toBe(1);
    expect(second).toBeCloseTo(0.24 / 0.64, 9);
    expect(gap).toBeNull();
    expect(after).toBeCloseTo(5, 9);
  });

  it("is off by itself, and on is labelled and leaves the raw line there", () => {
    expect(withSmoothing(spec, "off")).toBe(spec);
    const on = withSmoothing(spec, "much");
    expect(on.series.map(({ label }) => label)).toEqual(["train", "train, smoothed 0.9"]);
    expect(on.series[0]?.points).toEqual(spec.series[0]?.points);
    expect(withSmoothing(on, "much").series).toHaveLength(2);
  });
});
