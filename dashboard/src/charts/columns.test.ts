import { describe, expect, it } from "vitest";
import { breakAtGaps, joinColumns, lastAtOrBefore, nearest, thin } from "./columns";

describe("joinColumns", () => {
  it("tells a point that is not here from a value that is missing", () => {
    const [x, dense, sparse] = joinColumns([
      { x: [0, 1, 2, 3], y: [1, null, 3, 4] },
      { x: [1, 3], y: [10, 30] },
    ]);
    expect(x).toEqual([0, 1, 2, 3]);
    expect(dense).toEqual([1, null, 3, 4]);
    expect(sparse).toEqual([undefined, 10, undefined, 30]);
  });
  it("carries an interval as two more columns", () => {
    expect(joinColumns([{ x: [1], y: [0.5], low: [0.4], high: [0.6] }])).toEqual([[1], [0.5], [0.4], [0.6]]);
  });
  it("is empty without series", () => {
    expect(joinColumns([])).toEqual([[]]);
  });
});

describe("looking up x", () => {
  it("takes the last point at or before", () => {
    expect([0.5, 1, 2.9, 3, 9].map((at) => lastAtOrBefore([1, 2, 3], at))).toEqual([-1, 0, 1, 2, 2]);
    expect(lastAtOrBefore([], 1)).toBe(-1);
  });
  it("or the nearest", () => {
    expect([0, 1.4, 1.6, 9].map((at) => nearest([1, 2, 3], at))).toEqual([0, 0, 1, 2]);
    expect(nearest([], 1)).toBe(-1);
  });
});

describe("breakAtGaps", () => {
  it("breaks the line where no step came for too long, and says for how long", () => {
    const broken = breakAtGaps({ x: [1, 2, 3], y: [0.5, 0.4, 0.3] }, [0, 1, 27], 10);
    expect(broken.points).toEqual({ x: [1, 2, 2.5, 3], y: [0.5, 0.4, null, 0.3] });
    expect(broken.gaps).toEqual([{ from: 2, to: 3, seconds: 26 }]);
  });
});

describe("thin", () => {
  it("keeps the spike and the gap", () => {
    const y: (number | null)[] = Array.from({ length: 1000 }, () => 1);
    y[503] = 9;
    y[700] = null;
    const thinned = thin({ x: y.map((_, i) => i), y }, 50);
    expect(thinned.x.length).toBeLessThan(160);
    expect(thinned.y).toContain(9);
    expect(thinned.y).toContain(null);
  });
  it("leaves a short curve alone", () => {
    const points = { x: [1, 2], y: [1, 2] };
    expect(thin(points, 10)).toBe(points);
  });
});
