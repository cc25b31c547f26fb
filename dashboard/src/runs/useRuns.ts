import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useSyncExternalStore } from "react";
import { listRuns, type Problem, type RunPage } from "../client/api";
import { feeds } from "../client/feeds";
import type { Line } from "../client/model";
import type { RunState } from "../client/state";
import { described } from "../client/words";
import { useNow } from "../hooks/useNow";
import { type Filter, STATUSES, type Tab } from "./filter";

export interface Runs {
  /** The rows of this page, live ones as of their newest message; `null` until they are here. */
  readonly rows: readonly RunState[] | null;
  readonly total: number;
  readonly counts: Readonly<Record<Tab, number>> | null;
  readonly problem: Problem | null;
  /** When the rows were listed last. */
  readonly asOf: number;
  readonly line: Line;
  readonly now: number;
  readonly retry: () => void;
}

/** How long to wait for more news before the list is asked for again. */
const ASK_AFTER_MS = 300;

/** One page of runs, live. */
export function useRuns(filter: Filter, limit: number): Runs {
  const feed = feeds().runs();
  useEffect(() => feeds().hold(feed), [feed]);
  const view = useSyncExternalStore(feed.store.subscribe, feed.store.get);
  const now = useNow();

  const list = useQuery<RunPage, Problem>({
    queryKey: ["runs", filter, limit],
    queryFn: ({ signal }) => listRuns({ ...asked(filter, filter.tab), page: filter.page, limit }, signal),
    placeholderData: keepPreviousData,
  });
  const counts = useQuery<Record<Tab, number>, Problem>({
    queryKey: ["run-counts", filter.q, filter.mode],
    queryFn: ({ signal }) => countRuns(filter, signal),
    placeholderData: keepPreviousData,
  });

  const { data } = list;
  useEffect(() => {
    if (data !== undefined) feed.listed(data.runs);
  }, [data, feed]);
  useListAgain(view.changes);

  const rows = useMemo(
    () => data?.runs.map((run) => described(view.runs[run.run_id] ?? run, now)) ?? null,
    [data, view.runs, now],
  );
  return {
    rows,
    total: data?.total ?? 0,
    counts: counts.data ?? null,
    problem: list.error,
    asOf: list.dataUpdatedAt,
    line: view.line,
    now,
    retry: () => void list.refetch(),
  };
}

/** Asks for the list again a moment after it has changed. */
function useListAgain(changes: number): void {
  const client = useQueryClient();
  const seen = useRef(changes);
  useEffect(() => {
    if (changes === seen.current) return;
    const timer = setTimeout(() => {
      seen.current = changes;
      void client.invalidateQueries({ queryKey: ["runs"] });
      void client.invalidateQueries({ queryKey: ["run-counts"] });
      void client.invalidateQueries({ queryKey: ["go-to"] });
    }, ASK_AFTER_MS);
    return () => clearTimeout(timer);
  }, [changes, client]);
}

function asked(filter: Filter, tab: Tab) {
  return { q: filter.q, status: STATUSES[tab], ...(filter.mode === "any" ? {} : { mode: filter.mode }) };
}

async function countRuns(filter: Filter, signal: AbortSignal): Promise<Record<Tab, number>> {
  const count = async (tab: Tab) => (await listRuns({ ...asked(filter, tab), limit: 1 }, signal)).total;
  const [all, live, finished, failed, stopped] = await Promise.all([
    count("all"),
    count("live"),
    count("finished"),
    count("failed"),
    count("stopped"),
  ]);
  return { all, live, finished, failed, stopped };
}
