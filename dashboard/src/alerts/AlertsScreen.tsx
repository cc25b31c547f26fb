import { Button, SegmentedControl, Select } from "@mantine/core";
import { IconAlertTriangle, type IconBell, IconCircleX, IconInfoCircle } from "@tabler/icons-react";
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Link, useSearchParams } from "wouter";
import { Loading } from "../app/Loading";
import { Notice } from "../app/Notice";
import { useTitle } from "../app/title";
import {
  type AlertLine,
  type AlertPage,
  type Level,
  listAlerts,
  listRuns,
  type Problem,
} from "../client/api";
import { utcTime } from "../client/clock";
import { feeds } from "../client/feeds";
import { millis } from "../client/reading";
import { runName, startedWords } from "../runs/row";
import { Rules } from "./Rules";
import { markSeen, useSeen } from "./useUnseen";
import "./alerts.css";

type Shown = "all" | "attention" | "rules";

const PAGE = 50;
const ASK_EVERY_MS = 5_000;
const LEVELS: Readonly<Record<Shown, readonly Level[]>> = {
  all: [],
  attention: ["warning", "error"],
  rules: [],
};

/** What somebody should look at, over all runs, and the rules that say who is told of what. */
export default function AlertsScreen() {
  useTitle("Alerts", { back: "/" });
  // The header's line stays open while no list and no run is looked at.
  useEffect(() => feeds().hold(feeds().runs()), []);
  const [search, setSearch] = useSearchParams();
  const shown = (["attention", "rules"] as const).find((each) => each === search.get("level")) ?? "all";
  const runId = search.get("run") ?? "";
  // What was new when the screen was opened stays marked while it is open.
  const [before] = useState(useSeen());
  const alerts = useInfiniteQuery<
    AlertPage,
    Problem,
    readonly AlertPage[],
    readonly unknown[],
    number | null
  >({
    queryKey: ["alerts", shown, runId],
    queryFn: ({ pageParam, signal }) =>
      listAlerts(
        {
          level: LEVELS[shown],
          limit: PAGE,
          ...(runId === "" ? {} : { run_id: runId }),
          ...(pageParam === null ? {} : { before: pageParam }),
        },
        signal,
      ),
    initialPageParam: null,
    getNextPageParam: (last) =>
      last.alerts.length < PAGE ? undefined : (last.alerts.at(-1)?.offset ?? undefined),
    select: ({ pages }) => pages,
    placeholderData: keepPreviousData,
    refetchInterval: ASK_EVERY_MS,
  });
  const newest = alerts.data?.[0];
  useEffect(() => {
    if (newest !== undefined) markSeen({ logId: newest.log_id, offset: newest.top });
  }, [newest]);
  const change = (key: "level" | "run", value: string): void => {
    const next = new URLSearchParams(search);
    if (value === "" || value === "all") next.delete(key);
    else next.set(key, value);
    setSearch(next, { replace: true });
  };
  const lines = (alerts.data ?? [])
    .flatMap((page) => page.alerts)
    .filter((line) => shown !== "rules" || line.rule !== null);
  return (
    <div className="alerts">
      <section className="alerts-main" aria-label="Alerts">
        <h1 className="t-h1">Alerts</h1>
        <div className="alerts-filters">
          <SegmentedControl
            aria-label="Which"
            value={shown}
            onChange={(next) => change("level", next)}
            data={[
              { value: "all", label: "All" },
              { value: "attention", label: "Warnings and failures" },
              { value: "rules", label: "By a rule" },
            ]}
          />
          <OfRun runId={runId} choose={(next) => change("run", next)} />
        </div>
        {alerts.error !== null && (
          <Notice color="warn" icon={<IconAlertTriangle size={16} />} title={alerts.error.title}>
            {alerts.error.detail}
          </Notice>
        )}
        {alerts.isPending && <Loading />}
        {alerts.data !== undefined && lines.length === 0 && (
          <None narrowed={shown !== "all" || runId !== ""} />
        )}
        {lines.length > 0 && (
          <ol className="card alerts-list">
            {lines.map((line) => (
              <Line
                key={line.offset}
                line={line}
                isNew={before !== null && before.logId === newest?.log_id && line.offset > before.offset}
              />
            ))}
          </ol>
        )}
        {alerts.hasNextPage && (
          <Button
            variant="default"
            loading={alerts.isFetchingNextPage}
            onClick={() => void alerts.fetchNextPage()}
          >
            Earlier alerts
          </Button>
        )}
      </section>
      <Rules />
    </div>
  );
}

function OfRun({ runId, choose }: { readonly runId: string; readonly choose: (runId: string) => void }) {
  const { data } = useQuery({
    queryKey: ["go-to"],
    queryFn: ({ signal }) => listRuns({ limit: 100 }, signal),
  });
  const runs = data?.runs ?? [];
  const known = runs.some((run) => run.run_id === runId);
  return (
    <Select
      aria-label="Run"
      placeholder="All runs"
      value={runId === "" ? null : runId}
      searchable
      clearable
      clearButtonProps={{ "aria-label": "All runs" }}
      nothingFoundMessage="No run is called that"
      onChange={(next) => choose(next ?? "")}
      data={[
        ...(known || runId === "" ? [] : [{ value: runId, label: runId }]),
        ...runs.map((run) => ({ value: run.run_id, label: runName(run) })),
      ]}
    />
  );
}

const SIGNS: Readonly<Record<Level, { word: string; icon: typeof IconBell; tone: string }>> = {
  info: { word: "Note", icon: IconInfoCircle, tone: "plain" },
  warning: { word: "Warning", icon: IconAlertTriangle, tone: "warn" },
  error: { word: "Failure", icon: IconCircleX, tone: "bad" },
};

function Line({ line, isNew }: { readonly line: AlertLine; readonly isNew: boolean }) {
  const { word, icon: Icon, tone } = SIGNS[line.level];
  const at = millis(line.timestamp);
  return (
    <li className={`alert-line tone-${tone}`}>
      <Icon size={16} aria-hidden />
      <div className="alert-words">
        <p>
          <b>
            <span className="visually-hidden">{word}: </span>
            {line.title || word}
          </b>
          {isNew && <span className="alert-new">new</span>}
        </p>
        {line.text !== "" && <p className="text2">{line.text}</p>}
        <p className="t-note text3">
          <Link href={addressOf(line)}>{line.run_name || line.experiment_name || line.run_id}</Link>
          {line.client_id !== null && `, ${line.client_id}`}
          {line.round !== null && `, round ${line.round}`}
          {line.attempt > 1 && `, attempt ${line.attempt}`}
          {line.rule !== null && `, by the rule ${line.rule}`}
        </p>
      </div>
      {at !== null && (
        <time className="t-note text3" dateTime={line.timestamp} title={utcTime(at)}>
          {startedWords(at, Date.now())}
        </time>
      )}
    </li>
  );
}

/** The run, with its events open; of a round, with the cursor there. */
export function addressOf(line: Pick<AlertLine, "run_id" | "round">): string {
  const at = line.round === null ? "" : `&at=${line.round}`;
  return `/runs/${encodeURIComponent(line.run_id)}?tab=events${at}`;
}

function None({ narrowed }: { readonly narrowed: boolean }) {
  return (
    <div className="card alerts-none">
      <p className="t-title">{narrowed ? "Nothing of that kind" : "Nothing needs attention"}</p>
      <p className="text2">
        Here stands what goes wrong in any run (a failure, a hospital that is silent, a loss that became NaN,
        a full disk) and what your rules tell.
      </p>
    </div>
  );
}
