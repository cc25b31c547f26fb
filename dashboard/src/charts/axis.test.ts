import { describe, expect, it } from "vitest";
import {
  growOnly,
  logScale,
  lossScale,
  plannedRange,
  rateScale,
  roundStep,
  ticks,
  tickText,
  tickTexts,
  wholeTicks,
} from "./axis";

describe("roundStep", () => {
  it("is 1, 2 or 5 times a power of ten", () => {
    expect([
      roundStep(1, 5),
      roundStep(0.08, 4),
      roundStep(0.6, 4),
      roundStep(7, 3),
      roundStep(140_000, 7),
    ]).toEqual([0.2, 0.02, 0.2, 5, 20_000]);
  });
  it("survives an empty or impossible span", () => {
    expect([roundStep(0, 4), roundStep(Number.NaN, 4), roundStep(-1, 4), roundStep(3, 0)]).toEqual([
      1, 1, 1, 1,
    ]);
  });
});

describe("ticks", () => {
  it("has no rounding dust", () => {
    expect(ticks(0, 0.6, 0.2)).toEqual([0, 0.2, 0.4, 0.6]);
    expect(ticks(0.92, 1, 0.02)).toEqual([0.92, 0.94, 0.96, 0.98, 1]);
  });
  it("never counts a fraction of an epoch", () => {
    expect(wholeTicks(0, 3, 600)).toEqual([0, 1, 2, 3]);
    expect(wholeTicks(0, 10, 440)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(wholeTicks(0, 500, 440)).toEqual([0, 50, 100, 150, 200, 250, 300, 350, 400, 450, 500]);
  });
});

describe("plannedRange", () => {
  it("grows in the steps 5, 10, 20, 50, 100", () => {
    expect([0, 5, 6, 10, 11, 20, 21, 51, 101, 499].map(plannedRange)).toEqual([
      5, 5, 10, 10, 20, 20, 50, 100, 200, 500,
    ]);
  });
});

describe("scales", () => {
  it("keep 1 as the ceiling of a rate and a round floor", () => {
    expect(rateScale([0.958, 0.996, 0.94])).toEqual({
      min: 0.92,
      max: 1,
      ticks: [0.92, 0.94, 0.96, 0.98, 1],
    });
    expect(rateScale([])).toMatchObject({ min: 0.95, max: 1 });
    expect(rateScale([0.02, null, Number.NaN])).toMatchObject({ min: 0, max: 1 });
  });
  it("start a loss at zero", () => {
    expect(lossScale([0.59, 0.07, null])).toEqual({ min: 0, max: 0.6, ticks: [0, 0.2, 0.4, 0.6] });
    expect(lossScale([])).toMatchObject({ min: 0, max: 1 });
    expect(lossScale([-0.4, 0.3])).toMatchObject({ min: -0.4, max: 0.4 });
  });
  it("give a logarithm whole decades and no place for zero", () => {
    expect(logScale([0.6, 0.07, 0])).toEqual({ min: 0.01, max: 1, ticks: [0.01, 0.1, 1] });
    expect(logScale([0, -1])).toMatchObject({ min: 0.1, max: 1 });
  });
  it("only ever grow", () => {
    const before = { min: 0, max: 0.6, ticks: [0, 0.2, 0.4, 0.6] };
    expect(growOnly(before, { min: 0, max: 0.4, ticks: [] })).toBe(before);
    expect(growOnly(before, { min: 0, max: 0.8, ticks: [] })).toEqual({
      min: 0,
      max: 0.8,
      ticks: [0, 0.2, 0.4, 0.6, 0.8],
    });
  });
});

describe("tickText", () => {
  it("has the decimals of its step and a true minus sign", () => {
    expect(tickTexts([-0.05, 0, 0.05])).toEqual(["\u22120.05", "0.00", "0.05"]);
    expect(tickText(20_000, 20_000)).toBe("20k");
    expect(tickText(12_500, 2_500)).toBe("12.5k");
  });
});
