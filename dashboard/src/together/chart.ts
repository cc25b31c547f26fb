/** Two runs on one axis, as values: where each figure lies, what the axis says, and how the two differ at an x. */

import { lossScale, rateScale, roundStep, ticks, tickTexts } from "../charts/axis";
import type { Reading, ReadingRow } from "../charts/ChartCard";
import { lastAtOrBefore, type Points } from "../charts/columns";
import type { Look } from "../charts/marks";
import { withoutOutliers } from "../charts/outliers";
import type { PlotAxis, PlotSpec } from "../charts/plot";
import { type Smoothing, withSmoothing } from "../charts/smooth";
import { type Axis, type Station, stationsOf } from "../client/axes";
import { intervalOf } from "../client/intervals";
import type { RunModel } from "../client/model";
import { bytes, count, rate, tidyCount } from "../client/numbers";
import { globalCases } from "../federated/curves";
import { hospitalCount } from "../federated/rounds";
import { casesOf } from "../run/figures";
import { withTexts } from "../run/plots";
import { roundTime, timeStep, timeTick, timeTicksWithin } from "../run/xaxis";

export interface Line {
  model: RunModel;
  look: Look;
  /** What the legend calls it. */
  name: string;
}

/** A run's line as it is drawn: only where the axis can tell its place. */
export interface Drawn {
  line: Line;
  points: Points;
  hollow: ReadonlySet<number>;
}

export interface TogetherView {
  spec: PlotSpec;
  read: (x: number | null) => ReadingRow;
  empty: string | null;
}

/** What the axis is called in the control, and what is said of a run that cannot tell it. */
export const AXIS_NAMES: Readonly<Record<Axis, string>> = {
  images: "Images",
  epochs: "Epochs",
  rounds: "Rounds",
  seconds: "Time",
  bytes: "Bytes",
};

/** Why an axis says nothing of a run so far; `null` where it does, or may still. */
export function withoutAxis(model: RunModel, axis: Axis): string | null {
  const stations = stationsOf(model);
  if (stations.some(({ reached }) => reached[axis] !== null)) return null;
  if (!model.federated && axis === "rounds") return "a run on one machine has no rounds";
  if (!model.federated && axis === "bytes") return "a run on one machine sends its weights nowhere";
  if (stations.length === 0) return null;
  if (axis === "bytes") return "its hospitals do not tell what they send and receive";
  return axis === "images" || axis === "epochs" ? "nobody told how many images it trains on" : "not told";
}

/** One metric of some runs over an axis that means the same in all of them. */
export function togetherChart(
  lines: readonly Line[],
  metric: string,
  axis: Axis,
  pixels: number,
  looking: { smoothing: Smoothing; full: boolean } = { smoothing: "off", full: false },
): TogetherView {
  const drawn = lines.map((line) => ({ line, ...pointsOf(line.model, metric, axis) }));
  const end = Math.max(0, ...drawn.map(({ line }) => plannedEnd(line.model, axis)));
  const told = drawn.flatMap(({ points }) => [...points.y, ...(points.low ?? [])]);
  const values = looking.full ? told : withoutOutliers(told);
  const stops = [...new Set(drawn.flatMap(({ points }) => points.x))].sort((a, b) => a - b);
  const [first] = drawn;
  const spec: PlotSpec = {
    series: drawn.map(({ line, points, hollow }) => ({
      label: line.name,
      look: line.look,
      points,
      marked: true,
      hollow,
    })),
    x: axisOf(axis, end, pixels),
    y: withTexts(metric.endsWith("loss") ? lossScale(values) : rateScale(values)),
    stops,
  };
  return {
    spec: withSmoothing(spec, looking.smoothing),
    empty: first && first.points.x.length === 0 ? emptyWords(first.line.model, axis) : null,
    read: (x) => {
      const at = x ?? lastOfAll(drawn);
      return {
        entries: drawn.map(({ line, points }) => readingOf(line, points, at, lines.length === 1)),
        at: at === null ? "" : atWords(drawn, axis, at),
      };
    },
  };
}

/** Changes when a figure of a line does, or its place, its name or its end. */
export function figuresOf({ model, name }: Line): string {
  const round = model.rounds.findLast((each) => each.aggregated !== null)?.aggregated?.offset;
  const epoch = model.epochs.findLast((each) => each.val !== null)?.val?.offset;
  const { bytes_down, bytes_up } = model.state;
  return [name, round, epoch, bytes_down, bytes_up, model.attempt, model.totalRounds, model.end?.at].join(
    "/",
  );
}

function emptyWords(model: RunModel, axis: Axis): string {
  const why = withoutAxis(model, axis);
  if (why !== null) return `Not by ${AXIS_NAMES[axis].toLowerCase()}: ${why}.`;
  return model.federated ? "first value after round 1" : "The first value comes after the first epoch.";
}

/** The metric where the axis can tell its place; a missing epoch or round is a gap. */
export function pointsOf(
  model: RunModel,
  metric: string,
  axis: Axis,
): { points: Points; hollow: ReadonlySet<number> } {
  const x: number[] = [];
  const y: (number | null)[] = [];
  const low: (number | null)[] = [];
  const high: (number | null)[] = [];
  const hollow = new Set<number>();
  let before: Station | null = null;
  for (const station of stationsOf(model)) {
    const at = station.reached[axis];
    const last = x[x.length - 1];
    // What does not move on has no place of its own: a round that nobody sent anything in.
    if (at === null || (last !== undefined && at <= last)) continue;
    if (before !== null && last !== undefined && station.number > before.number + 1) {
      x.push((last + at) / 2);
      for (const column of [y, low, high]) column.push(null);
    }
    const value = station.metrics[metric] ?? null;
    const interval = intervalOf(metric, value, casesAt(model, station));
    x.push(at);
    y.push(value);
    low.push(interval?.low ?? null);
    high.push(interval?.high ?? null);
    if (isPartial(model, station.number)) hollow.add(at);
    before = station;
  }
  const points = low.some((value) => value !== null) ? { x, y, low, high } : { x, y };
  return { points, hollow };
}

function casesAt(model: RunModel, station: Station) {
  if (!model.federated) return casesOf(model, "val", station.metrics);
  return globalCases(model, aggregateOf(model, station.number)?.numSamples ?? null);
}

function isPartial(model: RunModel, round: number): boolean {
  const told = model.federated ? (aggregateOf(model, round)?.numClients ?? null) : null;
  return told !== null && told < hospitalCount(model);
}

function aggregateOf(model: RunModel, round: number) {
  return model.rounds.find((each) => each.round === round)?.aggregated ?? null;
}

/** How far the axis has to reach for a run: its end at the pace it has had, or where it has come. */
export function plannedEnd(model: RunModel, axis: Axis): number {
  const total = model.federated ? model.totalRounds : model.totalEpochs;
  if (model.federated && axis === "rounds") return Math.max(total ?? 0, model.round);
  const last = stationsOf(model).findLast(({ reached }) => reached[axis] !== null);
  const reached = last?.reached[axis] ?? null;
  if (last === undefined || reached === null) {
    const size = axis === "epochs" ? 1 : axis === "images" ? (model.data.splits.train?.n ?? 0) : 0;
    return model.federated ? 0 : size * (total ?? 0);
  }
  return model.end || !total ? reached : Math.max(reached, (reached * total) / last.number);
}

export function axisOf(axis: Axis, end: number, pixels: number): PlotAxis {
  const parts = Math.max(2, Math.floor(pixels / 80));
  if (axis === "seconds") {
    const max = roundTime(Math.max(end, 10));
    const step = timeStep(max, parts);
    const found = ticks(0, max, step);
    return {
      min: 0,
      max,
      ticks: found,
      texts: found.map((value) => timeTick(value, step)),
      within: timeTicksWithin,
    };
  }
  const least = axis === "bytes" ? 1000 : axis === "images" ? 100 : 1;
  const whole = axis === "epochs" || axis === "rounds";
  const rough = roundStep(Math.max(end, least), parts);
  const step = whole ? Math.max(1, rough) : rough;
  // Half a step at a time, so that the axis of a run that goes on does not breathe.
  const max = Math.ceil((Math.max(end, least) * (1 - 1e-9)) / (step / 2)) * (step / 2);
  const found = ticks(0, max, step);
  const texts =
    axis === "bytes" ? found.map((value) => (value === 0 ? "0" : bytes(value))) : tickTexts(found);
  return { min: 0, max, ticks: found, texts, ...(axis === "bytes" ? { within: byteTicksWithin } : {}) };
}

function byteTicksWithin(from: number, to: number, parts: number) {
  const found = ticks(from, to, roundStep(to - from, parts));
  return { ticks: found, texts: found.map((value) => (value === 0 ? "0" : bytes(value))) };
}

/** "18,832 images", "2 min 10 s", "round 3" */
export function placeWords(axis: Axis, x: number): string {
  if (axis === "images") return `${count(Math.round(x))} images`;
  if (axis === "epochs") return `${tidyCount(x)} epochs of data`;
  if (axis === "rounds") return `round ${tidyCount(x)}`;
  return axis === "seconds" ? timeTick(Math.round(x), 1) : `${bytes(x)} moved`;
}

function readingOf(line: Line, points: Points, x: number | null, withInterval: boolean): Reading {
  const i = x === null ? points.x.length - 1 : lastAtOrBefore(points.x, x + 1e-6);
  const low = points.low?.[i];
  const high = points.high?.[i];
  const extra = withInterval && low != null && high != null ? `${rate(low)} to ${rate(high)}` : null;
  const { look, name } = line;
  const value = rate(points.y[i] ?? null);
  return { look, marked: true, label: name, value, ...(extra ? { extra } : {}) };
}

/** The last x that all of them have; `null` while one has none. */
export function lastOfAll(drawn: readonly { points: Points }[]): number | null {
  const ends = drawn.map(({ points }) => points.x[points.x.length - 1]);
  return ends.every((end) => end !== undefined) ? Math.min(...ends) : null;
}

/** Where the reading stands, and how the first of two runs differs there from the other; of more the place alone. */
function atWords(drawn: readonly { points: Points }[], axis: Axis, at: number): string {
  const place = `at ${placeWords(axis, at)}`;
  const both = lastOfAll(drawn);
  const [a, b] = drawn.map(({ points }) => points.y[lastAtOrBefore(points.x, at + 1e-6)] ?? null);
  // Of more than two the screen has a table; and nothing where only one of them has been.
  if (drawn.length > 2 || a == null || b == null || both === null || at > both + 1e-6) return place;
  return `${rate(Math.abs(a - b))} ${a < b ? "lower" : "higher"} ${place}`;
}
