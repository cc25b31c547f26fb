/** The figures of a run with their n and interval, as values: what the KPI strip, the charts and the confusion say. */

import { type Cases, type Interval, intervalOf } from "../client/intervals";
import type { Confusion, Epoch, Metrics, Phase, RunModel } from "../client/model";
import { stepSeries } from "../client/model";

/** The rates the page looks for, in the order in which they take places. */
const RATES = ["auroc", "recall", "specificity", "accuracy", "f1", "precision"] as const;

const NAMES: Readonly<Record<string, string>> = {
  auroc: "AUROC",
  auc: "AUROC",
  f1: "F1",
  loss: "Loss",
  recall: "Recall",
  sensitivity: "Sensitivity",
  specificity: "Specificity",
  accuracy: "Accuracy",
  precision: "Precision",
  learning_rate: "Learning rate",
};

const PHASES: Readonly<Record<string, string>> = { train: "train", val: "validation", test: "test" };

/** "AUROC" for `val_auroc`; a metric we do not know keeps its own name, without underscores. */
export function metricName(metric: string): string {
  const bare = metric.replace(/^(train|val|test)_/, "");
  const known = NAMES[bare];
  if (known) return known;
  const words = bare.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** "validation recall" for `val_recall`, "best validation recall" for `best_val_recall`. */
export function metricWords(metric: string): string {
  const best = metric.startsWith("best_") ? "best " : "";
  const rest = metric.replace(/^best_/, "");
  const phase = /^(train|val|test)_/.exec(rest)?.[1];
  const name = metricName(rest);
  const lower = name === "AUROC" || name === "F1" ? name : name.toLowerCase();
  return `${best}${phase ? `${PHASES[phase]} ` : ""}${lower}`;
}

/** The class counts of a split, from `run_start.data`, else the `num_samples` that came with the metrics. */
export function casesOf(model: RunModel, phase: Phase, metrics?: Metrics | null): Cases {
  const split = model.data.splits[phase];
  if (split) return { n: split.n, normal: split.normal, pneumonia: split.pneumonia };
  const n = metrics?.num_samples ?? metrics?.[`${phase}_num_samples`] ?? null;
  return { n, normal: null, pneumonia: null };
}

/** Which three rates this run reports under a prefix; the usual three stand in until it has reported any. */
export function chosenRates(model: RunModel, phase: Phase = "val"): string[] {
  const seen = new Set<string>();
  for (const epoch of model.epochs)
    for (const name of Object.keys(epoch[phase]?.metrics ?? {})) seen.add(name);
  for (const round of model.rounds)
    for (const name of Object.keys(round.aggregated?.metrics ?? {})) seen.add(name);
  return ratesAmong([...seen], phase);
}

/** As `chosenRates`, among given metric names. */
export function ratesAmong(names: readonly string[], phase: Phase): string[] {
  const prefix = `${phase}_`;
  const usual = ["auroc", "recall", "specificity"].map((name) => prefix + name);
  const known = RATES.map((name) => prefix + name).filter((name) => names.includes(name));
  if (known.length === 0) return usual;
  return [...known, ...usual.filter((name) => !known.includes(name))].slice(0, 3);
}

export interface Figure {
  metric: string;
  value: number | null;
  interval: Interval | null;
  cases: Cases;
}

/** One value with everything that must stand beside it. */
export function figure(model: RunModel, metric: string, metrics: Metrics | null, phase: Phase): Figure {
  const value = metrics?.[metric] ?? null;
  const cases = casesOf(model, phase, metrics);
  return { metric, value, interval: intervalOf(metric, value, cases), cases };
}

/** The newest epoch with validation metrics. */
export function newestValidated(model: RunModel): Epoch | null {
  return model.epochs.findLast((epoch) => epoch.val !== null) ?? null;
}

/** The epoch of the best value: what the trainer says, else the fold's own. */
export function bestEpoch(model: RunModel): number | null {
  const told = model.finalMetrics?.best_epoch;
  if (typeof told === "number") return told;
  return model.federated ? null : (model.best?.at ?? null);
}

/** The mean of the newest `count` values of a step metric; `null` where there are none. */
export function recentMean(
  model: RunModel,
  metric: string,
  count = 50,
): { value: number; of: number } | null {
  const series = stepSeries(model, "train");
  const column = series?.metrics[metric];
  if (!series || !column) return null;
  let sum = 0;
  let of = 0;
  for (let i = series.length - 1; i >= 0 && of < count; i--) {
    const value = column[i];
    if (value == null || (series.attempt[i] ?? 1) !== model.state.attempt) continue;
    sum += value;
    of += 1;
  }
  return of > 0 ? { value: sum / of, of } : null;
}

/** Images per second over the newest steps, or `null` where the batch size or the times are not known. */
export function imagesPerSecond(model: RunModel, over = 50): number | null {
  const batch = model.config.batch_size;
  const series = stepSeries(model, "train");
  if (typeof batch !== "number" || !series || series.length < 3) return null;
  const last = series.length - 1;
  let first = last;
  // Only within one epoch: the validation between two epochs is no training.
  const together = (i: number) =>
    series.epoch[i] === series.epoch[last] && series.attempt[i] === series.attempt[last];
  while (first > 0 && last - first < over && together(first - 1)) first -= 1;
  const steps = (series.step[last] ?? 0) - (series.step[first] ?? 0);
  const seconds = ((series.at[last] ?? 0) - (series.at[first] ?? 0)) / 1000;
  if (steps < 2 || seconds <= 0) return null;
  return (steps * batch) / seconds;
}

/** The counts behind recall and specificity. */
export interface Counts extends Confusion {
  /** True where they were computed from rates and class counts; said on hover. */
  rebuilt: boolean;
}

/** The confusion rebuilt from recall, specificity and class counts; `null` where any of them is missing. */
export function rebuiltConfusion(
  recall: number | null | undefined,
  specificity: number | null | undefined,
  cases: Cases,
): Counts | null {
  if (recall == null || specificity == null || cases.pneumonia == null || cases.normal == null) return null;
  if (!(recall >= 0 && recall <= 1 && specificity >= 0 && specificity <= 1)) return null;
  const truePositive = Math.round(recall * cases.pneumonia);
  const trueNegative = Math.round(specificity * cases.normal);
  return {
    truePositive,
    falseNegative: cases.pneumonia - truePositive,
    trueNegative,
    falsePositive: cases.normal - trueNegative,
    rebuilt: true,
  };
}

export interface ConfusionView {
  counts: Counts;
  phase: Phase;
  /** The epoch the values are of. */
  epoch: number | null;
}

/** Live: of the best validation epoch so far. At the end: of the test split, where there is one. */
export function confusionOf(model: RunModel): ConfusionView | null {
  const final = model.finalMetrics;
  const told = model.testCurves?.confusion;
  const epoch = bestEpoch(model);
  if (told) return { counts: { ...told, rebuilt: false }, phase: "test", epoch };
  if (final) {
    const counts = rebuiltConfusion(
      numberOf(final.test_recall),
      numberOf(final.test_specificity),
      casesOf(model, "test"),
    );
    if (counts) return { counts, phase: "test", epoch };
  }
  const best = model.epochs.find((each) => each.epoch === epoch && each.val) ?? newestValidated(model);
  const metrics = best?.val?.metrics;
  if (!best || !metrics) return null;
  const counts = rebuiltConfusion(
    metrics.val_recall,
    metrics.val_specificity,
    casesOf(model, "val", metrics),
  );
  return counts ? { counts, phase: "val", epoch: best.epoch } : null;
}

export function numberOf(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** What `final_metrics` holds of a phase, as metrics. */
export function finalOf(model: RunModel, phase: Phase): Metrics | null {
  const final = model.finalMetrics;
  if (!final) return null;
  const found: Record<string, number | null> = {};
  for (const [name, value] of Object.entries(final)) {
    if (name.startsWith(`${phase}_`)) found[name] = numberOf(value);
  }
  return Object.keys(found).length > 0 ? found : null;
}

/** The round floor of a printed scale that holds all of `lows`: 0.8, 0.6, 0.4, 0.2, 0. */
export function rulerFloor(lows: readonly (number | null | undefined)[]): number {
  let least = 1;
  for (const low of lows) if (low != null && low < least) least = low;
  const floor = Math.floor(least * 5 + 1e-9) / 5;
  return Math.max(0, Math.min(0.8, floor));
}
