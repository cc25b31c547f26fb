/** The five places of the KPI strip, as values. */

import type { Look } from "../charts/marks";
import type { Metrics, Phase, RunModel } from "../client/model";
import { stepSeries } from "../client/model";
import { count, rate } from "../client/numbers";
import {
  bestEpoch,
  casesOf,
  chosenRates,
  type Figure,
  figure,
  finalOf,
  metricName,
  newestValidated,
  ratesAmong,
  recentMean,
  rulerFloor,
} from "./figures";
import { LOOKS, stepLossName } from "./plots";
import { padded } from "./steadyText";

export interface Kpi {
  label: string;
  /** Where the value comes from: "validation, epoch 6", "test". */
  when: string;
  value: string;
  /** The interval, or the value before. */
  beside: string;
  /** n, or what the rate means in cases. */
  note: string;
  ruler?: { floor: number; value: number; low: number; high: number } | null;
  spark?: { look: Look; values: readonly (number | null)[]; whole: number } | null;
}

/** "0.987 to 0.999" */
export function intervalWords(one: Figure): string {
  return one.interval ? `${rate(one.interval.low)} to ${rate(one.interval.high)}` : "";
}

/** What a rate means in cases: "378 of 389 pneumonia found". */
export function casesWords(one: Figure): string {
  const { n, normal, pneumonia } = one.cases;
  if (n === null) return "n not reported";
  const name = one.metric.replace(/^(train|val|test)_/, "");
  const of = (cases: number) => `${count(Math.round((one.value ?? 0) * cases))} of ${count(cases)}`;
  if (one.value !== null) {
    if ((name === "recall" || name === "sensitivity") && pneumonia !== null)
      return `${of(pneumonia)} pneumonia found`;
    if (name === "specificity" && normal !== null) return `${of(normal)} normal passed`;
    if (name === "accuracy") return `${of(n)} right`;
  }
  if (normal !== null && pneumonia !== null)
    return `n ${count(n)} (${count(pneumonia)} pneumonia, ${count(normal)} normal)`;
  return `n ${count(n)}`;
}

/** The same in fewer words, for a phone. */
export function shortened(kpi: Kpi): Kpi {
  return {
    ...kpi,
    label: kpi.label.replace(/, validation$/, ""),
    when: kpi.when
      .replace(/^validation, (best )?/, "")
      .replace(/^now, step .*/, "now")
      .replace(/, best so far$/, ", best"),
    note: shortCases(kpi.note),
  };
}

/** "371 of 389 pneumonia", "n 524 (389 / 135)" */
export function shortCases(words: string): string {
  return words
    .replace(/ (found|passed)$/, "")
    .replace(/\((\S+) pneumonia, (\S+) normal\)/, "($1 / $2)")
    .replace(/^mean of the last/, "mean of");
}

/** Three rates and two losses of a centralised run: live values, and at the end those of the test split. */
export function centralisedKpis(model: RunModel): Kpi[] {
  return [...rateKpis(model), validationLoss(model), trainLoss(model)];
}

interface Source {
  phase: Phase;
  metrics: Metrics | null;
  when: string;
}

/** Where the rates come from now: the test split at the end, else the best validation epoch, named as such. */
function sourceOf(model: RunModel): Source {
  const test = finalOf(model, "test") ?? model.epochs.findLast((epoch) => epoch.test)?.test?.metrics ?? null;
  if (test && ratesAmong(Object.keys(test), "test").some((name) => test[name] != null)) {
    return { phase: "test", metrics: test, when: "test" };
  }
  const best = model.end?.status === "completed" ? bestEpoch(model) : null;
  const epoch = model.epochs.find((each) => each.epoch === best && each.val) ?? newestValidated(model);
  if (!epoch) return { phase: "val", metrics: null, when: "validation" };
  const words =
    best === epoch.epoch ? `validation, best epoch ${epoch.epoch}` : `validation, epoch ${epoch.epoch}`;
  return { phase: "val", metrics: epoch.val?.metrics ?? null, when: words };
}

function rateKpis(model: RunModel): Kpi[] {
  const source = sourceOf(model);
  const names =
    source.phase === "test" ? ratesAmong(Object.keys(source.metrics ?? {}), "test") : chosenRates(model);
  const figures = names.map((name) => figure(model, name, source.metrics, source.phase));
  const floor = rulerFloor(figures.map((one) => one.interval?.low ?? one.value));
  return figures.map((one) => ({
    label: metricName(one.metric),
    when: source.when,
    value: rate(one.value),
    beside: one.value === null && !source.metrics ? "after the first epoch" : intervalWords(one),
    note: casesWords(one),
    ruler:
      one.value !== null && one.interval
        ? { floor, value: one.value, low: one.interval.low, high: one.interval.high }
        : null,
  }));
}

function validationLoss(model: RunModel): Kpi {
  const told = model.epochs.filter((epoch) => epoch.val && "val_loss" in epoch.val.metrics);
  const values = told.map((epoch) => epoch.val?.metrics.val_loss ?? null);
  const least = Math.min(...values.filter((value) => value !== null));
  const ended = model.end?.status === "completed";
  const marked = ended ? told.find((epoch) => epoch.epoch === bestEpoch(model)) : undefined;
  const shown = marked ?? told[told.length - 1];
  const before = marked ? undefined : told[told.length - 2];
  const value = shown?.val?.metrics.val_loss ?? null;
  const best = value !== null && value <= least;
  const end = marked ? ", best" : best && told.length > 1 ? ", best so far" : "";
  const n = casesOf(model, "val", shown?.val?.metrics).n;
  return {
    label: "Validation loss",
    when: shown ? `epoch ${shown.epoch}${end}` : "validation",
    value: rate(value),
    beside: before
      ? `${rate(before.val?.metrics.val_loss)} at epoch ${before.epoch}`
      : shown
        ? ""
        : "after the first epoch",
    note: n === null ? "n not reported" : `n ${count(n)}`,
    spark: { look: LOOKS.validation, values, whole: model.totalEpochs ?? Math.max(values.length, 2) },
  };
}

function trainLoss(model: RunModel): Kpi {
  const name = stepLossName(stepSeries(model, "train"));
  const mean = name ? recentMean(model, name) : null;
  const told = model.epochs.filter((epoch) => epoch.train && "train_loss" in epoch.train.metrics);
  const newest = told[told.length - 1];
  const inEpoch = newest?.train?.metrics.train_loss ?? null;
  const values = told.map((epoch) => epoch.train?.metrics.train_loss ?? null);
  const spark = { look: LOOKS.train, values, whole: model.totalEpochs ?? Math.max(values.length, 2) };
  if (mean) {
    const now = model.end
      ? `epoch ${model.epoch}`
      : `now, step ${padded(count(model.step?.step), count(model.step?.totalSteps).length)}`;
    return {
      label: "Train loss",
      when: now,
      value: rate(mean.value),
      beside: inEpoch === null || !newest ? "" : `${rate(inEpoch)} in epoch ${newest.epoch}`,
      note: `mean of the last ${mean.of === 1 ? "step" : `${mean.of} steps`}`,
      spark: { ...spark, values: values.length > 1 ? values : [...values, mean.value] },
    };
  }
  const n = casesOf(model, "train", newest?.train?.metrics).n;
  return {
    label: "Train loss",
    when: newest ? `epoch ${newest.epoch}` : "train",
    value: rate(inEpoch),
    beside: newest ? "" : "after the first steps",
    note: n === null ? "n not reported" : `n ${count(n)}`,
    spark,
  };
}
