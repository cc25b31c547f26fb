import { expect, it } from "vitest";
import { columnsInSight } from "./windowing";

it("draws a short board whole and of a long one what is in sight", () => {
  expect(columnsInSight(20, 30, 0, 600)).toEqual({ from: 0, to: 20 });
  expect(columnsInSight(500, 30, 0, 600)).toEqual({ from: 0, to: 28 });
  expect(columnsInSight(500, 30, 3000, 600)).toEqual({ from: 92, to: 128 });
  expect(columnsInSight(500, 30, 14_400, 600)).toEqual({ from: 472, to: 500 });
});
