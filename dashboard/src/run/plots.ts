/** The charts of a centralised run, as values: from the model to what is drawn, and to the words of the legend row. */

import { logScale, lossScale, rateScale, type Scale, tickTexts } from "../charts/axis";
import type { Reading, ReadingRow } from "../charts/ChartCard";
import { lastAtOrBefore, type Points } from "../charts/columns";
import type { Look } from "../charts/marks";
import { lookOf } from "../charts/marks";
import { withoutOutliers } from "../charts/outliers";
import { arrivingHatch, type PlotSeries, type PlotSpec, TAIL_DASH } from "../charts/plot";
import { rawAndSmooth, SMOOTHINGS, type Smoothing, withSmoothing } from "../charts/smooth";
import type { Trace } from "../charts/trace";
import { attemptAt, stepFilter, type Tail } from "../client/attempts";
import { type Epoch, type RunModel, type StepSeries, stepSeries } from "../client/model";
import { count, rate } from "../client/numbers";
import { casesOf, figure, metricName } from "./figures";
import { type Gap, StepTrace, StepTraces } from "./stepTraces";
import type { XAxis } from "./xaxis";

/** Colour and mark of what a centralised run shows; the same in every chart. */
export const LOOKS = {
  train: lookOf(0),
  validation: lookOf(1),
  recall: lookOf(3),
  specificity: lookOf(2),
} satisfies Record<string, Look>;

/** A chart with the words of its legend row. */
export interface ChartView {
  spec: PlotSpec;
  read: (x: number | null) => ReadingRow;
  /** Said in the plot while there is no point. */
  empty: string | null;
}

/** More columns than a wide screen has pixels are thinned to each column's least and greatest. */
const BUCKETS = 900;

/** How somebody chose to look at the charts of a page. */
export interface Looking {
  smoothing: Smoothing;
  /** The y range holds every value, also those that flatten the rest. */
  full: boolean;
  /** The part of x that is shown; of a long curve only that part is taken, with all its points where they have room. */
  zoom: readonly [number, number] | null;
  /** The curves of steps as they were last drawn. */
  traces: StepTraces;
}

const AS_IT_IS: Looking = { smoothing: "off", full: false, zoom: null, traces: new StepTraces() };

/**
 * The metric of a phase at the end of each epoch, with its interval; a missing epoch is a gap.
 *
 * @param tail Of what is superseded, instead of the run's curve; it begins where the run went back to.
 */
export function epochPoints(
  model: RunModel,
  metric: string,
  phase: "train" | "val",
  x: XAxis,
  band: boolean,
  tail: Tail | null = null,
): Points {
  const at: number[] = [];
  const y: (number | null)[] = [];
  const low: (number | null)[] = [];
  const high: (number | null)[] = [];
  let before: { epoch: number; x: number } | null = null;
  for (const epoch of tail ? epochsOf(model, tail) : model.epochs) {
    const result = epoch[phase];
    if (!result) continue;
    const place = x.ofEpoch(epoch.epoch, result.at, tail?.attempt ?? attemptAt(model, epoch.epoch));
    if (place === null) continue;
    if (before && epoch.epoch > before.epoch + 1) {
      at.push((before.x + place) / 2);
      y.push(null);
      low.push(null);
      high.push(null);
    }
    const one = figure(model, metric, result.metrics, phase);
    at.push(place);
    y.push(one.value);
    low.push(one.value === null ? null : (one.interval?.low ?? null));
    high.push(one.value === null ? null : (one.interval?.high ?? null));
    before = { epoch: epoch.epoch, x: place };
  }
  if (!band || !low.some((value) => value !== null)) return { x: at, y };
  return { x: at, y, low, high };
}

/** The epochs of a tail, from the one that is kept on, so that its line begins on the curve. */
function epochsOf(model: RunModel, tail: Tail): readonly Epoch[] {
  const epochs = model.attempts.find((each) => each.attempt === tail.attempt)?.epochs ?? [];
  return epochs.filter((each) => each.epoch >= tail.kept && each.epoch <= tail.last);
}

/** The same curve of each tail that is shown: thin and dashed, in the hue of the curve. */
function tailsIn(
  tails: readonly Tail[],
  of: Pick<PlotSeries, "label" | "look" | "marked">,
  points: (tail: Tail) => Points,
): PlotSeries[] {
  return tails.map((tail) => ({
    ...of,
    label: `${of.label}, attempt ${tail.attempt}`,
    points: points(tail),
    tail: true,
  }));
}

/** Where the run went back, and which attempt went on from there. */
function turnsOf(model: RunModel, x: XAxis): NonNullable<PlotSpec["turns"]> {
  return model.attempts.flatMap((attempt) => {
    if (attempt.from <= 0 || attempt.kept <= attempt.from) return [];
    const epoch = model.epochs.find((each) => each.epoch === attempt.from);
    const at = epoch?.val?.at ?? epoch?.train?.at;
    const place = at === undefined ? null : x.ofEpoch(attempt.from, at, attemptAt(model, attempt.from));
    return place === null ? [] : [{ x: place, label: `attempt ${attempt.attempt}` }];
  });
}

/** What the shown tails read at the cursor, where they have a point. */
function tailReadings(series: readonly PlotSeries[], at: number | null): Reading[] {
  if (at === null) return [];
  return series.flatMap((each) => {
    const { x } = each.points;
    const first = x[0];
    const last = x.at(-1);
    if (!each.tail || first === undefined || last === undefined || at < first - 1e-6 || at > last + 1e-6)
      return [];
    const look = { ...each.look, dash: TAIL_DASH };
    return [reading(look, false, each.label.replace(/^.*, /, ""), each.points, at)];
  });
}

/** The name under which steps tell their loss, if they do. */
export function stepLossName(series: StepSeries | null): string | null {
  if (!series) return null;
  return ["train_loss", "loss"].find((name) => series.metrics[name] !== undefined) ?? null;
}

/**
 * The steps as a thin line, broken where none came for ten usual gaps (and at least ten seconds).
 *
 * @param shows Which steps belong to it, by their places in the series.
 */
export function stepPoints(
  series: StepSeries,
  metric: string,
  x: XAxis,
  shows: (i: number) => boolean,
): { points: Points; gaps: readonly Gap[] } {
  const trace = new StepTrace(0);
  trace.take(series, metric, x, shows);
  return { points: viewOf(trace.raw, null), gaps: trace.gaps };
}

function viewOf(trace: Trace, zoom: readonly [number, number] | null): Points {
  return trace.view(zoom?.[0] ?? Number.NEGATIVE_INFINITY, zoom?.[1] ?? Number.POSITIVE_INFINITY, BUCKETS);
}

/** Loss: steps as a thin line, validation as points. */
export function lossChart(
  model: RunModel,
  x: XAxis,
  log: boolean,
  silentSince: string | null,
  arriving: number | null,
  tails: readonly Tail[] = [],
  looking: Looking = AS_IT_IS,
): ChartView {
  const { smoothing, full, zoom, traces } = looking;
  const steps = stepSeries(model, "train");
  const name = stepLossName(steps);
  const weight = SMOOTHINGS[smoothing];
  const trace =
    steps && name
      ? traces.of(placesKey(model, x), steps, name, x, stepFilter(model, steps, null), weight)
      : null;
  const drawn = trace && { points: viewOf(trace.raw, zoom), gaps: trace.gaps };
  const smooth = trace?.smooth ? viewOf(trace.smooth, zoom) : null;
  const train = drawn?.points ?? epochPoints(model, "train_loss", "train", x, false);
  const validation = epochPoints(model, "val_loss", "val", x, false);
  const ofTrain = { label: "train", look: LOOKS.train, marked: false };
  const ofValidation = { label: "validation", look: LOOKS.validation, marked: true };
  const superseded = [
    ...tailsIn(tails, ofTrain, (tail) =>
      steps && name
        ? stepPoints(steps, name, x, stepFilter(model, steps, tail)).points
        : epochPoints(model, "train_loss", "train", x, false, tail),
    ),
    ...tailsIn(tails, ofValidation, (tail) => epochPoints(model, "val_loss", "val", x, false, tail)),
  ];
  const values = [...both(train.y, validation.y, ...superseded.map((each) => each.points.y))];
  const scale = log ? logScale(values) : lossScale(full ? values : withoutOutliers(values));
  const series: PlotSeries[] = [
    ...superseded,
    ...(smooth
      ? rawAndSmooth({ ...ofTrain, points: train }, smooth.y, smooth.x, smoothing)
      : [{ ...ofTrain, points: train, width: drawn ? 1 : 2, ...(drawn ? { alpha: 0.8 } : {}) }]),
    { ...ofValidation, points: validation },
  ];
  const last = train.x[train.x.length - 1];
  const spec: PlotSpec = {
    series,
    x: x.axis,
    y: withTexts(scale),
    log,
    tint: x.tint,
    hatch: arrivingHatch(Math.max(last ?? 0, validation.x.at(-1) ?? 0), arriving),
    stops: validation.x,
    gaps: (drawn?.gaps ?? []).map((gap) => ({ ...gap, label: `no steps for ${Math.round(gap.seconds)} s` })),
    turns: turnsOf(model, x),
    lines: silentSince && last !== undefined ? [{ x: last, label: `last message ${silentSince}` }] : [],
  };
  const n = [casesOf(model, "train").n, casesOf(model, "val", newestMetrics(model)).n];
  return {
    spec: withSmoothing(spec, smoothing),
    empty: train.x.length + validation.x.length === 0 ? "The first loss appears here." : null,
    read: (at) => ({
      entries: [
        reading(LOOKS.train, false, "train", train, at),
        reading(LOOKS.validation, true, "validation", validation, at),
        ...tailReadings(superseded.slice(tails.length), at),
      ],
      at: atWords(x, at, series, nWords(n)),
    }),
  };
}

/** One or two rates of validation by epoch, with their intervals. */
export function rateChart(
  model: RunModel,
  metrics: readonly string[],
  looks: readonly Look[],
  x: XAxis,
  arriving: number | null,
  tails: readonly Tail[] = [],
  { smoothing, full }: Looking = AS_IT_IS,
): ChartView {
  const series = metrics.map((metric, i): PlotSeries => {
    const points = epochPoints(model, metric, "val", x, true);
    return {
      label: metrics.length > 1 ? lower(metric) : "validation",
      look: looks[i] ?? lookOf(i),
      points,
      marked: true,
    };
  });
  const superseded = metrics.flatMap((metric, i) =>
    tailsIn(tails, series[i] ?? { label: metric, look: lookOf(i), marked: true }, (tail) =>
      epochPoints(model, metric, "val", x, false, tail),
    ),
  );
  const values = [...series, ...superseded].flatMap(({ points }) => [...points.y, ...(points.low ?? [])]);
  const spec: PlotSpec = {
    series: [...superseded, ...series],
    turns: turnsOf(model, x),
    x: x.axis,
    y: withTexts(rateScale(full ? values : withoutOutliers(values))),
    tint: x.tint,
    hatch: arrivingHatch(Math.max(0, ...series.map(({ points }) => points.x.at(-1) ?? 0)), arriving),
    stops: series[0]?.points.x.filter((_, i) => series[0]?.points.y[i] != null) ?? [],
  };
  return {
    spec: withSmoothing(spec, smoothing),
    empty: series.every(({ points }) => points.x.length === 0)
      ? "The first value comes after the first epoch."
      : null,
    read: (at) => ({
      entries: [
        ...series.map(({ look, label, points }) =>
          reading(look, true, label, points, at, metrics.length === 1),
        ),
        ...(metrics.length === 1 ? tailReadings(superseded, at) : []),
      ],
      at: atWords(x, at, series, nWords(nOf(model, metrics))),
    }),
  };
}

/** What decides where a step lies, and whether it is part of the curve. */
function placesKey(model: RunModel, x: XAxis): string {
  const attempts = model.attempts.map((each) => `${each.attempt}:${each.from}:${each.kept}`).join();
  return [model.runId, x.kind, model.started, x.images, attempts].join("/");
}

function newestMetrics(model: RunModel) {
  return model.epochs.findLast((epoch) => epoch.val)?.val?.metrics ?? null;
}

/** The n that belongs to each metric: recall is of the pneumonia cases, specificity of the normal ones. */
function nOf(model: RunModel, metrics: readonly string[]): (number | null)[] {
  const cases = casesOf(model, "val", newestMetrics(model));
  if (metrics.length === 1) return [cases.n];
  const each = metrics.map((metric) => {
    if (/_(recall|sensitivity)$/.test(metric)) return cases.pneumonia ?? cases.n;
    if (/_specificity$/.test(metric)) return cases.normal ?? cases.n;
    return cases.n;
  });
  return each.every((n) => n === each[0]) ? each.slice(0, 1) : each;
}

/** "n 4,708 / 524", or that nobody said. */
export function nWords(ns: readonly (number | null)[]): string {
  if (ns.every((n) => n === null)) return "n not reported";
  return `n ${ns.map((n) => (n === null ? "not reported" : count(n))).join(" / ")}`;
}

function atWords(x: XAxis, at: number | null, series: readonly PlotSeries[], n: string): string {
  const newest = series.findLast((each) => each.marked)?.points.x.at(-1);
  if (at !== null) return `at ${x.words(at)}, ${n}`;
  return newest === undefined ? n : `${x.words(newest)}, ${n}`;
}

/** What one curve reads at x: its last value at or before it; without a cursor its newest. */
export function reading(
  look: Look,
  marked: boolean,
  label: string,
  points: Points,
  at: number | null,
  withInterval = false,
): Reading {
  const i = at === null ? points.x.length - 1 : lastAtOrBefore(points.x, at + 1e-6);
  const low = points.low?.[i];
  const high = points.high?.[i];
  const extra = withInterval && low != null && high != null ? `${rate(low)} to ${rate(high)}` : undefined;
  return { look, marked, label, value: rate(points.y[i] ?? null), ...(extra ? { extra } : {}) };
}

function* both(...columns: (readonly (number | null)[])[]): Iterable<number | null> {
  for (const column of columns) yield* column;
}

export function withTexts(scale: Scale): Scale & { texts: string[] } {
  return { ...scale, texts: tickTexts(scale.ticks) };
}

function lower(metric: string): string {
  const name = metricName(metric);
  return name === "AUROC" || name === "F1" ? name : name.toLowerCase();
}
