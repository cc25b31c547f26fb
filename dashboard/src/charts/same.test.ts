import { expect, it } from "vitest";
import { sameContent } from "./same";

it("compares by content, gaps included", () => {
  expect(sameContent({ x: [1, 2], y: [null, 3] }, { x: [1, 2], y: [null, 3] })).toBe(true);
  expect(sameContent({ x: [1, 2] }, { x: [1, 3] })).toBe(false);
  expect(sameContent({ x: [1] }, { x: [1], tint: null })).toBe(false);
  expect(sameContent(new Set([5]), new Set([5]))).toBe(true);
  expect(sameContent(new Set([5]), new Set([6]))).toBe(false);
  expect(sameContent(null, {})).toBe(false);
  expect(sameContent([1], { 0: 1 })).toBe(false);
});
