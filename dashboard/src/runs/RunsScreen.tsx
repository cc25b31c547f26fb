import { Button, Kbd, SegmentedControl, Select, TextInput } from "@mantine/core";
import { useDebouncedCallback, useMediaQuery } from "@mantine/hooks";
import { IconAlertTriangle, IconChevronDown, IconPlus, IconSearch } from "@tabler/icons-react";
import { useEffect, useRef, useState } from "react";
import { Link } from "wouter";
import { useShortcut } from "../app/keys";
import { Notice } from "../app/Notice";
import { useTitle } from "../app/title";
import { speak } from "../app/voice";
import { clockTime } from "../client/clock";
import { feeds } from "../client/feeds";
import type { Line } from "../client/model";
import { count, plural, rate } from "../client/numbers";
import type { RunState } from "../client/state";
import { durationWords } from "../client/wording";
import { useMayOperate } from "../hooks/useSession";
import { AskDialog } from "./AskDialog";
import { EmptyRuns } from "./EmptyRuns";
import { type Filter, isNarrowed, METRICS, type Metric, type Mode, type Tab, useFilter } from "./filter";
import { Pages } from "./Pages";
import { CompareButton, type Picked, usePicked } from "./picked";
import { RunCards } from "./RunCards";
import type { RowAction } from "./RunMenu";
import { LoadingTable, RunsTable, scaleOf } from "./RunsTable";
import { useMetricSeries } from "./useMetricSeries";
import { usePlacement } from "./usePlacement";
import { type Runs, useRuns } from "./useRuns";
import "./runs.css";

const ROW = 52;
const PHONE = "(max-width: 719.98px)";

/** As many rows as the window shows, so that paging and scrolling do not compete. */
function rowsThatFit(): number {
  return Math.min(50, Math.max(11, Math.floor((window.innerHeight - 292) / ROW)));
}

/** 01: all runs, the live ones moving in place. */
export function RunsScreen() {
  useTitle("Runs");
  const [filter, change] = useFilter();
  const [limit] = useState(rowsThatFit);
  const runs = useRuns(filter, limit);
  if (
    runs.rows !== null &&
    runs.rows.length === 0 &&
    runs.total === 0 &&
    !isNarrowed(filter) &&
    runs.problem === null
  ) {
    return <EmptyRuns />;
  }
  return <Listed runs={runs} filter={filter} change={change} limit={limit} />;
}

interface ListedProps {
  readonly runs: Runs;
  readonly filter: Filter;
  readonly change: (part: Partial<Filter>) => void;
  readonly limit: number;
}

function Listed({ runs, filter, change, limit }: ListedProps) {
  const phone = useMediaQuery(PHONE, undefined, { getInitialValueInEffect: false }) ?? false;
  const tableRef = useRef<HTMLTableElement>(null);
  const [asked, setAsked] = useState<{ action: RowAction; run: RunState } | null>(null);
  const { metric, page, ...narrowed } = filter;
  const placed = usePlacement(
    runs.rows ?? [],
    JSON.stringify({ narrowed, page, first: runs.rows === null }),
    tableRef,
  );
  const series = useMetricSeries([...placed.runs.values()], metric);
  useRowKeys(tableRef);
  const picked = usePicked();
  useSpokenNews(runs.rows);
  const away = runs.line.kind === "away";
  const shared = {
    placement: placed.placement,
    runs: placed.runs,
    series,
    metric,
    ...groupTotals(filter.tab, runs),
    now: runs.now,
    away,
    ask: (action: RowAction, run: RunState) => setAsked({ action, run }),
    picked,
  };
  return (
    <>
      <Heading runs={runs} waiting={placed.waiting} show={placed.show} picked={picked} />
      <Filters filter={filter} change={change} runs={runs} />
      {runs.problem !== null && <Trouble runs={runs} />}
      {runs.rows === null && runs.problem === null && <LoadingTable rows={11} metric={metric} />}
      {runs.rows !== null && runs.rows.length === 0 && <NoneFits change={change} />}
      {runs.rows !== null && runs.rows.length > 0 && (
        <>
          {phone ? <RunCards {...shared} /> : <RunsTable {...shared} tableRef={tableRef} />}
          <div className="runs-foot t-note">
            <span>{footWords(shared, metric)}</span>
            <Pages
              page={page}
              limit={limit}
              shown={runs.rows.length}
              total={runs.total}
              go={(to) => change({ page: to })}
            />
          </div>
        </>
      )}
      <AskDialog asked={asked} close={() => setAsked(null)} />
    </>
  );
}

/** How many runs each group holds on all pages; of a tab that is one group, all that fit. */
function groupTotals(tab: Tab, { counts, total }: Runs) {
  if (tab === "live") return { liveTotal: total, endedTotal: 0 };
  if (tab !== "all") return { liveTotal: 0, endedTotal: total };
  return { liveTotal: counts?.live ?? null, endedTotal: counts === null ? null : counts.all - counts.live };
}

function footWords(shared: Parameters<typeof scaleOf>[0], metric: Metric): string {
  const scale = scaleOf(shared);
  const low = rate(scale.low, metric === "loss" ? 0 : 2);
  const high = scale.high < 1 ? rate(scale.high, 2) : rate(scale.high, 0);
  return `Sparklines share one scale, ${low} to ${high}, and one width for the whole run. Rows keep their place while you read.`;
}

function Heading({
  runs,
  waiting,
  show,
  picked,
}: {
  readonly runs: Runs;
  readonly waiting: number;
  readonly show: () => void;
  readonly picked: Picked;
}) {
  const { counts } = runs;
  const operates = useMayOperate();
  return (
    <div className="runs-heading">
      <h1 className="t-h1">Runs</h1>
      <span className="t-table text2">
        {counts === null
          ? "\u00a0"
          : `${count(counts.live)} live, ${count(counts.all - counts.live)} finished or stopped`}
      </span>
      <span className="runs-waiting t-table">
        {runs.line.kind === "away" && <Away line={runs.line} now={runs.now} />}
        {waiting > 0 && runs.line.kind !== "away" && (
          <button type="button" className="link" onClick={show}>
            {plural(waiting, "new run")}, show
          </button>
        )}
      </span>
      <CompareButton picked={picked} />
      {operates && (
        <Button component={Link} href="/new" leftSection={<IconPlus size={16} aria-hidden />}>
          New run
        </Button>
      )}
    </div>
  );
}

/** Said in a place that is there anyway, so that nothing moves. */
function Away({ line, now }: { readonly line: Extract<Line, { kind: "away" }>; readonly now: number }) {
  const wait = Math.max(0, Math.ceil((line.nextTry - now) / 1000));
  return (
    <span className="runs-away">
      The server does not answer since {clockTime(line.since)}; training does not need it. Next try{" "}
      {wait === 0 ? "now" : `in ${wait} s`}.{" "}
      <button type="button" className="link" onClick={feeds().tryNow}>
        Try now
      </button>
    </span>
  );
}

function Filters({
  filter,
  change,
  runs,
}: {
  readonly filter: Filter;
  readonly change: ListedProps["change"];
  readonly runs: Runs;
}) {
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState(filter.q);
  const settle = useDebouncedCallback((q: string) => change({ q }), 250);
  useEffect(() => setText(filter.q), [filter.q]);
  useShortcut("/", "filter the runs", () => input.current?.focus(), "In the list of runs");
  const label = (tab: Tab, word: string) => (
    <span className="tab">
      {word} <span className="tab-count">{runs.counts === null ? "" : count(runs.counts[tab])}</span>
    </span>
  );
  return (
    <div className="runs-filters">
      <TextInput
        ref={input}
        className="runs-q"
        aria-label="Filter by name, tag or note"
        placeholder="Filter by name, tag or note"
        leftSection={<IconSearch size={16} aria-hidden />}
        rightSection={<Kbd size="xs">/</Kbd>}
        value={text}
        maxLength={200}
        onChange={(event) => {
          setText(event.currentTarget.value);
          settle(event.currentTarget.value.trim());
        }}
      />
      <SegmentedControl
        className="runs-tabs"
        aria-label="State"
        value={filter.tab}
        onChange={(tab) => change({ tab: tab as Tab })}
        data={[
          { value: "all", label: label("all", "All") },
          { value: "live", label: label("live", "Live") },
          { value: "finished", label: label("finished", "Finished") },
          { value: "failed", label: label("failed", "Failed") },
          { value: "stopped", label: label("stopped", "Stopped") },
        ]}
      />
      <Select
        className="runs-mode"
        aria-label="Mode"
        value={filter.mode}
        allowDeselect={false}
        rightSection={<IconChevronDown size={16} aria-hidden />}
        onChange={(mode) => change({ mode: (mode ?? "any") as Mode })}
        data={[
          { value: "any", label: "Any mode" },
          { value: "centralized", label: "Centralised" },
          { value: "federated", label: "Federated" },
        ]}
      />
      <Select
        className="runs-metric"
        aria-label="Key metric"
        leftSection={<span>Key metric</span>}
        leftSectionWidth={82}
        value={filter.metric}
        allowDeselect={false}
        rightSection={<IconChevronDown size={16} aria-hidden />}
        onChange={(metric) => change({ metric: (metric ?? "auroc") as Metric, page: filter.page })}
        data={Object.entries(METRICS).map(([value, words]) => ({ value, label: words }))}
      />
    </div>
  );
}

/** What the server said; the rows that are there stay, marked with their age. */
function Trouble({ runs }: { readonly runs: Runs }) {
  const { problem } = runs;
  if (problem === null) return null;
  return (
    <Notice
      color="warn"
      variant="light"
      className="runs-trouble"
      icon={<IconAlertTriangle size={16} />}
      title={problem.title}
    >
      {problem.detail}{" "}
      {runs.rows !== null &&
        `Shown as of ${clockTime(runs.asOf)}, ${durationWords((runs.now - runs.asOf) / 1000)} ago.`}{" "}
      <button type="button" className="link" onClick={runs.retry}>
        Try again
      </button>
    </Notice>
  );
}

function NoneFits({ change }: { readonly change: ListedProps["change"] }) {
  return (
    <div className="card runs-none">
      <p className="t-title">No run fits</p>
      <p className="text2">
        Nothing is called or marked like that.{" "}
        <button type="button" className="link" onClick={() => change({ q: "", tab: "all", mode: "any" })}>
          Show all runs
        </button>
      </p>
    </div>
  );
}

/** `j` and `k`: to the next and the previous row; `Enter` opens, as on every link. */
function useRowKeys(table: React.RefObject<HTMLTableElement | null>): void {
  const move = (by: number): void => {
    const links = [...(table.current ?? document).querySelectorAll<HTMLElement>(".runs-name")];
    const at = links.findIndex((link) => link.closest("tr, li")?.contains(document.activeElement));
    links[
      at === -1 ? (by > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, at + by))
    ]?.focus();
  };
  useShortcut("j", "next row", () => move(1), "In the list of runs");
  useShortcut("k", "previous row", () => move(-1), "In the list of runs");
}

/** A run that has failed while the list is open is said at once. */
function useSpokenNews(rows: readonly RunState[] | null): void {
  const known = useRef<Map<string, string> | null>(null);
  useEffect(() => {
    if (rows === null) return;
    for (const run of rows) {
      const before = known.current?.get(run.run_id);
      if (before !== undefined && before !== "failed" && run.status === "failed") {
        speak(`${run.name || run.experiment_name}: ${run.sentence}`, true);
      }
    }
    known.current = new Map(rows.map((run) => [run.run_id, run.status]));
  }, [rows]);
}
