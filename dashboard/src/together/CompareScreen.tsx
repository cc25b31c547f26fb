import { Button, Checkbox, SegmentedControl, Select, Tooltip } from "@mantine/core";
import { IconCheck, IconLink, IconPlus, IconX } from "@tabler/icons-react";
import { useMemo, useState } from "react";
import { Link, useSearchParams } from "wouter";
import { useShortcut } from "../app/keys";
import { useTitle } from "../app/title";
import { ChartCard, type ReadingRow } from "../charts/ChartCard";
import { Cursor } from "../charts/cursor";
import { LineSample } from "../charts/Mark";
import { AXES, type Axis } from "../client/axes";
import type { RunModel } from "../client/model";
import { rate } from "../client/numbers";
import type { RunView } from "../client/runFeed";
import { globalMetric } from "../federated/curves";
import "../federated/federated.css";
import { metricName, metricWords } from "../run/figures";
import { SmoothingControl } from "../run/LookControls";
import { StatusSentence, useCopyLink } from "../run/RunHeader";
import "../run/run.css";
import { PhantomBanner } from "../run/StateBadge";
import { badgeOf } from "../run/state";
import { useChartHeight } from "../run/useChartHeight";
import { useCursorInUrl } from "../run/useCursorInUrl";
import { useLooking } from "../run/useLooking";
import { useParam } from "../run/useParam";
import { useSteady } from "../run/useSteady";
import "./compare.css";
import { AtCursor, LatestTable, SetupTable } from "./CompareTables";
import { AXIS_NAMES, figuresOf, placeWords, togetherChart } from "./chart";
import {
  difference,
  differenceChart,
  dimmedAxes,
  dimmedWords,
  drawnOf,
  lastOfBoth,
  linesOf,
  metricsOf,
  valueAt,
  verdictOf,
} from "./compare";
import { MOST_RUNS, runsIn, runsText } from "./runsInUrl";
import { useCompared } from "./useCompared";
import { useListedRuns } from "./useListedRuns";

/** Which runs are compared, as the address has them. */
function useChosenRuns(): [readonly string[], (ids: readonly string[]) => void] {
  const [params, setParams] = useSearchParams();
  const told = params.get("runs");
  const ids = useMemo(() => runsIn(told), [told]);
  const choose = (next: readonly string[]) =>
    setParams(
      (before) => {
        const after = new URLSearchParams(before);
        if (next.length === 0) after.delete("runs");
        else after.set("runs", runsText(next));
        return after;
      },
      { replace: true },
    );
  return [ids, choose];
}

/** 04: two to ten runs on an axis that means the same in each, and how they differ from the first. */
export default function CompareScreen() {
  useTitle("Compare", { back: "/" });
  const [ids, choose] = useChosenRuns();
  const views = useCompared(ids);
  const shown = ids.flatMap((id, i) => {
    const model = views[i]?.model;
    return model ? [{ id, model }] : [];
  });
  const models = shown.map(({ model }) => model);
  return (
    <div className="run-page compare">
      {models.length === 0 ? (
        <Nothing ids={ids} views={views} choose={choose} />
      ) : (
        <Compared ids={ids} views={views} models={models} choose={choose} />
      )}
    </div>
  );
}

interface ChoiceProps {
  ids: readonly string[];
  views: readonly RunView[];
  choose: (ids: readonly string[]) => void;
}

/** No run chosen, or none of them here yet. */
function Nothing({ ids, views, choose }: ChoiceProps) {
  const loading = ids.length > 0 && views.some(({ known }) => known === "loading");
  return (
    <>
      <div className="run-top">
        <h1 className="t-h1">Compare</h1>
      </div>
      <p className="text2" aria-busy={loading}>
        {loading
          ? "The runs are on their way."
          : "Choose two to ten runs, here or with the boxes in the list of runs."}{" "}
        {!loading && <Link href="/">All runs</Link>}
      </p>
      <Chips ids={ids} views={views} models={[]} choose={choose} />
    </>
  );
}

function Compared({ ids, views, models, choose }: ChoiceProps & { models: readonly RunModel[] }) {
  const [cursor] = useState(() => new Cursor());
  useCursorInUrl(cursor);
  const link = useCopyLink();
  useShortcut("l", "copy a link to this comparison", link.copy, "In a comparison");
  const metrics = metricsOf(models, globalMetric(models[0] as RunModel));
  const [metric, setMetric] = useParam("metric", metrics, metrics[0] ?? "val_auroc");
  const dimmed = dimmedAxes(models);
  const usual = AXES.find((each) => !dimmed.has(each)) ?? "images";
  const [axis, setAxis] = useParam<Axis>("x", AXES, usual);
  const [band, setBand] = useParam("interval", ["on", "off"], models.length > 3 ? "off" : "on");
  const lines = linesOf(models);
  // Steps, and most of what is told, change no figure in it.
  const figures = lines.map(figuresOf).join();
  // biome-ignore lint/correctness/useExhaustiveDependencies: `figures` says whether anything that is drawn has changed
  const drawn = useMemo(() => drawnOf(lines, metric, axis), [figures, metric, axis]);
  const verdict = verdictOf(drawn, metric, axis);
  const phantom = models.some(({ data }) => data.phantom);
  return (
    <>
      <div className="run-top">
        <div className="run-name">
          <h1 className="t-h1">Compare</h1>
          <PhantomBanner phantom={phantom} />
        </div>
        <div className="run-actions">
          <Button
            variant="default"
            onClick={link.copy}
            leftSection={
              link.copied ? <IconCheck size={16} stroke={1.75} /> : <IconLink size={16} stroke={1.75} />
            }
          >
            {link.copied ? "Copied" : "Copy link"}
          </Button>
        </div>
      </div>
      <div title="The two intervals are taken as if of different cases (unpaired), which makes this one wide where the cases are the same.">
        <StatusSentence sentence={verdict} />
      </div>
      <div className="compare-choices">
        <Chips ids={ids} views={views} models={models} choose={choose} />
        <Select
          className="compare-metric"
          aria-label="Metric"
          leftSection={<span>Metric</span>}
          leftSectionWidth={62}
          allowDeselect={false}
          value={metric}
          onChange={(value) => value && setMetric(value)}
          data={metrics.map((value) => ({ value, label: capital(metricWords(value)) }))}
        />
      </div>
      <div className="compare-grid" data-many={models.length > 3}>
        <div className="card compare-charts">
          <Curves
            drawn={drawn}
            metric={metric}
            axis={axis}
            setAxis={setAxis}
            dimmed={dimmed}
            banded={band === "on"}
            setBanded={(on) => setBand(on ? "on" : "off")}
            cursor={cursor}
          />
          <Differences drawn={drawn} axis={axis} metric={metric} banded={band === "on"} cursor={cursor} />
          <p className="t-note text3 compare-foot">
            Each point takes the last value at or before its x; nothing is drawn where only one run has been.{" "}
            {dimmedWords(dimmed)}
          </p>
        </div>
        <aside className="compare-side" aria-label="The figures behind the curves">
          <AtCursor drawn={drawn} metric={metric} axis={axis} cursor={cursor} />
          <LatestTable lines={lines} metrics={metrics} />
          <SetupTable lines={lines} />
        </aside>
      </div>
    </>
  );
}

/** Which runs: each with its colour, its state, a way to its page, and a way out; then one more. */
function Chips({ ids, views, models, choose }: ChoiceProps & { models: readonly RunModel[] }) {
  const lines = linesOf(models);
  return (
    <ul className="compare-chips" aria-label="The runs compared">
      {ids.map((id, i) => {
        const view = views[i];
        const line = lines.find(({ model }) => model.runId === id || model === view?.model);
        const words = view?.model
          ? chipWords(view.model, view)
          : view?.known === "unknown"
            ? "no such run here"
            : "on its way";
        return (
          <li key={id} className="compare-chip">
            {line && <LineSample look={line.look} width={26} />}
            <span className="compare-chip-words">
              <Link href={`/runs/${encodeURIComponent(id)}`} className="runs-name">
                {line?.name ?? id}
              </Link>
              <span className="t-note text3">{words}</span>
            </span>
            <button
              type="button"
              className="compare-chip-out"
              aria-label={`Take ${line?.name ?? id} out`}
              onClick={() => choose(ids.filter((each) => each !== id))}
            >
              <IconX size={16} aria-hidden />
            </button>
          </li>
        );
      })}
      {ids.length < MOST_RUNS && (
        <li>
          <AddRun ids={ids} choose={choose} />
        </li>
      )}
    </ul>
  );
}

/** "Centralised, finished, 30 epochs", "Federated, running, round 8 of 20" */
function chipWords(model: RunModel, view: RunView): string {
  const unit = model.federated ? "round" : "epoch";
  const total = model.federated ? model.totalRounds : model.totalEpochs;
  const reached = model.federated ? model.round : model.epoch;
  const state = badgeOf(model, view.line, false).word.toLowerCase();
  const far = model.end ? `${reached} ${unit}${reached === 1 ? "" : "s"}` : `${unit} ${reached}`;
  const of = !model.end && total ? ` of ${total}` : "";
  return `${model.federated ? "Federated" : "Centralised"}, ${state}, ${far}${of}`;
}

function AddRun({ ids, choose }: Pick<ChoiceProps, "ids" | "choose">) {
  const [opened, setOpened] = useState(false);
  const listed = useListedRuns(opened);
  return (
    <Select
      className="compare-add"
      aria-label="Add a run"
      placeholder="Add a run"
      leftSection={<IconPlus size={16} aria-hidden />}
      searchable
      value={null}
      onChange={(id) => id && choose([...ids, id])}
      onDropdownOpen={() => setOpened(true)}
      data={(listed ?? []).filter(({ value }) => !ids.includes(value))}
      nothingFoundMessage={listed ? "No other run" : "Loading"}
      comboboxProps={{ width: 340, position: "bottom-start" }}
    />
  );
}

interface CurvesProps {
  drawn: ReturnType<typeof drawnOf>;
  metric: string;
  axis: Axis;
  banded: boolean;
  cursor: Cursor;
}

function Curves({
  drawn,
  metric,
  axis,
  banded,
  cursor,
  setAxis,
  dimmed,
  setBanded,
}: CurvesProps & {
  setAxis: (axis: Axis) => void;
  dimmed: ReadonlyMap<Axis, string>;
  setBanded: (on: boolean) => void;
}) {
  const height = useChartHeight() + 60;
  const lines = drawn.map(({ line }) => line);
  const { smoothing, full } = useLooking(cursor, axis);
  const view = useMemo(
    () =>
      togetherChart(
        drawn.map(({ line }) => line),
        metric,
        axis,
        900,
        { smoothing, full },
      ),
    [drawn, metric, axis, smoothing, full],
  );
  const plain = banded
    ? view.spec
    : {
        ...view.spec,
        series: view.spec.series.map((each) => ({
          ...each,
          points: { x: each.points.x, y: each.points.y },
        })),
      };
  const turn = Math.max(...lines.map(({ model }) => model.round + model.epoch));
  const spec = useSteady(plain, `compare-${axis}-${metric}-${lines.length}-${banded}`, turn);
  return (
    <ChartCard
      id="compare"
      title={capital(metricWords(metric))}
      spec={spec}
      cursor={cursor}
      height={height}
      read={view.read}
      xName={axis}
      empty={view.empty}
      tools={
        <>
          <SegmentedControl
            size="xs"
            aria-label="x axis"
            value={axis}
            onChange={(value) => setAxis(value as Axis)}
            data={AXES.map((value) => ({
              value,
              disabled: dimmed.has(value),
              label: (
                <Tooltip label={dimmed.get(value) ?? ""} disabled={!dimmed.has(value)}>
                  <span>{AXIS_NAMES[value]}</span>
                </Tooltip>
              ),
            }))}
          />
          <SmoothingControl />
          <Checkbox
            size="xs"
            label="Interval"
            checked={banded}
            onChange={(event) => setBanded(event.currentTarget.checked)}
          />
        </>
      }
    />
  );
}

function Differences({ drawn, metric, axis, banded, cursor }: CurvesProps) {
  const spec = useMemo(() => differenceChart(drawn, axis, banded, 900), [drawn, axis, banded]);
  const first = drawn[0];
  if (first === undefined || drawn.length < 2) return null;
  const read = (x: number | null): ReadingRow => ({
    entries: drawn.slice(1).map((other, i) => {
      const at = x ?? lastOfBoth(first.points, other.points);
      const a = at === null ? null : valueAt(first.points, at);
      const b = at === null ? null : valueAt(other.points, at);
      const found = a && b ? difference(a, b) : null;
      const interval = found?.interval;
      return {
        look: spec.series[i]?.look ?? other.line.look,
        marked: true,
        label: other.line.name,
        value: rate(found?.value ?? null),
        ...(interval && drawn.length < 4 ? { extra: `${rate(interval.low)} to ${rate(interval.high)}` } : {}),
      };
    }),
    at: x === null ? "at the last both have" : `at ${placeWords(axis, x)}`,
  });
  const nothing = spec.series.every(({ points }) => points.x.length === 0);
  return (
    <ChartCard
      id="difference"
      title="Difference"
      about={`${drawn.length === 2 ? drawn[1]?.line.name : "each"} minus ${first.line.name} in ${metricName(metric)}${
        banded ? "; shaded: 95% interval, unpaired" : ""
      }`}
      spec={spec}
      cursor={cursor}
      height={150}
      read={read}
      xName={axis}
      empty={nothing ? "They have no place in common yet." : null}
    />
  );
}

function capital(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}
