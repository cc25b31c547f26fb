import { describe, expect, it } from "vitest";
import { lookOf } from "../charts/marks";
import { fold } from "../client/fold";
import { emptyModel, type RunModel } from "../client/model";
import { plannedEnd, togetherChart, withoutAxis } from "./chart";

const T0 = Date.parse("2026-11-24T10:00:00Z");
const at = (s: number): string => new Date(T0 + s * 1000).toISOString();
const data = { splits: { train: { n: 1000 }, val: { n: 100, normal: 40, pneumonia: 60 } } };

function folded(messages: readonly Record<string, unknown>[]): RunModel {
  const numbered = messages.map((message, i) => ({ run_id: "r", offset: i + 1, ...message }));
  return fold(emptyModel("r"), numbered as never);
}

/** One epoch each 10 s. */
function central(values: readonly number[]): RunModel {
  return folded([
    { type: "run_start", timestamp: at(0), mode: "centralized", total_epochs: 5, data },
    ...values.map((val_auroc, i) => ({
      type: "epoch_end",
      timestamp: at(10 * (i + 1)),
      epoch: i + 1,
      phase: "val",
      metrics: { val_auroc },
    })),
  ]);
}

/** One round of two hospitals with two local epochs each 30 s. */
function federal(values: readonly number[], bytes: object = { bytes_down: 500, bytes_up: 400 }): RunModel {
  const config = { num_clients: 2, local_epochs: 2 };
  return folded([
    { type: "run_start", timestamp: at(0), mode: "federated", total_rounds: 4, data, config },
    ...values.flatMap((val_auroc, i) => [
      ...["a", "b"].map((client_id) => ({
        type: "round_end",
        timestamp: at(30 * i + 20),
        client_id,
        round: i + 1,
        fit_metrics: { num_samples: 500 },
        ...bytes,
      })),
      { type: "round_aggregated", timestamp: at(30 * (i + 1)), round: i + 1, metrics: { val_auroc } },
    ]),
  ]);
}

const line = (model: RunModel, name: string) => ({ model, name, look: lookOf(0) });

describe("two runs on one axis", () => {
  const one = line(central([0.8, 0.9, 0.95]), "one");
  const four = line(federal([0.7, 0.85]), "four");

  it("lie by the images they have seen", () => {
    const { spec } = togetherChart([one, four], "val_auroc", "images", 500);
    expect(spec.series.map(({ points }) => points.x)).toEqual([
      [1000, 2000, 3000],
      [2000, 4000],
    ]);
    expect(spec.x).toMatchObject({ min: 0, max: 8000 });
    expect(spec.stops).toEqual([1000, 2000, 3000, 4000]);
  });

  it("are read at the last x that both have, and differ there", () => {
    const { read } = togetherChart([one, four], "val_auroc", "images", 500);
    expect(read(null).at).toBe("0.250 higher at 3,000 images");
    expect(read(null).entries.map(({ value }) => value)).toEqual(["0.950", "0.700"]);
  });

  it("do not differ where only one of them has been", () => {
    const { read } = togetherChart([one, four], "val_auroc", "images", 500);
    expect(read(1000)).toMatchObject({ at: "at 1,000 images" });
    expect(read(1000).entries.map(({ value }) => value)).toEqual(["0.800", "–"]);
    expect(read(4000).at).toBe("at 4,000 images");
  });

  it("lie by time and by epochs of data as well", () => {
    const places = (axis: "seconds" | "epochs") =>
      togetherChart([one, four], "val_auroc", axis, 500).spec.series.map(({ points }) => points.x);
    expect(places("seconds")).toEqual([
      [10, 20, 30],
      [30, 60],
    ]);
    expect(places("epochs")).toEqual([
      [1, 2, 3],
      [2, 4],
    ]);
  });

  it("reach as far as the run is planned", () => {
    expect(plannedEnd(one.model, "images")).toBe(5000);
    expect(plannedEnd(four.model, "bytes")).toBe(7200);
    expect(plannedEnd(federal([]), "rounds")).toBe(4);
  });
});

describe("an axis that says nothing of a run", () => {
  it("says why", () => {
    expect(withoutAxis(central([0.8]), "bytes")).toBe("a run on one machine sends its weights nowhere");
    expect(withoutAxis(federal([0.8], {}), "bytes")).toBe(
      "its hospitals do not tell what they send and receive",
    );
    expect(withoutAxis(federal([0.8]), "bytes")).toBeNull();
    const chart = togetherChart([line(central([0.8]), "one")], "val_auroc", "rounds", 500);
    expect(chart.empty).toBe("Not by rounds: a run on one machine has no rounds.");
  });
});
