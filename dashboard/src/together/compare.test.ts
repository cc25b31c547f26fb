import { describe, expect, it } from "vitest";
import { fold } from "../client/fold";
import { emptyModel, type RunModel } from "../client/model";
import {
  difference,
  differencePoints,
  dimmedAxes,
  drawnOf,
  intervalWords,
  linesOf,
  scaleRoundZero,
  valueAt,
  verdictOf,
  whatDiffers,
} from "./compare";
import { MOST_RUNS, runsIn, runsText } from "./runsInUrl";

const T0 = Date.parse("2026-11-24T10:00:00Z");
const at = (s: number): string => new Date(T0 + s * 1000).toISOString();

function central(id: string, values: readonly number[], config: object = {}): RunModel {
  const data = { splits: { train: { n: 1000 }, val: { n: 100, normal: 40, pneumonia: 60 } } };
  const messages = [
    { type: "run_start", timestamp: at(0), experiment_name: id, mode: "centralized", data, config },
    ...values.map((val_recall, i) => ({
      type: "epoch_end",
      timestamp: at(10 * (i + 1)),
      epoch: i + 1,
      phase: "val",
      metrics: { val_recall },
    })),
  ];
  return fold(
    emptyModel(id),
    messages.map((message, i) => ({ run_id: id, offset: i + 1, ...message })) as never,
  );
}

describe("the runs of an address", () => {
  it("stand once each, in their order, ten at most", () => {
    expect(runsIn("a,b,a,,c")).toEqual(["a", "b", "c"]);
    expect(runsIn(null)).toEqual([]);
    expect(runsIn(Array.from({ length: 14 }, (_, i) => `r${i}`).join())).toHaveLength(MOST_RUNS);
  });

  it("may have commas and per cents in their names", () => {
    const ids = ["a,b", "50%2C", "c"];
    expect(runsIn(runsText(ids))).toEqual(ids);
  });
});

describe("a run at an x", () => {
  const points = { x: [1, 2, 2.5, 3], y: [0.8, 0.9, null, 0.95] };

  it("has its last value at or before it, and nothing before its first, in a gap, or beyond its last", () => {
    expect([0.5, 1, 1.9, 2, 2.7, 3, 3.1].map((x) => valueAt(points, x)?.value ?? null)).toEqual([
      null,
      0.8,
      0.8,
      0.9,
      null,
      0.95,
      null,
    ]);
  });
});

describe("the difference of two runs", () => {
  it("has the interval of Newcombe's own example", () => {
    // 56 of 70 and 48 of 80, R. G. Newcombe (1998), table II: 0.0524 to 0.3339.
    const a = { value: 48 / 80, x: 0, interval: { low: 0.4905, high: 0.7005 } };
    const b = { value: 56 / 70, x: 0, interval: { low: 0.6918, high: 0.8769 } };
    const { value, interval } = difference(a, b);
    expect(value).toBeCloseTo(0.2, 6);
    expect(interval?.low).toBeCloseTo(0.0524, 3);
    expect(interval?.high).toBeCloseTo(0.3339, 3);
  });

  it("is told where both have been, at the places of the one that told less", () => {
    const often = { x: [1, 2, 3, 4], y: [0.5, 0.6, 0.7, 0.8] };
    const seldom = { x: [2.5, 5], y: [0.4, 0.9] };
    const found = differencePoints(often, seldom);
    expect(found.x).toEqual([2.5, 4]);
    expect(found.y.map((value) => Number(value?.toFixed(6)))).toEqual([-0.2, -0.4]);
  });

  it("is not told across a gap", () => {
    const found = differencePoints(
      { x: [1, 1.5, 2, 3], y: [0.5, null, null, 0.7] },
      { x: [1, 2, 3], y: [0.4, 0.5, 0.6] },
    );
    expect(found.y[1]).toBeNull();
    expect(found.x).toEqual([1, 2, 3]);
  });

  it("stands on a scale that holds zero", () => {
    expect(scaleRoundZero([0.02, 0.031])).toMatchObject({ min: 0, max: 0.04 });
    expect(scaleRoundZero([-0.15, null])).toMatchObject({ min: -0.15, max: 0 });
    const empty = scaleRoundZero([]);
    expect(empty.max).toBeGreaterThan(empty.min);
  });
});

describe("the sentence", () => {
  const good = central("good", [0.9, 0.95, 0.95]);
  const weak = central("weak", [0.5, 0.6]);

  it("speaks of the last x that both have", () => {
    const drawn = drawnOf(linesOf([good, weak]), "val_recall", "images");
    const { first, second } = verdictOf(drawn, "val_recall", "images");
    expect(first).toBe("After the same 2,000 images, weak is 0.350 below good in validation recall");
    expect(second).toMatch(/^\(95% interval 0\.\d{3} to 0\.\d{3} below, n 100 each\)\.$/);
  });

  it("says when an interval holds no difference", () => {
    expect(intervalWords({ low: -0.02, high: 0.01 })).toBe(
      "95% interval 0.020 below to 0.010 above: it holds no difference",
    );
    expect(intervalWords({ low: 0.01, high: 0.03 })).toBe("95% interval 0.010 to 0.030 above");
  });

  it("names several against the first, and asks for a second where there is one", () => {
    const lines = linesOf([good, weak, central("equal", [0.9, 0.95, 0.95])]);
    const { second } = verdictOf(drawnOf(lines, "val_recall", "images"), "val_recall", "images");
    expect(second).toContain("equal level with, weak 0.350 below");
    expect(verdictOf(drawnOf(linesOf([good]), "val_recall", "images"), "val_recall", "images").first).toMatch(
      /second run/,
    );
  });
});

describe("what differs", () => {
  it("is only what does, and the rest is counted", () => {
    const one = central("one", [0.9], { learning_rate: 0.1, seed: 7 });
    const two = central("two", [0.9], { learning_rate: 0.2, seed: 7, dropout: 0.5 });
    const { differing, same } = whatDiffers([one, two]);
    expect(differing).toEqual([
      { name: "learning_rate", values: ["0.1", "0.2"] },
      { name: "dropout", values: ["not told", "0.5"] },
    ]);
    expect(same).toBeGreaterThan(1);
  });

  it("dims an axis that fewer than two can tell, with the reason", () => {
    const dimmed = dimmedAxes([central("one", [0.9]), central("two", [0.9])]);
    expect([...dimmed.keys()]).toEqual(["rounds", "bytes"]);
    expect(dimmed.get("rounds")).toBe(
      "one: a run on one machine has no rounds; two: a run on one machine has no rounds",
    );
  });
});
