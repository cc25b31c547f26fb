/** Everything in `final_metrics`, each under its own name. */

import { intervalOf } from "../client/intervals";
import type { RunModel } from "../client/model";
import { count, rate } from "../client/numbers";
import { casesOf, metricWords, numberOf } from "./figures";
import { durationWords } from "./time";

export interface Result {
  key: string;
  name: string;
  value: string;
  /** n and interval, or the epoch it is of. */
  beside: string;
}

const COUNTS: Readonly<Record<string, string>> = {
  total_epochs: "epochs",
  total_rounds: "rounds",
  best_epoch: "best epoch",
  best_round: "best round",
  num_samples: "images evaluated",
  test_num_samples: "test images",
};

export function results(model: RunModel): Result[] {
  const final = model.finalMetrics;
  if (!final) return [];
  const bestEpoch = numberOf(final.best_epoch) ?? numberOf(final.best_round);
  return Object.entries(final).map(([key, value]): Result => {
    const n = numberOf(value);
    if (key === "duration_seconds" && n !== null) {
      return { key, name: "duration", value: durationWords(n * 1000), beside: "" };
    }
    if (n === null)
      return { key, name: metricWords(key), value: value === null ? "not told" : String(value), beside: "" };
    // A chance of one in many thousands, which three decimals would call none.
    if (key === "delta") return { key, name: key, value: String(n), beside: "" };
    const countName = COUNTS[key];
    if (countName) return { key, name: countName, value: count(n), beside: "" };
    const phase = /^(?:best_)?(train|val|test)_/.exec(key)?.[1] as "train" | "val" | "test" | undefined;
    const cases = phase ? casesOf(model, phase) : null;
    const interval = cases && phase !== "train" ? intervalOf(key.replace(/^best_/, ""), n, cases) : null;
    const beside = [
      interval ? `${rate(interval.low)} to ${rate(interval.high)}` : "",
      phase ? (cases?.n == null ? "n not reported" : `n ${count(cases.n)}`) : "",
      key.startsWith("best_") && bestEpoch !== null
        ? `${model.federated ? "round" : "epoch"} ${bestEpoch}`
        : "",
    ].filter(Boolean);
    return { key, name: metricWords(key), value: rate(n), beside: beside.join(", ") };
  });
}
