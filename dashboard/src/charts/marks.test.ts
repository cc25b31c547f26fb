import { expect, it } from "vitest";
import { lookOf, MARKS, markedPoints, markPath } from "./marks";

it("gives the six series the fixed order of colours and marks", () => {
  expect(Array.from({ length: 6 }, (_, i) => lookOf(i).mark)).toEqual([...MARKS]);
  expect(lookOf(0)).toEqual({ color: "--series-1", mark: "circle", filled: false, dash: [] });
});

it("gives the seventh series the first colour, a filled mark and dashes", () => {
  expect(lookOf(6)).toEqual({ color: "--series-1", mark: "circle", filled: true, dash: [6, 3] });
});

it("marks every point where there is room", () => {
  expect(markedPoints([0, 30, null, 90])).toEqual([0, 1, 3]);
});

it("keeps marks 60 px apart where they would touch, and always marks the newest", () => {
  const xs = Array.from({ length: 21 }, (_, i) => i * 10);
  expect(markedPoints(xs)).toEqual([0, 6, 12, 18, 20]);
  expect(markedPoints([])).toEqual([]);
});

it("draws every mark as a closed path", () => {
  for (const mark of MARKS) expect(markPath(mark, 8, 8, 5)).toMatch(/^M.*z$/);
});
