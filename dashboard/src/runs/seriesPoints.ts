import { integer, list, number, record, text } from "../client/reading";
import type { Points } from "./sparkline";

/** One metric over epochs (or, of the global model, over rounds), out of an answer of `/series`. */
export function metricPoints(answer: unknown, metric: string, federated: boolean): Points {
  const wanted = federated ? "round_aggregated" : "epoch_end";
  const points = new Map<number, number | null>();
  for (const each of list(record(answer).epochs)) {
    const columns = record(each);
    if (text(columns.type) !== wanted || columns.client_id != null) continue;
    const at = list(federated ? columns.round : columns.epoch);
    const values = list(record(columns.metrics)[metric]);
    at.forEach((value, i) => {
      const x = integer(value);
      if (x !== null && values[i] !== undefined) points.set(x, number(values[i]));
    });
  }
  return [...points].sort(([a], [b]) => a - b);
}
