import { describe, expect, it } from "vitest";
import { lookOf } from "./marks";
import { outsideOf, outsideWords, withoutOutliers } from "./outliers";

const falling = Array.from({ length: 40 }, (_, i) => 0.7 * Math.exp(-i / 6) + 0.08);

describe("a range without outliers", () => {
  it("leaves a spike out that would flatten the rest", () => {
    expect(Math.max(...withoutOutliers([...falling, 40]))).toBeLessThan(1);
    expect(Math.min(...withoutOutliers([...falling.map((value) => 1 - value / 10), -3]))).toBeGreaterThan(
      0.9,
    );
  });

  it("keeps the high beginning of a loss, a steady climb, and what is few", () => {
    expect(withoutOutliers(falling)).toHaveLength(falling.length);
    expect(withoutOutliers([0.1, 0.1, 40])).toHaveLength(3);
    expect(withoutOutliers([1, 1, 1, 1, 1, 1, 1, 1, 1, 2])).toHaveLength(10);
  });

  it("tells how many lie outside and how far", () => {
    const series = [
      { label: "a", look: lookOf(0), marked: false, points: { x: [1, 2, 3, 4], y: [0.5, 40, null, -2] } },
    ];
    const outside = outsideOf(series, 0, 1);
    expect(outside && outsideWords(outside)).toBe("1 value above, up to 40; 1 value below, down to \u22122");
    expect(outsideOf(series, -5, 50)).toBeNull();
  });
});
