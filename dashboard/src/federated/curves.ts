/** The curves of a federated run, as values: the global model by rounds, and each hospital by local epochs. */

import { lossScale, plannedRange, rateScale, type Scale, tickTexts, wholeTicks } from "../charts/axis";
import type { Points } from "../charts/columns";
import { type Look, lookOf } from "../charts/marks";
import { arrivingHatch, type PlotSeries, type PlotSpec } from "../charts/plot";
import { attemptOfModel, type Tail } from "../client/attempts";
import { intervalOf } from "../client/intervals";
import type { Client, Round, RunModel } from "../client/model";
import { count, rate } from "../client/numbers";
import { casesOf, chosenRates } from "../run/figures";
import { withTexts } from "../run/plots";
import { tooFew } from "./board";
import { hospitalCount, localEpochsOf, openRound } from "./rounds";

/** The global model is always ink, with filled circles. */
export const GLOBAL: Look = { color: "--ink", mark: "circle", filled: true, dash: [] };

/** Which metric the global curve shows: the first that is reported, AUROC before all. */
export function globalMetric(model: RunModel): string {
  return chosenRates(model)[0] ?? "val_auroc";
}

/** The class counts behind the global figure of a round: the whole split's, unless hospitals were missing. */
export function globalCases(model: RunModel, numSamples: number | null) {
  const cases = casesOf(model, "val");
  if (numSamples === null) return cases;
  if (cases.n === numSamples || cases.n === null) return { ...cases, n: numSamples };
  // Some hospitals are missing: nobody told which cases, so their share is taken as the whole split's.
  const share = numSamples / cases.n;
  const part = (value: number | null) => (value === null ? null : Math.round(value * share));
  return { n: numSamples, normal: part(cases.normal), pneumonia: part(cases.pneumonia) };
}

export interface GlobalCurve {
  spec: PlotSpec;
  metric: string;
  points: Points;
  /** What stands beside the newest value, or at a round: interval and n. */
  readAt: (x: number | null) => { round: number; value: string; interval: string; n: string } | null;
}

/**
 * @param arriving The round the server has come to, while messages are still on their way to the page.
 * @param tails What is superseded and shown beside the curve.
 */
export function globalCurve(
  model: RunModel,
  columns: number,
  pixels: number,
  arriving: number | null,
  tails: readonly Tail[] = [],
): GlobalCurve {
  const metric = globalMetric(model);
  const x: number[] = [];
  const y: (number | null)[] = [];
  const low: (number | null)[] = [];
  const high: (number | null)[] = [];
  const hollow = new Set<number>();
  const short: { x: number; text: string }[] = [];
  let before = 0;
  for (const round of model.rounds) {
    const { aggregated } = round;
    if (!aggregated) continue;
    if (before > 0 && round.round > before + 1) {
      x.push(before + 0.5);
      y.push(null);
      low.push(null);
      high.push(null);
    }
    before = round.round;
    const value = aggregated.metrics[metric] ?? null;
    const interval = intervalOf(metric, value, globalCases(model, aggregated.numSamples));
    x.push(round.round);
    y.push(value);
    low.push(interval?.low ?? null);
    high.push(interval?.high ?? null);
    const of = hospitalCount(model);
    if (aggregated.numClients !== null && aggregated.numClients < of) {
      hollow.add(round.round);
      const n = aggregated.numSamples === null ? "n not reported" : `n ${count(aggregated.numSamples)}`;
      short.push({ x: round.round, text: `${aggregated.numClients} of ${of} hospitals, ${n}` });
    }
  }
  const banded = low.some((value) => value !== null);
  const points: Points = banded ? { x, y, low, high } : { x, y };
  const superseded = tails.map(
    (tail): PlotSeries => ({
      label: `global model, attempt ${tail.attempt}`,
      look: GLOBAL,
      points: globalPoints(roundsFrom(model, tail), metric),
      marked: true,
      tail: true,
    }),
  );
  const beside = superseded.flatMap(({ points }) => points.y);
  const scale = metric.endsWith("loss")
    ? lossScale([...y, ...beside])
    : rateScale([...y, ...low, ...beside], 4);
  const open = openRound(model);
  const ticks = roundTicks(columns, pixels);
  const lastIndex = y.findLastIndex((value) => value !== null);
  const lastX = x[lastIndex];
  const lastY = y[lastIndex];
  const newestShort = short[short.length - 1];
  const notes: NonNullable<PlotSpec["notes"]>[number][] = [];
  if (newestShort) {
    const value = y[x.indexOf(newestShort.x)];
    if (value != null) notes.push({ x: newestShort.x, y: value, text: newestShort.text, below: true });
  }
  if (lastX !== undefined && lastY != null)
    notes.push({ x: lastX, y: lastY, text: rate(lastY), strong: true });
  const spec: PlotSpec = {
    series: [{ label: "global model", look: GLOBAL, points, marked: true, hollow }, ...superseded],
    turns: turnsOf(model),
    x: { min: 0.5, max: columns + 0.5, ticks, texts: tickTexts(ticks) },
    y: withTexts(scale),
    tint: open ? [open.round - 0.5, open.round + 0.5] : null,
    hatch: arrivingHatch(lastX ?? 0.5, arriving === null ? null : arriving + 0.5),
    stops: x.filter((_, i) => y[i] != null),
    notes,
    foot: open ? { x: open.round + 0.5, text: `round ${open.round} open` } : null,
    yAxis: 0,
    flush: true,
  };
  return { spec, metric, points, readAt: (at) => readGlobal(model, metric, points, at) };
}

/** The curve over the rounds in sight of a board that is scrolled. */
export function curveIn(curve: GlobalCurve, range: { min: number; max: number }): GlobalCurve {
  const { x } = curve.spec;
  if (range.min === x.min && range.max === x.max) return curve;
  const ticks = x.ticks.filter((tick) => tick >= range.min && tick <= range.max);
  return { ...curve, spec: { ...curve.spec, x: { ...range, ticks, texts: tickTexts(ticks) } } };
}

/** The rounds of a tail, from the one that is kept on, so that its line begins on the curve. */
function roundsFrom(model: RunModel, tail: Tail): readonly Round[] {
  const rounds = attemptOfModel(model, tail.attempt)?.rounds ?? [];
  return rounds.filter((each) => each.round >= tail.kept && each.round <= tail.last);
}

/** Where the run went back, and which attempt went on from there. */
function turnsOf(model: RunModel): NonNullable<PlotSpec["turns"]> {
  return model.attempts.flatMap(({ attempt, from, kept }) =>
    from > 0 && kept > from ? [{ x: from, label: `attempt ${attempt}` }] : [],
  );
}

function readGlobal(model: RunModel, metric: string, points: Points, at: number | null) {
  const i =
    at === null
      ? points.y.findLastIndex((value) => value !== null)
      : points.x.findLastIndex((x) => x <= at + 1e-6);
  const round = points.x[i];
  if (round === undefined) return null;
  const aggregated = model.rounds.find((each) => each.round === round)?.aggregated;
  const low = points.low?.[i];
  const high = points.high?.[i];
  const n = aggregated?.numSamples ?? null;
  return {
    round,
    value: rate(aggregated?.metrics[metric] ?? null),
    interval: low != null && high != null ? `${rate(low)} to ${rate(high)}` : "",
    n: n === null ? "n not reported" : `n ${count(n)}`,
  };
}

/** 1, 5, 10, 15 …: the first round is named, then every fifth or tenth, so far apart that their numbers have room. */
export function roundTicks(columns: number, pixels: number): number[] {
  const width = pixels / Math.max(1, columns);
  const step = [1, 5, 10, 20, 50, 100, 200, 500].find((each) => each * width >= 44) ?? 1000;
  const found = [1];
  for (let at = step; at <= columns; at += step) if (at > 1) found.push(at);
  return found;
}

/* Small multiples. */

export const LOCAL_METRICS = ["loss", "auroc", "recall"] as const;
export type LocalMetric = (typeof LOCAL_METRICS)[number];

const NAMES: Readonly<Record<LocalMetric, { local: string; global: string }>> = {
  loss: { local: "train_loss", global: "val_loss" },
  auroc: { local: "val_auroc", global: "val_auroc" },
  recall: { local: "val_recall", global: "val_recall" },
};

export interface Small {
  client: Client;
  look: Look;
  spec: PlotSpec;
  /** The newest value, or why there is none. */
  value: string;
  n: string;
  note: string | null;
}

/** One small chart for each client, all on one y scale. */
export function smallMultiples(
  model: RunModel,
  metric: LocalMetric,
  clients: readonly Client[],
  grey: ReadonlySet<string>,
  tails: readonly Tail[] = [],
): Small[] {
  const names = NAMES[metric];
  const whole = localEpochsOf(model);
  const end = Math.min(model.totalRounds ?? Number.POSITIVE_INFINITY, plannedRange(model.round));
  const max = Math.max(1, Number.isFinite(end) ? end : plannedRange(model.round), model.round);
  const global = globalPoints(model.rounds, names.global);
  const all = clients.map((client) => ({
    client,
    ...localPoints(model.rounds, client, names.local, metric, whole),
    superseded: tails.map((tail) => ({
      tail,
      points: localPoints(roundsFrom(model, tail), client, names.local, metric, whole).points,
    })),
  }));
  const values = [
    ...global.y,
    ...all.flatMap((each) =>
      [each.points, ...each.superseded.map(({ points }) => points)].flatMap((p) => p.y),
    ),
  ];
  const scale: Scale = metric === "loss" ? lossScale(values, 3) : rateScale(values, 3);
  const ticks = wholeTicks(0, max, 180, 45);
  const open = openRound(model);
  return all.map(({ client, points, crosses, superseded }): Small => {
    const few = metric === "loss" ? null : tooFew(model, client.clientId);
    const own = lookOf(client.index);
    const look = grey.has(client.clientId) ? { ...own, color: "--text3" } : own;
    const newest = points.y.findLast((value) => value !== null) ?? null;
    const n = model.data.clients[client.clientId]?.[metric === "loss" ? "train" : "val"]?.n ?? null;
    return {
      client,
      look,
      value: few ? "" : rate(newest),
      note: few,
      n: n === null ? "n not reported" : `n ${count(n)}`,
      spec: {
        series: [
          { label: "global validation", look: GLOBAL, points: global, marked: false, reference: true },
          {
            label: client.clientId,
            look,
            points: few ? { x: [], y: [] } : points,
            marked: false,
            markLast: true,
            width: 1.75,
          },
          ...(few ? [] : superseded).map(
            ({ tail, points }): PlotSeries => ({
              label: `${client.clientId}, attempt ${tail.attempt}`,
              look,
              points,
              marked: false,
              tail: true,
            }),
          ),
        ],
        x: { min: 0, max, ticks, texts: tickTexts(ticks) },
        y: withTexts(scale),
        tint: open ? [open.round - 1, open.round] : null,
        crosses,
        stops: points.x.filter((_, i) => points.y[i] != null),
        yAxis: 30,
      },
    };
  });
}

function globalPoints(rounds: readonly Round[], metric: string): Points {
  const told = rounds.filter((round) => round.aggregated && metric in round.aggregated.metrics);
  return {
    x: told.map((round) => round.round),
    y: told.map((round) => round.aggregated?.metrics[metric] ?? null),
  };
}

/** A client's local epochs in order; a round it did not do, or failed in, is a gap. */
function localPoints(
  rounds: readonly Round[],
  client: Client,
  name: string,
  metric: LocalMetric,
  whole: number,
): { points: Points; crosses: number[] } {
  const x: number[] = [];
  const y: (number | null)[] = [];
  const crosses: number[] = [];
  let before = 0;
  let failedBefore = false;
  for (const round of rounds) {
    const cell = round.clients[client.clientId];
    if (cell?.failed) crosses.push(round.round - 0.5);
    if (!cell) continue;
    const points = cell.localEpochs
      .filter((each) => name in each.metrics)
      .map((each) => ({ x: round.round - 1 + each.localEpoch / whole, y: each.metrics[name] ?? null }));
    if (points.length === 0 && cell.sent !== null) {
      const value = (metric === "loss" ? cell.fit : cell.evaluation)?.[name];
      if (value !== undefined) points.push({ x: round.round, y: value });
    }
    const stepLoss = cell.step?.metrics[name];
    if (metric === "loss" && cell.sent === null && stepLoss != null && cell.step?.totalSteps) {
      const at =
        round.round - 1 + ((cell.step.epoch ?? 1) - 1 + cell.step.step / cell.step.totalSteps) / whole;
      if (at > (points[points.length - 1]?.x ?? 0))
        points.push({ x: Math.min(round.round, at), y: stepLoss });
    }
    if (points.length === 0) continue;
    if (before > 0 && (round.round > before + 1 || failedBefore)) {
      x.push(((x[x.length - 1] ?? 0) + (points[0]?.x ?? 0)) / 2);
      y.push(null);
    }
    for (const point of points) {
      x.push(point.x);
      y.push(point.y);
    }
    before = round.round;
    failedBefore = cell.failed !== null;
  }
  return { points: { x, y }, crosses };
}
