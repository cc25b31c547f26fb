import { Skeleton, Table } from "@mantine/core";
import type { RefObject } from "react";
import { Link, useLocation } from "wouter";
import { utcTime } from "../client/clock";
import { count } from "../client/numbers";
import { millis } from "../client/reading";
import type { RunState } from "../client/state";
import { durationWords } from "../client/wording";
import { METRICS, type Metric } from "./filter";
import { Happening, LatestValue, Marks, Phantom } from "./parts";
import { type Picked, PickRun } from "./picked";
import type { Placement } from "./placement";
import { type RowAction, RunMenu } from "./RunMenu";
import { hospitals, pointsOf, runName, setUp, startedWords, took } from "./row";
import { Sparkline } from "./Sparkline";
import { type Points, type Scale, sharedScale } from "./sparkline";

interface Props {
  readonly placement: Placement;
  readonly runs: ReadonlyMap<string, RunState>;
  readonly series: ReadonlyMap<string, Points>;
  readonly metric: Metric;
  readonly liveTotal: number | null;
  readonly endedTotal: number | null;
  readonly now: number;
  readonly away: boolean;
  readonly ask: (action: RowAction, run: RunState) => void;
  readonly tableRef: RefObject<HTMLTableElement | null>;
  readonly picked: Picked;
}

export function RunsTable(props: Props) {
  const { placement, runs, series, metric, tableRef } = props;
  const scale = scaleOf(props);
  const group = (title: string, ids: readonly string[]) =>
    ids.length > 0 && (
      <tbody>
        <tr className="runs-group">
          <th colSpan={9} scope="rowgroup">
            {title}
          </th>
        </tr>
        {ids.map((id) => {
          const run = runs.get(id);
          return (
            run && (
              <Row
                key={id}
                {...props}
                run={run}
                points={pointsOf(run, metric) ?? series.get(id) ?? []}
                scale={scale}
              />
            )
          );
        })}
      </tbody>
    );
  return (
    <Table className="runs" layout="fixed" ref={tableRef} aria-label="Runs">
      <Head metric={metric} />
      {group(`Live now, ${count(props.liveTotal ?? placement.live.length)}`, placement.live)}
      {group(
        `Earlier, ${count(props.endedTotal ?? placement.earlier.length)}, newest first`,
        placement.earlier,
      )}
    </Table>
  );
}

export function scaleOf({
  placement,
  runs,
  series,
  metric,
}: Pick<Props, "placement" | "runs" | "series" | "metric">): Scale {
  const ids = [...placement.live, ...placement.earlier];
  const all = ids.map((id) => {
    const run = runs.get(id);
    return (run && pointsOf(run, metric)) ?? series.get(id) ?? [];
  });
  return sharedScale(all, metric !== "loss");
}

function Head({ metric }: { readonly metric: Metric }) {
  return (
    <thead>
      <tr>
        <th scope="col" className="col-run">
          Run
        </th>
        <th scope="col" className="col-happening">
          What is happening
        </th>
        <th scope="col" className="col-spark">
          {METRICS[metric]}
        </th>
        <th scope="col" className="col-latest">
          Latest{metric === "loss" ? "" : ", 95% interval"}
        </th>
        <th scope="col" className="col-n">
          n
        </th>
        <th scope="col" className="col-hospitals">
          Hospitals
        </th>
        <th scope="col" className="col-started">
          Started
        </th>
        <th scope="col" className="col-took">
          Duration
        </th>
        <th scope="col" className="col-menu">
          <span className="visually-hidden">More</span>
        </th>
      </tr>
    </thead>
  );
}

interface RowProps extends Props {
  readonly run: RunState;
  readonly points: Points;
  readonly scale: Scale;
}

function Row({ run, points, scale, metric, now, away, ask, picked }: RowProps) {
  const [, go] = useLocation();
  const address = `/runs/${encodeURIComponent(run.run_id)}`;
  const started = millis(run.start_time);
  const duration = took(run, now, away);
  const open = (event: React.MouseEvent): void => {
    // The name is the link; a click elsewhere in the row is a convenience for the pointer, and no text is lost by it.
    const onControl =
      event.target instanceof Element &&
      event.target.closest("a, button, input, label, [role=menu]") !== null;
    if (!onControl && window.getSelection()?.isCollapsed !== false) go(address);
  };
  return (
    <tr className="runs-row" onClick={open}>
      <td className="with-pick">
        <PickRun run={run} picked={picked} />
        <Link href={address} className="runs-name">
          {runName(run)}
        </Link>
        <div className="t-note text3 clip">
          {run.phantom && <Phantom />}
          <Marks run={run} />
          {setUp(run)}
        </div>
      </td>
      <td>
        <Happening run={run} now={now} away={away} />
      </td>
      <td>
        <Sparkline
          points={points}
          total={run.mode === "federated" ? run.total_rounds : run.total_epochs}
          scale={scale}
        />
      </td>
      <td className="right">
        <LatestValue run={run} metric={metric} />
      </td>
      <td className="right text2">{run.metrics_at === null || run.n === null ? "–" : count(run.n)}</td>
      <td className={`right ${run.mode === "federated" ? "" : "text3"}`}>{hospitals(run)}</td>
      <td className="right text2">
        {started === null ? (
          "–"
        ) : (
          <time dateTime={new Date(started).toISOString()} title={utcTime(started)}>
            {startedWords(started, now)}
          </time>
        )}
      </td>
      <td className="right">{duration === null ? "–" : coarse(duration)}</td>
      <td className="col-menu">
        <RunMenu run={run} ask={ask} />
      </td>
    </tr>
  );
}

/** From a quarter of an hour on the seconds are left out: nobody reads them, and they would tick. */
function coarse(ms: number): string {
  const seconds = ms / 1000;
  return durationWords(seconds >= 900 && seconds < 3600 ? Math.floor(seconds / 60) * 60 : seconds);
}

/** Rows of the same height, while the first list is on its way. */
export function LoadingTable({ rows, metric }: { readonly rows: number; readonly metric: Metric }) {
  return (
    <Table className="runs" layout="fixed" aria-label="Runs" aria-busy="true">
      <Head metric={metric} />
      <tbody>
        <tr className="runs-group">
          <th colSpan={9} scope="rowgroup">
            On their way
          </th>
        </tr>
        {Array.from({ length: rows }, (_, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: placeholders have no identity
          <tr key={i} className="runs-row">
            <td colSpan={9}>
              <Skeleton height={14} width={`${34 + ((i * 7) % 20)}%`} />
            </td>
          </tr>
        ))}
      </tbody>
    </Table>
  );
}
