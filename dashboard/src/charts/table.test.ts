import { expect, it } from "vitest";
import { lookOf } from "./marks";
import type { PlotSpec } from "./plot";
import { csv, tableOf } from "./table";

const axis = { min: 0, max: 3, ticks: [], texts: [] };

it("has one row per epoch, gives a step curve its last value there, and leaves a gap empty", () => {
  const spec: PlotSpec = {
    series: [
      { label: "train", look: lookOf(0), marked: false, points: { x: [0.5, 0.9, 1.5], y: [0.6, 0.5, 0.4] } },
      {
        label: "validation",
        look: lookOf(1),
        marked: true,
        points: { x: [1, 2], y: [0.7, null], low: [0.6, null], high: [0.8, null] },
      },
    ],
    x: axis,
    y: axis,
    stops: [1, 2],
  };
  const table = tableOf(spec, "epoch");
  expect(table.columns).toEqual(["epoch", "train", "validation", "95% from", "to"]);
  expect(table.rows).toEqual([
    [1, 0.5, 0.7, 0.6, 0.8],
    [2, 0.4, null, null, null],
  ]);
  expect(csv(table)).toBe("epoch,train,validation,95% from,to\r\n1,0.5,0.7,0.6,0.8\r\n2,0.4,,,");
});

it("quotes what a comma would break", () => {
  expect(csv({ columns: ['a "b"', "c,d"], rows: [[null, 1]] })).toBe('"a ""b""","c,d"\r\n,1');
});
