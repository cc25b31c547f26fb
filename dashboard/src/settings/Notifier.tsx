import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useSyncExternalStore } from "react";
import { useLocation } from "wouter";
import { usePreferences } from "../app/preferences";
import { type AlertPage, listAlerts, listRuns, type Problem, type RunPage } from "../client/api";
import { feeds } from "../client/feeds";
import { described } from "../client/words";
import { useNow } from "../hooks/useNow";
import { eventOf, type News, newsOf, newsOfRules } from "./news";

const ASK_EVERY_MS = 15_000;
const RUNS = 100;

/** Tells of what becomes of runs, by the browser's own notifications. It draws nothing. */
export default function Notifier() {
  const { notifyOf } = usePreferences();
  const [, go] = useLocation();
  const show = (news: readonly News[]): void => {
    for (const each of news) tell(each, () => go(`/runs/${encodeURIComponent(each.runId)}`));
  };
  useRunNews(show, notifyOf);
  useRuleNews(show, notifyOf.includes("rules"));
  return null;
}

function useRunNews(show: (news: readonly News[]) => void, wanted: Parameters<typeof newsOf>[2]): void {
  const feed = feeds().runs();
  useEffect(() => feeds().hold(feed), [feed]);
  const view = useSyncExternalStore(feed.store.subscribe, feed.store.get);
  const list = useQuery<RunPage, Problem>({
    queryKey: ["runs", "notifier", view.changes],
    queryFn: ({ signal }) => listRuns({ limit: RUNS }, signal),
    retry: true,
  });
  const { data } = list;
  useEffect(() => {
    if (data !== undefined) feed.listed(data.runs);
  }, [data, feed]);
  const now = useNow();
  const known = useRef(new Map<string, ReturnType<typeof eventOf>>());
  useEffect(() => {
    const runs = Object.values(view.runs).map((run) => described(run, now));
    show(newsOf(known.current, runs, wanted));
    for (const run of runs) known.current.set(run.run_id, eventOf(run));
  });
}

function useRuleNews(show: (news: readonly News[]) => void, wanted: boolean): void {
  const after = useRef<number | null>(null);
  const { data } = useQuery<AlertPage, Problem>({
    queryKey: ["alerts", "notifier"],
    queryFn: ({ signal }) => listAlerts({ limit: RUNS }, signal),
    refetchInterval: ASK_EVERY_MS,
    refetchIntervalInBackground: true,
    enabled: wanted,
  });
  useEffect(() => {
    if (data === undefined) return;
    const from = after.current;
    // What was told before the page was opened stands in the list of alerts.
    if (from !== null && data.top >= from)
      show(newsOfRules(data.alerts.filter((line) => line.offset > from)));
    after.current = data.top;
  });
}

/** Shows one; where the browser takes it back meanwhile, nothing is shown. */
export function tell(news: News, open: () => void): void {
  try {
    const shown = new Notification(news.title, { body: news.body, tag: news.tag, icon: "/favicon.svg" });
    shown.onclick = () => {
      window.focus();
      open();
      shown.close();
    };
  } catch {
    // Some phones show notifications of service workers only; the settings say whether it works.
  }
}
