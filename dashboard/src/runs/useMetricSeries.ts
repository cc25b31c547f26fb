import { useQueries } from "@tanstack/react-query";
import { getSeries } from "../client/api";
import type { RunState } from "../client/state";
import type { Metric } from "./filter";
import { pointsOf } from "./row";
import { metricPoints } from "./seriesPoints";
import type { Points } from "./sparkline";

/** The sparklines of a metric that is not a run's own key metric: the row does not have them, so they are asked for. */
export function useMetricSeries(runs: readonly RunState[], metric: Metric): ReadonlyMap<string, Points> {
  const missing = runs.filter(
    (run) => pointsOf(run, metric) === null && run.metrics[`val_${metric}`] != null,
  );
  return useQueries({
    queries: missing.map((run) => ({
      queryKey: ["metric-series", run.run_id, metric, run.metrics_at],
      queryFn: ({ signal }: { signal: AbortSignal }) =>
        getSeries(run.run_id, { metric: `val_${metric}` }, signal),
      staleTime: Number.POSITIVE_INFINITY,
    })),
    combine: (answers) =>
      new Map(
        answers.flatMap((answer, i) => {
          const run = missing[i];
          return run === undefined || answer.data === undefined
            ? []
            : [[run.run_id, metricPoints(answer.data, `val_${metric}`, run.mode === "federated")] as const];
        }),
      ),
  });
}
