import { describe, expect, it } from "vitest";
import { fold } from "../client/fold";
import { emptyModel, type Message, type RunModel } from "../client/model";
import { binsOf, chosenThreshold, nearestTo, prevalence, prPoint } from "./testFigures";

const CURVES = {
  type: "test_curves",
  timestamp: "2026-01-01T00:00:00+00:00",
  run_id: "r",
  fpr: [0, 1],
  tpr: [0, 1],
  threshold: [1, 0],
};
const MORE = {
  confusion: { tp: 8, fn: 2, fp: 4, tn: 6 },
  chosen: 0.4,
  pr_recall: [1, 0.5, 0],
  pr_precision: [0.5, 0.7, 1],
  pr_threshold: [0, 0.6, 1],
  average_precision: 0.8,
  bin_n: [10, 0, 10],
  bin_pneumonia: [1, 0, 9],
  bin_predicted: [0.2, null, 0.8],
  brier: 0.1,
  calibration_error: null,
  hardest: [3, 1, "x"],
};

function modelOf(...messages: object[]): RunModel {
  const said = messages.map((message, i) => ({ ...CURVES, ...message, offset: i + 1 }) as unknown as Message);
  return fold(emptyModel("r"), said);
}

describe("what a test told", () => {
  it("is read whole, and what is none is left out", () => {
    const curves = modelOf(MORE).testCurves;
    expect(curves?.precisionRecall?.threshold).toEqual([0, 0.6, 1]);
    expect(curves?.calibration).toEqual({
      n: [10, 0, 10],
      pneumonia: [1, 0, 9],
      predicted: [0.2, null, 0.8],
    });
    expect([curves?.averagePrecision, curves?.brier, curves?.calibrationError]).toEqual([0.8, 0.1, null]);
    expect(curves?.hardest).toEqual([3, 1]);
  });

  it("of an older trainer is the ROC alone", () => {
    const curves = modelOf({}).testCurves;
    expect(curves?.fpr).toEqual([0, 1]);
    expect([curves?.precisionRecall, curves?.calibration, curves?.hardest]).toEqual([null, null, []]);
  });

  it("of a client is not the run's", () => {
    expect(modelOf(MORE, { client_id: "ward" }).testCurves?.brier).toBe(0.1);
    expect(modelOf({ ...MORE, client_id: "ward" }).testCurves).toBeNull();
  });
});

describe("the operating point", () => {
  it("is of the counts", () => {
    expect(prPoint(modelOf(MORE))).toEqual({ recall: 0.8, precision: 8 / 12 });
  });

  it("without counts is the curve's point of the nearest threshold", () => {
    const model = modelOf({ ...MORE, confusion: null });
    expect(chosenThreshold(model)).toBe(0.4);
    expect(prPoint(model)).toEqual({ recall: 0.5, precision: 0.7 });
    expect(nearestTo([null, null], 0.5)).toBe(-1);
  });
});

describe("the bins of a calibration", () => {
  it("tell share and interval by their own n, and nothing where they are empty", () => {
    const calibration = modelOf(MORE).testCurves?.calibration;
    if (!calibration) throw new Error("no calibration");
    const [first, empty] = binsOf(calibration);
    expect(first).toMatchObject({ from: 0, to: 1 / 3, n: 10, pneumonia: 1, predicted: 0.2, observed: 0.1 });
    expect(first?.interval?.low).toBeCloseTo(0.0179, 3);
    expect(first?.interval?.high).toBeCloseTo(0.4042, 3);
    expect(empty).toMatchObject({ predicted: null, observed: null, interval: null });
    expect(prevalence(calibration)).toBe(0.5);
  });
});
