/**
 * Two to ten runs beside each other, as values: which they are, how each differs from the first at an x, since when
 * they all are there, and what differs in what they were told. Nothing is interpolated: at an x each run has its last
 * value at or before it, and has none beyond its own last one.
 */

import { roundStep, type Scale, ticks, tidy } from "../charts/axis";
import { lastAtOrBefore, type Points } from "../charts/columns";
import { lookOf } from "../charts/marks";
import type { PlotSpec } from "../charts/plot";
import { AXES, type Axis, stationsOf } from "../client/axes";
import type { Interval } from "../client/intervals";
import type { RunModel } from "../client/model";
import { count, rate } from "../client/numbers";
import { casesOf, metricWords } from "../run/figures";
import { withTexts } from "../run/plots";
import { allSettings, shortDigest } from "../run/setup";
import {
  AXIS_NAMES,
  axisOf,
  type Drawn,
  type Line,
  placeWords,
  plannedEnd,
  pointsOf,
  withoutAxis,
} from "./chart";

/** The lines of runs in their order; two of one name are told apart by their ids. */
export function linesOf(models: readonly RunModel[]): readonly Line[] {
  const names = models.map(({ name }) => name);
  return models.map((model, i) => ({
    model,
    look: lookOf(i),
    name: names.indexOf(model.name) === names.lastIndexOf(model.name) ? model.name : model.runId,
  }));
}

export function drawnOf(lines: readonly Line[], metric: string, axis: Axis): readonly Drawn[] {
  return lines.map((line) => ({ line, ...pointsOf(line.model, metric, axis) }));
}

/** A value with its interval, as a run has it at an x. */
export interface At {
  readonly value: number;
  readonly interval: Interval | null;
  /** Where it was told: at or before the x. */
  readonly x: number;
}

/** The last value of a run at or before `x`; `null` before its first, beyond its last, and in a gap. */
export function valueAt(points: Points, x: number): At | null {
  const last = points.x[points.x.length - 1];
  if (last === undefined || x > last + 1e-6) return null;
  const i = lastAtOrBefore(points.x, x + 1e-6);
  const value = points.y[i];
  const at = points.x[i];
  if (value == null || at === undefined) return null;
  const low = points.low?.[i];
  const high = points.high?.[i];
  return { value, x: at, interval: low == null || high == null ? null : { low, high } };
}

/**
 * How far `b` lies above `a`, with the interval that the two intervals give for the difference of independent figures:
 * both are taken as if from other cases, which makes it wide where the cases are the same.
 *
 * R. G. Newcombe, "Interval estimation for the difference between independent proportions", Statistics in Medicine 17
 * (1998), method 10; for other figures G. Y. Zou and A. Donner, "Construction of confidence limits about effect
 * measures", Statistics in Medicine 27 (2008).
 */
export function difference(a: At, b: At): { value: number; interval: Interval | null } {
  const value = b.value - a.value;
  if (a.interval === null || b.interval === null) return { value, interval: null };
  return {
    value,
    interval: {
      low: value - Math.hypot(b.value - b.interval.low, a.interval.high - a.value),
      high: value + Math.hypot(b.interval.high - b.value, a.value - a.interval.low),
    },
  };
}

/**
 * The difference of a run from the first, at the places of the one that told fewer figures, as far as both have come: at
 * the places of both it would show how the two take turns, and not how they differ.
 */
export function differencePoints(first: Points, other: Points): Points {
  const x: number[] = [];
  const y: (number | null)[] = [];
  const low: (number | null)[] = [];
  const high: (number | null)[] = [];
  const places = new Set(first.x.length < other.x.length ? first.x : other.x);
  const end = lastOfBoth(first, other);
  if (end !== null) places.add(end);
  for (const at of [...places].sort((one, two) => one - two)) {
    const a = valueAt(first, at);
    const b = valueAt(other, at);
    const found = a !== null && b !== null ? difference(a, b) : null;
    // Before both are there is nothing; a gap of either breaks the line.
    if (found === null && x.length === 0) continue;
    x.push(at);
    y.push(found?.value ?? null);
    low.push(found?.interval?.low ?? null);
    high.push(found?.interval?.high ?? null);
  }
  while (y.length > 0 && y[y.length - 1] === null) for (const column of [x, y, low, high]) column.pop();
  return low.some((value) => value !== null) ? { x, y, low, high } : { x, y };
}

/** The last x that both have reached; `null` while one has nothing there. */
export function lastOfBoth(a: Points, b: Points): number | null {
  const ends = [a.x[a.x.length - 1], b.x[b.x.length - 1]];
  return ends.every((end) => end !== undefined) ? Math.min(...(ends as number[])) : null;
}

/** The chart below: each run's difference from the first, over the same x axis. */
export function differenceChart(
  drawn: readonly Drawn[],
  axis: Axis,
  banded: boolean,
  pixels: number,
): PlotSpec {
  const [first, ...others] = drawn;
  const series = others.map(({ line, points }) => {
    const all = differencePoints(first?.points ?? { x: [], y: [] }, points);
    return {
      label: `${line.name} minus ${first?.line.name ?? ""}`,
      look: line.look,
      marked: true,
      points: banded ? all : { x: all.x, y: all.y },
    };
  });
  const values = series.flatMap(({ points }) => [...points.y, ...(points.low ?? []), ...(points.high ?? [])]);
  const end = Math.max(0, ...drawn.map(({ line }) => plannedEnd(line.model, axis)));
  return {
    series,
    x: axisOf(axis, end, pixels),
    y: withTexts(scaleRoundZero(values)),
    stops: [...new Set(series.flatMap(({ points }) => points.x))].sort((a, b) => a - b),
    level: { y: 0, label: "no difference" },
  };
}

/** A range that holds zero, in round steps. */
export function scaleRoundZero(values: readonly (number | null)[], parts = 3): Scale {
  const told = values.filter((value): value is number => value !== null && Number.isFinite(value));
  const least = Math.min(0, ...told);
  const most = Math.max(0, ...told);
  const step = roundStep(most - least || 0.1, parts);
  const min = tidy(Math.floor(least / step + 1e-9) * step);
  const max = tidy(Math.max(Math.ceil(most / step - 1e-9), min === 0 ? 1 : 0) * step);
  return { min, max, ticks: ticks(min, max, step) };
}

/** What is said of the last x that the first run and the others both have. */
export interface Verdict {
  first: string;
  second: string;
}

export function verdictOf(drawn: readonly Drawn[], metric: string, axis: Axis): Verdict {
  const [first, ...others] = drawn;
  if (first === undefined || others.length === 0)
    return { first: "Add a second run to compare it with.", second: "" };
  const told = others.flatMap((other) => {
    const x = lastOfBoth(first.points, other.points);
    const a = x === null ? null : valueAt(first.points, x);
    const b = x === null ? null : valueAt(other.points, x);
    return x === null || a === null || b === null ? [] : [{ other, x, a, b, ...difference(a, b) }];
  });
  const [only] = told;
  if (only === undefined)
    return { first: `Nothing to compare yet in ${metricWords(metric)}:`, second: notYet(drawn, axis) };
  if (others.length === 1) {
    const { other, x, value, interval } = only;
    const than = `${other.line.name} is ${signedWords(value)} ${first.line.name}`;
    const n = nWords([first.line.model, other.line.model]);
    return {
      first: `${placeOpening(axis, x)}, ${than} in ${metricWords(metric)}`,
      second: `(${interval === null ? "no interval" : intervalWords(interval)}, ${n}).`,
    };
  }
  const sorted = [...told].sort((one, two) => two.value - one.value);
  const each = sorted.map(({ other, value }) => `${other.line.name} ${signedWords(value)}`);
  const shown = each.length > 4 ? [...each.slice(0, 2), ...each.slice(-2)] : each;
  const silent = others.length - told.length;
  const more = each.length > shown.length ? `; ${each.length - shown.length} more lie between` : "";
  return {
    first: `In ${metricWords(metric)}, against ${first.line.name}:`,
    second: `${shown.join(", ")} it, each at the last ${AXIS_NOUN[axis]} both have reached${more}${
      silent > 0 ? `; ${silent} not there yet` : ""
    }.`,
  };
}

const AXIS_NOUN: Readonly<Record<Axis, string>> = {
  images: "number of images",
  epochs: "epoch of data",
  rounds: "round",
  seconds: "moment",
  bytes: "number of bytes",
};

function placeOpening(axis: Axis, x: number): string {
  return axis === "rounds" ? `After ${placeWords(axis, x)}` : `After the same ${placeWords(axis, x)}`;
}

/** "0.016 below", "0.003 above", "level with" */
export function signedWords(value: number): string {
  const size = rate(Math.abs(value));
  if (Number(size) === 0) return "level with";
  return `${size} ${value < 0 ? "below" : "above"}`;
}

/** "95% interval 0.028 to 0.005 below", or that it holds zero. */
export function intervalWords({ low, high }: Interval): string {
  const side = (value: number) => `${rate(Math.abs(value))} ${value < 0 ? "below" : "above"}`;
  if (low <= 0 && high >= 0) return `95% interval ${side(low)} to ${side(high)}: it holds no difference`;
  const [near, far] = low > 0 ? [low, high] : [high, low];
  return `95% interval ${rate(Math.abs(near))} to ${side(far)}`;
}

/** "n 524 each", "n 524 / 492", or that nobody said. */
function nWords(models: readonly RunModel[]): string {
  const ns = models.map(nOf);
  if (ns.some((n) => n === null)) return "n not reported";
  return ns.every((n) => n === ns[0]) ? `n ${count(ns[0] ?? null)} each` : `n ${ns.map(count).join(" / ")}`;
}

export function nOf(model: RunModel): number | null {
  const newest = stationsOf(model).at(-1);
  return casesOf(model, "val", newest?.metrics ?? null).n;
}

function notYet(drawn: readonly Drawn[], axis: Axis): string {
  const empty = drawn.filter(({ points }) => points.x.length === 0).map(({ line }) => line);
  const why = empty.map((line) => `${line.name}: ${withoutAxis(line.model, axis) ?? "no value yet"}`);
  return why.length > 0 ? `${why.join("; ")}.` : "they have no place in common yet.";
}

/** The axes that fewer than two of the runs can tell, each with the reason. */
export function dimmedAxes(models: readonly RunModel[]): ReadonlyMap<Axis, string> {
  const found = new Map<Axis, string>();
  for (const axis of AXES) {
    const without = models.flatMap((model) => {
      const why = withoutAxis(model, axis);
      return why === null ? [] : [{ model, why }];
    });
    if (models.length - without.length < Math.min(2, models.length)) {
      const reasons = [...new Set(without.map(({ model, why }) => `${model.name}: ${why}`))];
      found.set(axis, reasons.slice(0, 2).join("; "));
    }
  }
  return found;
}

/** "Not by rounds: one-machine: a run on one machine has no rounds." */
export function dimmedWords(dimmed: ReadonlyMap<Axis, string>): string {
  return [...dimmed].map(([axis, why]) => `No ${AXIS_NAMES[axis].toLowerCase()} axis (${why}).`).join(" ");
}

/** The metrics that can be compared: what the runs say of validation, the usual ones first. */
export function metricsOf(models: readonly RunModel[], usual: string): readonly string[] {
  const found = new Set<string>();
  for (const model of models) {
    for (const { metrics } of stationsOf(model)) {
      for (const name of Object.keys(metrics)) if (name.startsWith("val_")) found.add(name);
    }
  }
  found.delete("val_num_samples");
  const order = ["val_auroc", "val_recall", "val_specificity", "val_accuracy", "val_f1", "val_loss"];
  const known = order.filter((name) => found.has(name));
  const rest = [...found].filter((name) => !order.includes(name)).sort();
  return found.size === 0 ? [usual] : [...known, ...rest];
}

/** One line of what differs: a setting, and what each run was told of it. */
export interface Differing {
  readonly name: string;
  readonly values: readonly string[];
}

/** Only what differs, of mode, data and configuration; and how many settings are the same everywhere. */
export function whatDiffers(models: readonly RunModel[]): { differing: readonly Differing[]; same: number } {
  const tables = models.map(toldOf);
  const names = [...new Set(tables.flatMap((table) => [...table.keys()]))];
  const rows = names.map((name) => ({ name, values: tables.map((table) => table.get(name) ?? "not told") }));
  const differing = rows.filter(({ values }) => values.some((value) => value !== values[0]));
  return { differing, same: rows.length - differing.length };
}

function toldOf(model: RunModel): Map<string, string> {
  const { data } = model;
  const told = new Map<string, string>([["mode", model.federated ? "federated" : "centralised"]]);
  const say = (name: string, value: string | number | null) => {
    if (value !== null) told.set(name, typeof value === "number" ? count(value) : value);
  };
  say("data", data.name === null ? null : `${data.name}${data.phantom ? " (phantoms)" : ""}`);
  say("data digest", data.digest === null ? null : shortDigest(data.digest));
  for (const [split, counts] of Object.entries(data.splits)) say(`data, ${split} images`, counts?.n ?? null);
  say("hospitals", model.federated ? (model.expectedClients ?? model.clients.length) : null);
  for (const { name, value } of allSettings(model.config)) told.set(name, value);
  return told;
}

/** The newest value of a metric in a run. */
export function latestOf(model: RunModel, metric: string): number | null {
  return stationsOf(model).findLast(({ metrics }) => metrics[metric] != null)?.metrics[metric] ?? null;
}
