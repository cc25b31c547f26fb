import { describe, expect, it } from "vitest";
import { federated } from "../../test/fixtures/federated";
import { fold } from "../client/fold";
import { emptyModel } from "../client/model";
import { curveIn, globalCases, globalCurve, roundTicks, smallMultiples } from "./curves";

const recorded = federated();
const model = fold(emptyModel("six"), recorded.messages);

describe("the global curve", () => {
  const curve = globalCurve(model, 20, 600, null);
  it("has a point for each aggregated round, with its interval", () => {
    expect(curve.points.x).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(curve.points.y[6]).toBe(0.979);
    expect(curve.points.low?.[6]).toBeCloseTo(0.965, 3);
    expect(curve.points.high?.[6]).toBeCloseTo(0.987, 3);
  });
  it("is hollow where a hospital was missing, and says how many and which n", () => {
    expect([...(curve.spec.series[0]?.hollow ?? [])]).toEqual([5]);
    expect(curve.spec.notes?.map((note) => note.text)).toEqual(["5 of 6 hospitals, n 492", "0.979"]);
  });
  it("lies in the columns of the board and tints the open one", () => {
    expect(curve.spec.x).toMatchObject({ min: 0.5, max: 20.5, ticks: [1, 5, 10, 15, 20] });
    expect(curve.spec.tint).toEqual([7.5, 8.5]);
    expect(curveIn(curve, { min: 4.5, max: 12.5 }).spec.x).toMatchObject({
      min: 4.5,
      max: 12.5,
      ticks: [5, 10],
    });
  });
  it("reads a round with interval and n, and nothing before the first", () => {
    expect(curve.readAt(4)).toMatchObject({ round: 4, value: "0.962", n: "n 524" });
    expect(curve.readAt(null)).toMatchObject({ round: 7, interval: "0.965 to 0.987" });
    expect(curve.readAt(0.2)).toBeNull();
  });
  it("is hatched up to where the server stands while messages are on their way", () => {
    expect(globalCurve(model, 20, 600, 12).spec.hatch).toEqual({ from: 7, to: 12.5, label: "arriving" });
    expect(curve.spec.hatch).toBeNull();
  });
});

describe("globalCases", () => {
  it("are the split's, in proportion where hospitals were missing", () => {
    expect(globalCases(model, 524)).toEqual({ n: 524, normal: 135, pneumonia: 389 });
    expect(globalCases(model, 262)).toEqual({ n: 262, normal: 68, pneumonia: 195 });
    expect(globalCases(emptyModel("r"), 100)).toEqual({ n: 100, normal: null, pneumonia: null });
  });
});

describe("roundTicks", () => {
  it("names the first round, then as many as have room", () => {
    expect(roundTicks(3, 420)).toEqual([1, 2, 3]);
    expect(roundTicks(20, 600)).toEqual([1, 5, 10, 15, 20]);
    expect(roundTicks(200, 6000)).toEqual([1, ...Array.from({ length: 40 }, (_, i) => 5 * (i + 1))]);
  });
});

describe("small multiples", () => {
  const smalls = smallMultiples(model, "loss", model.clients, new Set());
  it("share one scale and one planned range", () => {
    expect(new Set(smalls.map(({ spec }) => `${spec.y.min} ${spec.y.max} ${spec.x.max}`)).size).toBe(1);
    expect(smalls[0]?.spec.x.max).toBe(10);
    expect(smalls[0]?.spec.tint).toEqual([7, 8]);
  });
  it("break the line in a round that failed, and mark it with a cross", () => {
    const harbour = smalls[5];
    expect(harbour?.spec.crosses).toEqual([4.5]);
    expect(harbour?.spec.series[1]?.points.y).toContain(null);
    expect(smalls[0]?.spec.series[1]?.points.y).not.toContain(null);
  });
  it("do not show an AUROC of fewer than five cases of a class", () => {
    const data = {
      ...model.data,
      clients: { ...model.data.clients, Northgate: { val: { n: 40, normal: 1, pneumonia: 39 } } },
    };
    const [first, second] = smallMultiples({ ...model, data }, "auroc", model.clients, new Set());
    expect(first).toMatchObject({ note: "not shown: 1 normal", value: "" });
    expect(first?.spec.series[1]?.points.x).toEqual([]);
    expect(second?.value).toMatch(/^0\.\d{3}$/);
  });
  it("draw those in grey that are neither late nor failed, where there are many", () => {
    const grey = smallMultiples(model, "loss", model.clients, new Set(["Northgate"]));
    expect(grey.map((small) => small.look.color).slice(0, 2)).toEqual(["--text3", "--series-2"]);
  });
});
