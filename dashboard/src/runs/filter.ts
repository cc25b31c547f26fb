/** What the list of runs is narrowed to. It lives in the address, so that it can be shared and comes back. */

import { useCallback, useMemo } from "react";
import { useSearchParams } from "wouter";

export type Tab = "all" | "live" | "finished" | "failed" | "stopped";
export type Mode = "any" | "centralized" | "federated";
export type Metric = "auroc" | "recall" | "specificity" | "accuracy" | "loss";

export interface Filter {
  readonly q: string;
  readonly tab: Tab;
  readonly mode: Mode;
  readonly metric: Metric;
  readonly page: number;
}

/** The server's words for each tab. A run of which nothing is heard any more was not seen to fail: it is "stopped". */
export const STATUSES: Readonly<Record<Tab, readonly string[]>> = {
  all: [],
  live: ["queued", "started", "running"],
  finished: ["completed"],
  failed: ["failed"],
  stopped: ["cancelled", "lost"],
};

export const METRICS: Readonly<Record<Metric, string>> = {
  auroc: "Validation AUROC",
  recall: "Validation recall",
  specificity: "Validation specificity",
  accuracy: "Validation accuracy",
  loss: "Validation loss",
};

const MODES: readonly Mode[] = ["any", "centralized", "federated"];

export function readFilter(search: URLSearchParams): Filter {
  const page = Number(search.get("page") ?? 1);
  return {
    q: (search.get("q") ?? "").slice(0, 200),
    tab: oneOf(search.get("status"), Object.keys(STATUSES) as Tab[], "all"),
    mode: oneOf(search.get("mode"), MODES, "any"),
    metric: oneOf(search.get("metric"), Object.keys(METRICS) as Metric[], "auroc"),
    page: Number.isInteger(page) && page >= 1 ? page : 1,
  };
}

function oneOf<T extends string>(value: string | null, known: readonly T[], otherwise: T): T {
  return known.find((each) => each === value) ?? otherwise;
}

/** What is not the default stands in the address. */
export function writeFilter(filter: Filter): URLSearchParams {
  const search = new URLSearchParams();
  if (filter.q !== "") search.set("q", filter.q);
  if (filter.tab !== "all") search.set("status", filter.tab);
  if (filter.mode !== "any") search.set("mode", filter.mode);
  if (filter.metric !== "auroc") search.set("metric", filter.metric);
  if (filter.page !== 1) search.set("page", String(filter.page));
  return search;
}

export function isNarrowed(filter: Filter): boolean {
  return filter.q !== "" || filter.tab !== "all" || filter.mode !== "any";
}

/** The filter in the address; a change of anything but the page goes back to the first page. */
export function useFilter(): readonly [Filter, (change: Partial<Filter>) => void] {
  const [search, setSearch] = useSearchParams();
  const text = search.toString();
  const filter = useMemo(() => readFilter(new URLSearchParams(text)), [text]);
  const change = useCallback(
    (part: Partial<Filter>) =>
      setSearch(writeFilter({ ...filter, page: 1, ...part }), { replace: !("page" in part) }),
    [filter, setSearch],
  );
  return [filter, change];
}
