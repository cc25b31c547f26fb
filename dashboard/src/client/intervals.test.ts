import { describe, expect, it } from "vitest";
import { hanleyMcNeil, intervalOf, wilson, wilsonOfRate } from "./intervals";

const round = (interval: { low: number; high: number } | null) =>
  interval && [Number(interval.low.toFixed(3)), Number(interval.high.toFixed(3))];

describe("Wilson's interval", () => {
  it("agrees with published values", () => {
    // Newcombe, "Two-sided confidence intervals for the single proportion", Stat Med 17 (1998), table I, method 3.
    expect(wilson(81, 263)?.low).toBeCloseTo(0.2553, 4);
    expect(wilson(81, 263)?.high).toBeCloseTo(0.3662, 4);
    expect(wilson(15, 148)?.low).toBeCloseTo(0.0624, 4);
    expect(wilson(15, 148)?.high).toBeCloseTo(0.1605, 4);
    expect(round(wilson(0, 20))).toEqual([0, 0.161]);
    expect(wilson(1, 29)?.low).toBeCloseTo(0.0061, 4);
    expect(wilson(1, 29)?.high).toBeCloseTo(0.1718, 4);
  });

  it("gives the intervals of the pictures", () => {
    expect(round(wilson(378, 389))).toEqual([0.95, 0.984]);
    expect(round(wilsonOfRate(0.956, 135))).toEqual([0.906, 0.979]); // 129 of 135
    expect(round(wilson(164, 234))).toEqual([0.639, 0.756]);
  });

  it("is not guessed without cases", () => {
    expect(wilson(0, 0)).toBeNull();
    expect(wilson(3, 2)).toBeNull();
    expect(wilsonOfRate(0.5, null)).toBeNull();
    expect(wilsonOfRate(null, 10)).toBeNull();
    expect(wilsonOfRate(1.2, 10)).toBeNull();
  });
});

describe("Hanley and McNeil's interval", () => {
  it("gives the intervals of the pictures", () => {
    // The picture prints 0.996 (0.987 to 0.999) for a value between 0.9955 and 0.9965.
    expect(round(hanleyMcNeil(0.9958, 389, 135))).toEqual([0.987, 0.999]);
    expect(round(hanleyMcNeil(0.979, 389, 135))).toEqual([0.965, 0.987]);
    expect(round(hanleyMcNeil(0.962, 390, 234))).toEqual([0.945, 0.974]);
  });

  it("keeps a perfect ranking of few cases uncertain", () => {
    const perfect = hanleyMcNeil(1, 5, 4);
    expect(perfect?.high).toBe(1);
    expect(perfect?.low).toBeLessThan(0.9);
    expect(hanleyMcNeil(0, 5, 4)?.low).toBe(0);
  });

  it("needs both classes", () => {
    expect(hanleyMcNeil(0.9, 10, 0)).toBeNull();
    expect(hanleyMcNeil(0.9, null, 10)).toBeNull();
    expect(hanleyMcNeil(Number.NaN, 10, 10)).toBeNull();
  });
});

it("picks the interval by the metric's name", () => {
  const cases = { n: 524, normal: 135, pneumonia: 389 };
  expect(round(intervalOf("val_recall", 0.972, cases))).toEqual([0.95, 0.984]);
  expect(round(intervalOf("val_auroc", 0.979, cases))).toEqual([0.965, 0.987]);
  expect(intervalOf("val_precision", 0.9, cases)).toBeNull();
  expect(intervalOf("val_loss", 0.1, cases)).toBeNull();
  expect(intervalOf("val_accuracy", 0.9, { n: null, normal: null, pneumonia: null })).toBeNull();
});
