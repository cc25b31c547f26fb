/** The best epoch or round so far. */

import { KEY_METRICS } from "./fold.state";
import type { Best, Metrics, RunModel } from "./model";

/** Whether less is better. */
export function lessIsBetter(metric: string): boolean {
  return metric.endsWith("loss");
}

/** What the rows of a run are judged by: validation of each epoch, or the global model of each round. */
export function judged(model: RunModel): readonly { readonly at: number; readonly metrics: Metrics }[] {
  return model.federated
    ? model.rounds.flatMap((each) =>
        each.aggregated ? [{ at: each.round, metrics: each.aggregated.metrics }] : [],
      )
    : model.epochs.flatMap((each) => (each.val ? [{ at: each.epoch, metrics: each.val.metrics }] : []));
}

/** The best so far; of equals the first. `null` while there is none. */
export function betterBest(model: RunModel): Best | null {
  const rows = judged(model);
  const metric = KEY_METRICS.find((key) => rows.some((row) => row.metrics[key] != null));
  if (metric === undefined) return null;
  let best: Best | null = null;
  for (const row of rows) {
    const value = row.metrics[metric];
    if (value == null) continue;
    if (best === null || (lessIsBetter(metric) ? value < best.value : value > best.value)) {
      best = { metric, value, at: row.at };
    }
  }
  return best;
}
