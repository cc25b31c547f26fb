/** The x axis of a centralised run: epochs, time, or images seen. The whole planned range stands from the start. */

import { plannedRange, roundStep, ticks, tickTexts, tidy, wholeTicks } from "../charts/axis";
import type { PlotAxis } from "../charts/plot";
import { attemptAt, ranOf } from "../client/attempts";
import type { RunModel, StepSeries } from "../client/model";
import { count } from "../client/numbers";

export const X_KINDS = ["epoch", "time", "images"] as const;
export type XKind = (typeof X_KINDS)[number];

export interface XAxis {
  kind: XKind;
  axis: PlotAxis;
  /** The images in an epoch, where the axis counts images. */
  images: number | null;
  /** Where the end of an epoch lies, as an attempt of the run told it; `null` where it cannot be told. */
  ofEpoch: (epoch: number, at: number, attempt: number) => number | null;
  /** Where a step lies. */
  ofStep: (series: StepSeries, i: number) => number | null;
  /** The open epoch, from its start to where it has come. */
  tint: readonly [number, number] | null;
  /** "epoch 4", "2 min 10 s", "18,832 images" */
  words: (x: number) => string;
}

/** Steps of a time axis, in seconds, each a round number of seconds, minutes or hours. */
const TIME_STEPS = [
  1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400,
];

/** The images in one epoch, by the counts of the data, else by steps × batch size. */
export function imagesPerEpoch(model: RunModel): number | null {
  const n = model.data.splits.train?.n;
  if (n) return n;
  const batch = model.config.batch_size;
  const steps = model.step?.totalSteps;
  return typeof batch === "number" && steps ? batch * steps : null;
}

/** How far the open epoch has come, from 0 to 1. */
export function openShare(model: RunModel): number {
  const { step } = model;
  if (step?.phase !== "train" || step.epoch !== model.epoch || !step.totalSteps) return 0;
  return Math.min(1, step.step / step.totalSteps);
}

/** Whether an epoch is open: begun, not validated, and the run not at its end. */
export function isOpen(model: RunModel): boolean {
  if (model.end || model.epoch < 1) return false;
  const epoch = model.epochs.find((each) => each.epoch === model.epoch);
  return (
    !epoch ||
    (epoch.val === null && !(epoch.train !== null && model.epochs.every((each) => each.val === null)))
  );
}

export function xAxis(model: RunModel, kind: XKind, now: number, pixels = 440): XAxis {
  if (kind === "time" && model.started !== null) return timeAxis(model, model.started, now, pixels);
  const images = imagesPerEpoch(model);
  if (kind === "images" && images) return imagesAxis(model, images, pixels);
  return epochAxis(model, pixels);
}

function planned(model: RunModel): number {
  const reached = Math.max(model.epoch, model.epochs[model.epochs.length - 1]?.epoch ?? 0);
  return model.totalEpochs && model.totalEpochs >= reached ? model.totalEpochs : plannedRange(reached);
}

function epochAxis(model: RunModel, pixels: number): XAxis {
  const end = planned(model);
  const whole = wholeTicks(0, end, pixels);
  return {
    kind: "epoch",
    images: null,
    axis: { min: 0, max: end, ticks: whole, texts: tickTexts(whole) },
    ofEpoch: (epoch) => epoch,
    ofStep: (series, i) => {
      const total = series.totalSteps[i];
      const epoch = series.epoch[i] ?? 0;
      if (!total || epoch < 1) return null;
      return epoch - 1 + Math.min(1, (series.step[i] ?? 0) / total);
    },
    tint: isOpen(model) ? [model.epoch - 1, model.epoch - 1 + openShare(model)] : null,
    words: (x) => `epoch ${Number.isInteger(tidy(x)) ? tidy(x) : x.toFixed(2)}`,
  };
}

function imagesAxis(model: RunModel, images: number, pixels: number): XAxis {
  const base = epochAxis(model, pixels);
  const end = base.axis.max * images;
  const step = roundStep(end, Math.max(2, Math.floor(pixels / 70)));
  const found = ticks(0, end, step);
  return {
    ...base,
    kind: "images",
    images,
    axis: { min: 0, max: end, ticks: found, texts: tickTexts(found) },
    ofEpoch: (epoch) => epoch * images,
    ofStep: (series, i) => {
      const x = base.ofStep(series, i);
      return x === null ? null : x * images;
    },
    tint: base.tint && [base.tint[0] * images, base.tint[1] * images],
    words: (x) => `${count(Math.round(x))} images`,
  };
}

function timeAxis(model: RunModel, started: number, now: number, pixels: number): XAxis {
  const ran = ranOf(model);
  // Of the present attempt, where none is named.
  const seconds = (at: number, attempt = model.state.attempt) => ran(attempt, at);
  const newest = seconds(model.end?.at ?? Math.max(model.lastHeard ?? started, Math.min(now, started)));
  const done = model.epochs.findLast((epoch) => epoch.val ?? epoch.train);
  const doneAt = done?.val?.at ?? done?.train?.at;
  // Planned: as long as the epochs so far promise, in round steps, so that the axis does not breathe.
  const promised =
    done && doneAt !== undefined
      ? (seconds(doneAt, attemptAt(model, done.epoch)) / done.epoch) * planned(model)
      : 60;
  const end = roundTime(model.end ? newest : Math.max(newest, promised * 1.02));
  const step = timeStep(end, Math.max(2, pixels / 70));
  const found = ticks(0, end, step);
  const opened = model.epochs.find((epoch) => epoch.epoch === model.epoch)?.started ?? null;
  return {
    kind: "time",
    images: null,
    axis: {
      min: 0,
      max: end,
      ticks: found,
      texts: found.map((value) => timeTick(value, step)),
      within: timeTicksWithin,
    },
    ofEpoch: (_, at, attempt) => seconds(at, attempt),
    ofStep: (series, i) => {
      const at = series.at[i];
      return at === undefined ? null : seconds(at, series.attempt[i]);
    },
    tint: isOpen(model) && opened !== null ? [seconds(opened), newest] : null,
    words: (x) => timeTick(Math.round(x), 1),
  };
}

/** The ticks of a part of a time axis. */
export function timeTicksWithin(
  from: number,
  to: number,
  parts: number,
): { ticks: readonly number[]; texts: readonly string[] } {
  const step = timeStep(to - from, parts);
  const found = ticks(from, to, step);
  return { ticks: found, texts: found.map((value) => timeTick(value, step)) };
}

/** The round step that cuts so many seconds into at most `parts`. */
export function timeStep(seconds: number, parts: number): number {
  return TIME_STEPS.find((each) => seconds / each <= parts) ?? 86_400;
}

/** The next round time at or above `seconds`. */
export function roundTime(seconds: number): number {
  for (const step of TIME_STEPS) {
    if (seconds <= 6 * step) return Math.max(step, Math.ceil(seconds / step - 1e-9) * step);
  }
  return Math.ceil(seconds / 86_400) * 86_400;
}

/** 0, 30 s, 2 min, 1 h 30. */
export function timeTick(seconds: number, step: number): string {
  if (seconds === 0) return "0";
  const h = Math.floor(seconds / 3600);
  const min = Math.floor((seconds % 3600) / 60);
  const s = Math.round(seconds % 60);
  if (h > 0) return min > 0 ? `${h} h ${min}` : `${h} h`;
  if (step < 60 && s > 0) return min > 0 ? `${min} min ${s} s` : `${s} s`;
  return `${min} min`;
}
