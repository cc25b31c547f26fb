import { describe, expect, it } from "vitest";
import { type Points, shapeOf, sharedScale } from "./sparkline";

describe("the scale", () => {
  it("is one for all rows: from a round value below the least to 1", () => {
    expect(sharedScale([[[1, 0.731]], [[1, 0.98]]], true)).toEqual({ low: 0.72, high: 1 });
  });
  it("of losses begins at 0 and ends at a round value", () => {
    expect(sharedScale([[[1, 0.43]]], false)).toEqual({ low: 0, high: 0.5 });
  });
  it("is there without any value", () => {
    expect(sharedScale([[], [[1, null]]], true)).toEqual({ low: 0.5, high: 1 });
  });
});

describe("the line", () => {
  const scale = { low: 0, high: 1 };
  const points: Points = [
    [1, 0.5],
    [2, 0.75],
    [3, 1],
  ];
  it("is as long as the run has come", () => {
    expect(shapeOf(points, 5, scale, 100, 10).end).toEqual({ x: 50, y: 0 });
    expect(shapeOf(points, 3, scale, 100, 10).end).toEqual({ x: 100, y: 0 });
  });
  it("takes the width it needs where nobody knows the total", () => {
    expect(shapeOf(points, null, scale, 100, 10).end?.x).toBe(100);
  });
  it("breaks where a value or an epoch is missing", () => {
    const gap: Points = [
      [1, 0.5],
      [2, null],
      [3, 0.5],
      [5, 0.5],
    ];
    expect(shapeOf(gap, 5, scale, 100, 10).paths).toHaveLength(3);
  });
  it("of one point is that point", () => {
    expect(shapeOf([[1, 0.5]], 10, scale, 100, 10)).toEqual({ paths: ["M0.0 5.0"], end: { x: 0, y: 5 } });
  });
});
