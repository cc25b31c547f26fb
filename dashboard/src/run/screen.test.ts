import { describe, expect, it } from "vitest";
import { centralised } from "../../test/fixtures/centralised";
import { fold } from "../client/fold";
import { emptyModel, type RunModel } from "../client/model";
import { eventLines } from "./events";
import { centralisedKpis, shortened } from "./kpis";
import { LOOKS, lossChart, rateChart, stepPoints } from "./plots";
import { epochRail } from "./rail";
import { results } from "./results";
import { allSettings, mainSettings, metaWords, shortDigest } from "./setup";
import { badgeOf } from "./state";
import { imagesPerEpoch, isOpen, roundTime, timeTick, xAxis } from "./xaxis";

const made = (options: Parameters<typeof centralised>[0]): { model: RunModel; now: number } => {
  const run = centralised(options);
  return { model: fold(emptyModel("r"), run.messages), now: run.now };
};
const live = made({ upTo: 6.615 });
const finished = made({});
const bare = made({ bare: true, upTo: 4 });

describe("the figures of a run", () => {
  it("stand with interval and n while it goes", () => {
    const kpis = centralisedKpis(live.model);
    expect(kpis.map((kpi) => `${kpi.label} ${kpi.value}`)).toEqual([
      "AUROC 0.996",
      "Recall 0.972",
      "Specificity 0.956",
      "Validation loss 0.083",
      expect.stringMatching(/^Train loss 0\.\d{3}$/),
    ]);
    expect(kpis[0]).toMatchObject({
      when: "validation, epoch 6",
      beside: "0.987 to 0.999",
      note: "n 524 (389 pneumonia, 135 normal)",
    });
    expect(kpis[1]).toMatchObject({ note: "378 of 389 pneumonia found", ruler: { floor: 0.8 } });
    expect(kpis[3]).toMatchObject({ when: "epoch 6, best so far", beside: "0.094 at epoch 5" });
    expect(kpis[4]).toMatchObject({ note: "mean of the last 50 steps" });
  });
  it("are those of the test split at the end", () => {
    const kpis = centralisedKpis(finished.model);
    expect(kpis.slice(0, 3).map((kpi) => `${kpi.when} ${kpi.value}`)).toEqual([
      "test 0.962",
      "test 0.977",
      "test 0.701",
    ]);
    expect(kpis[2]).toMatchObject({ note: "164 of 234 normal passed", ruler: { floor: 0.6 } });
    expect(kpis[3]).toMatchObject({ when: "epoch 8, best", value: "0.079" });
  });
  it("are the best validation's where there is no test split, and say so", () => {
    const ended = made({ bare: true });
    expect(centralisedKpis(ended.model)[0]).toMatchObject({
      label: "Recall",
      when: "validation, best epoch 8",
    });
  });
  it("have no interval and no guess without counts", () => {
    expect(centralisedKpis(bare.model)[0]).toMatchObject({
      label: "Recall",
      beside: "",
      note: "n not reported",
      ruler: null,
    });
  });
  it("have their places before anything is known", () => {
    const kpis = centralisedKpis(emptyModel("r"));
    expect(kpis).toHaveLength(5);
    expect(kpis[0]).toMatchObject({ label: "AUROC", value: "–", beside: "after the first epoch" });
  });
  it("say less on a phone", () => {
    const [first, recall] = centralisedKpis(live.model).map(shortened);
    expect(first).toMatchObject({ when: "epoch 6", note: "n 524 (389 / 135)" });
    expect(recall?.note).toBe("378 of 389 pneumonia");
  });
});

describe("the x axis", () => {
  it("reserves the whole plan and tints the open epoch", () => {
    const x = xAxis(live.model, "epoch", live.now);
    expect(x.axis).toMatchObject({ min: 0, max: 10 });
    expect(x.tint?.[0]).toBe(6);
    expect(x.tint?.[1]).toBeCloseTo(6.61, 2);
    expect(x.words(4)).toBe("epoch 4");
    expect(isOpen(finished.model)).toBe(false);
  });
  it("counts images by the data, else by steps and batch size", () => {
    expect(imagesPerEpoch(live.model)).toBe(4708);
    expect(xAxis(live.model, "images", live.now).words(4708)).toBe("4,708 images");
    expect(imagesPerEpoch(bare.model)).toBeNull();
    expect(xAxis(bare.model, "images", bare.now).kind).toBe("epoch");
  });
  it("plans the time from the epochs so far, in round steps", () => {
    const x = xAxis(live.model, "time", live.now);
    expect(x.axis.max).toBeGreaterThanOrEqual(620);
    expect(x.axis.max % 60).toBe(0);
    expect([0, 30, 130, 3600, 5400].map((s) => timeTick(s, 10))).toEqual([
      "0",
      "30 s",
      "2 min 10 s",
      "1 h",
      "1 h 30",
    ]);
    expect([7, 61, 632].map(roundTime)).toEqual([8, 80, 720]);
  });
  it("grows in steps where nobody told how long it will be", () => {
    const open = { ...bare.model, totalEpochs: null };
    expect(xAxis(open, "epoch", bare.now).axis.max).toBe(5);
    expect(xAxis({ ...open, epoch: 6 }, "epoch", bare.now).axis.max).toBe(10);
  });
});

describe("the charts", () => {
  const x = xAxis(live.model, "epoch", live.now);
  it("read the last value at or before the cursor, with n", () => {
    const view = lossChart(live.model, x, false, null, null);
    const row = view.read(4);
    expect(row.at).toBe("at epoch 4, n 4,708 / 524");
    expect(row.entries[1]).toMatchObject({ label: "validation", value: "0.101" });
    expect(view.read(0.5).entries[1]?.value).toBe("–");
  });
  it("give each rate the n it is of", () => {
    const view = rateChart(
      live.model,
      ["val_recall", "val_specificity"],
      [LOOKS.recall, LOOKS.specificity],
      x,
      null,
    );
    expect(view.read(null).at).toBe("epoch 6, n 389 / 135");
    expect(view.spec.stops).toEqual([1, 2, 3, 4, 5, 6]);
    expect(view.spec.y.max).toBe(1);
  });
  it("break at a missing epoch and at a null", () => {
    const holes = { ...live.model, epochs: live.model.epochs.filter((epoch) => epoch.epoch !== 3) };
    expect(rateChart(holes, ["val_auroc"], [LOOKS.validation], x, null).spec.series[0]?.points.y).toEqual([
      0.958,
      0.98,
      null,
      0.9925,
      0.9935,
      0.9958,
    ]);
  });
  it("break where no step came for ten usual gaps", () => {
    const paused = made({ upTo: 3.1, pause: 26_000 });
    const steps = paused.model.steps["/train"];
    if (!steps) throw new Error("no steps");
    const drawn = stepPoints(steps, "train_loss", xAxis(paused.model, "epoch", paused.now), () => true);
    expect(drawn.gaps).toHaveLength(1);
    expect(drawn.gaps[0]?.seconds).toBeGreaterThan(26);
    expect(drawn.points.y).toContain(null);
  });
  it("say in the plot what will come, and hatch what is on its way", () => {
    expect(rateChart(emptyModel("r"), ["val_auroc"], [LOOKS.validation], x, null).empty).toBe(
      "The first value comes after the first epoch.",
    );
    expect(rateChart(live.model, ["val_auroc"], [LOOKS.validation], x, 9).spec.hatch).toEqual({
      from: 6,
      to: 9,
      label: "arriving",
    });
  });
});

describe("the rail", () => {
  it("has a segment for each epoch, the open one filled by its steps", () => {
    const rail = epochRail(live.model);
    expect(rail.segments).toHaveLength(10);
    expect(rail.segments.slice(0, 6)).toEqual([1, 1, 1, 1, 1, 1]);
    expect(rail.segments[6]).toBeCloseTo(91 / 148, 5);
    expect(rail).toMatchObject({ left: "Epoch 7 of 10", best: 6 });
    expect(rail.right).toMatch(/^step \u200791 of 148, \d+ images\/s$/);
  });
  it("draws none where the total is not known", () => {
    expect(epochRail({ ...live.model, totalEpochs: null })).toMatchObject({ left: "Epoch 7", segments: [] });
    expect(epochRail(finished.model)).toMatchObject({ left: "10 of 10 epochs", right: "best epoch marked" });
  });
});

describe("the events", () => {
  it("are in words, newest first, an epoch once", () => {
    const lines = eventLines(live.model);
    expect(`${lines[0]?.strong} ${lines[0]?.rest}`).toBe("Epoch 7 training");
    expect(`${lines[1]?.strong} ${lines[1]?.rest}`).toBe(
      "Epoch 6 validated: AUROC 0.996, loss 0.083. Best so far",
    );
    expect(lines.at(-2)).toMatchObject({ alert: true, rest: "8 images occur in more than one split" });
    expect(lines.at(-1)?.rest).toBe("4,708 train, 524 validation, 624 test images");
    expect(lines).toHaveLength(9);
  });
  it("end with the result, and say what was best when it was told", () => {
    const lines = eventLines(finished.model);
    expect(lines[0]).toMatchObject({ icon: "done", rest: "Test AUROC 0.962, best epoch 8" });
    expect(lines.find((line) => line.strong === "Epoch 9")?.rest).not.toContain("Best");
    expect(lines.find((line) => line.strong === "Epoch 8")).toMatchObject({ icon: "best" });
  });
  it("show a message of one's own with what it holds", () => {
    const custom = {
      type: "augmentation_changed",
      timestamp: "2026-11-24T10:00:00+00:00",
      run_id: "r",
      offset: 1,
      data: { strength: 0.4 },
    };
    expect(eventLines(fold(emptyModel("r"), [custom]))[0]).toMatchObject({
      strong: "augmentation changed",
      rest: "strength 0.4",
    });
  });
});

describe("the set-up and the results", () => {
  it("names what one looks for and keeps all of it at hand", () => {
    expect(mainSettings(live.model).map((setting) => setting.value)).toEqual([
      "ResNet-18, 11.2 M weights",
      "AdamW, 0.0003, batch 32",
      "42",
      "PneumoniaMNIST",
      "b455d41a…7f044",
      "torch 2.15.0, lightning 2.6.0",
    ]);
    expect(metaWords(live.model)).toBe("Centralised, ResNet-18, PneumoniaMNIST");
    expect(mainSettings(emptyModel("r"))).toEqual([]);
    expect(allSettings({ a: { b: null, c: [1, 2] } }).map(({ name, value }) => `${name} ${value}`)).toEqual([
      "a/b not set",
      "a/c 1, 2",
    ]);
    expect(shortDigest("abc")).toBe("abc");
  });
  it("lists everything in final_metrics under its own name", () => {
    const all = results(finished.model);
    expect(all).toHaveLength(10);
    expect(all.find((result) => result.key === "best_val_recall")).toEqual({
      key: "best_val_recall",
      name: "best validation recall",
      value: "0.974",
      beside: "0.953 to 0.986, n 524, epoch 8",
    });
    expect(all.find((result) => result.key === "duration_seconds")?.value).toBe("10 min 21 s");
    expect(results(live.model)).toEqual([]);
  });
});

describe("the word for a state", () => {
  const line = { kind: "live", via: "websocket" } as const;
  it("is the run's, and the line's state only where nothing else is known", () => {
    expect(badgeOf(live.model, line, false)).toMatchObject({ word: "Running", tone: "act" });
    expect(badgeOf(live.model, line, true).word).toBe("Silent");
    expect(
      badgeOf(live.model, { kind: "away", since: 0, tries: 1, nextTry: 0, offset: null }, true).word,
    ).toBe("Running when last heard");
    expect(
      badgeOf(finished.model, { kind: "away", since: 0, tries: 1, nextTry: 0, offset: null }, false).word,
    ).toBe("Finished");
    expect(badgeOf({ ...live.model, cancelAsked: { at: 0, by: null } }, line, false).word).toBe("Stopping");
  });
});
