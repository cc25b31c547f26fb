import { describe, expect, it } from "vitest";
import { emptyModel, type RunModel } from "../client/model";
import {
  casesOf,
  chosenRates,
  confusionOf,
  figure,
  metricName,
  metricWords,
  rebuiltConfusion,
  rulerFloor,
} from "./figures";

const VAL = { n: 524, normal: 135, pneumonia: 389 };

function model(changes: Partial<RunModel> = {}): RunModel {
  const empty = emptyModel("r");
  return {
    ...empty,
    data: { ...empty.data, splits: { val: VAL, test: { n: 624, normal: 234, pneumonia: 390 } } },
    ...changes,
  };
}

const epoch = (number: number, metrics: Record<string, number | null>) => ({
  epoch: number,
  started: null,
  train: null,
  val: { metrics, offset: 1, at: 0 },
  test: null,
});

describe("names", () => {
  it("are the domain's words, and an unknown metric keeps its own", () => {
    expect([metricName("val_auroc"), metricName("test_f1"), metricName("val_dice_score")]).toEqual([
      "AUROC",
      "F1",
      "Dice score",
    ]);
    expect(metricWords("best_val_recall")).toBe("best validation recall");
    expect(metricWords("test_auroc")).toBe("test AUROC");
  });
});

describe("rebuiltConfusion", () => {
  it("gives back the counts behind the rates", () => {
    expect(rebuiltConfusion(378 / 389, 129 / 135, VAL)).toEqual({
      truePositive: 378,
      falseNegative: 11,
      trueNegative: 129,
      falsePositive: 6,
      rebuilt: true,
    });
  });
  it("guesses nothing without counts or with a rate that is none", () => {
    expect(rebuiltConfusion(0.9, 0.8, { n: 524, normal: null, pneumonia: null })).toBeNull();
    expect(rebuiltConfusion(null, 0.8, VAL)).toBeNull();
    expect(rebuiltConfusion(1.2, 0.8, VAL)).toBeNull();
  });
});

describe("confusionOf", () => {
  const epochs = [
    epoch(1, { val_recall: 0.9, val_specificity: 0.9 }),
    epoch(2, { val_recall: 0.972, val_specificity: 0.956 }),
    epoch(3, { val_recall: 0.5, val_specificity: 0.5 }),
  ];
  it("is of the best validation epoch while the run goes", () => {
    const live = model({ epochs, best: { metric: "val_auroc", value: 0.99, at: 2 } });
    expect(confusionOf(live)).toMatchObject({
      phase: "val",
      epoch: 2,
      counts: { truePositive: 378, falsePositive: 6 },
    });
  });
  it("is of the test split at the end", () => {
    const ended = model({
      epochs,
      finalMetrics: { test_recall: 0.977, test_specificity: 0.701, best_epoch: 2 },
    });
    expect(confusionOf(ended)).toMatchObject({
      phase: "test",
      epoch: 2,
      counts: { truePositive: 381, falsePositive: 70 },
    });
  });
  it("is nothing before the first validation", () => {
    expect(confusionOf(model())).toBeNull();
  });
});

describe("figure", () => {
  it("stands with its n and interval", () => {
    const one = figure(model(), "val_recall", { val_recall: 0.972 }, "val");
    expect(one.cases.pneumonia).toBe(389);
    expect(one.interval?.low).toBeCloseTo(0.95, 2);
  });
  it("has no interval without counts, and takes n from num_samples", () => {
    const bare = emptyModel("r");
    const one = figure(bare, "val_recall", { val_recall: 0.972, num_samples: 200 }, "val");
    expect(one).toMatchObject({ interval: null, cases: { n: 200, pneumonia: null } });
    expect(casesOf(bare, "val").n).toBeNull();
  });
});

describe("chosenRates", () => {
  it("takes what the run reports and keeps three places", () => {
    expect(chosenRates(model())).toEqual(["val_auroc", "val_recall", "val_specificity"]);
    const guide = model({
      epochs: [epoch(1, { val_loss: 1, val_accuracy: 0.8, val_recall: 0.7, val_precision: 0.8 })],
    });
    expect(chosenRates(guide)).toEqual(["val_recall", "val_accuracy", "val_precision"]);
  });
});

describe("rulerFloor", () => {
  it("is a round number that holds every interval", () => {
    expect([rulerFloor([0.987, 0.906]), rulerFloor([0.639]), rulerFloor([0.1]), rulerFloor([null])]).toEqual([
      0.8, 0.6, 0, 0.8,
    ]);
  });
});
