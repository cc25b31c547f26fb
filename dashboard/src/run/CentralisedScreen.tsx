import { SegmentedControl } from "@mantine/core";
import { ChartCard } from "../charts/ChartCard";
import type { Cursor } from "../charts/cursor";
import type { Axis } from "../client/axes";
import type { RunModel } from "../client/model";
import { togetherChart } from "../together/chart";
import { OtherRun } from "../together/OtherRun";
import { aboutOf, linesWith } from "../together/TogetherCard";
import { useOther } from "../together/useOther";
import { TailToggles } from "./Attempts";
import { useTails } from "./attempts";
import { EventsPanel } from "./EventsPanel";
import { chosenRates, metricName } from "./figures";
import { KpiStrip } from "./Kpis";
import { centralisedKpis } from "./kpis";
import { SmoothingControl, YRangeControl } from "./LookControls";
import { MachineCard } from "./MachineCard";
import { Pinned } from "./Pinned";
import { LOOKS, lossChart, rateChart } from "./plots";
import { RailBar } from "./RailBar";
import { ResultsCard } from "./ResultsCard";
import { epochRail } from "./rail";
import { SetupPanel } from "./SetupPanel";
import { Hardest, TestFigures } from "./TestFigures";
import { useChartHeight } from "./useChartHeight";
import { useEventLines } from "./useEventLines";
import { useLooking } from "./useLooking";
import { useParam } from "./useParam";
import { useSteady } from "./useSteady";
import { imagesPerEpoch, X_KINDS, type XKind, xAxis } from "./xaxis";

interface Props {
  model: RunModel;
  cursor: Cursor;
  now: number;
  /** The time of the last message, while the trainer is silent. */
  silentSince: string | null;
  age: string | null;
  /** The epoch the server has come to, while messages are still on their way. */
  arriving: number | null;
}

/** Picture 02: rail, KPIs, charts in two columns, events and set-up beside them. */
export function CentralisedScreen({ model, cursor, now, silentSince, age, arriving }: Props) {
  const lines = useEventLines(model);
  const height = useChartHeight();
  return (
    <>
      <RailBar rail={epochRail(model)} />
      <KpiStrip kpis={centralisedKpis(model)} age={age} />
      <TailToggles model={model} />
      <div className="run-grid">
        <div className="run-charts">
          <LossCard
            model={model}
            cursor={cursor}
            now={now}
            arriving={arriving}
            silentSince={silentSince}
            height={height}
          />
          <KeyRateCard model={model} cursor={cursor} now={now} arriving={arriving} height={height} />
          <OtherRatesCard model={model} cursor={cursor} now={now} arriving={arriving} height={height} />
          <TestFigures model={model} />
          <Pinned model={model} cursor={cursor} now={now} height={height} />
        </div>
        <aside className="card run-side">
          <EventsPanel lines={lines} />
          <SetupPanel model={model} />
        </aside>
      </div>
      <ResultsCard model={model} />
      <MachineCard model={model} />
      <Hardest model={model} />
    </>
  );
}

interface CardProps {
  model: RunModel;
  cursor: Cursor;
  now: number;
  /** The epoch the server has come to, while messages are still on their way. */
  arriving: number | null;
  height: number;
}

export function useXKind(model: RunModel): [XKind, (kind: XKind) => void] {
  const [kind, setKind] = useParam("x", X_KINDS, "epoch");
  return [kind === "images" && imagesPerEpoch(model) === null ? "epoch" : kind, setKind];
}

export function LossCard({
  model,
  cursor,
  now,
  arriving,
  silentSince,
  height,
  plain = false,
}: CardProps & { silentSince: string | null; plain?: boolean }) {
  const [kind, setKind] = useXKind(model);
  const looking = useLooking(cursor, kind);
  const x = xAxis(model, kind, now);
  const { shown } = useTails(model);
  const log = looking.y === "log";
  const view = lossChart(model, x, log, silentSince, kind === "epoch" ? arriving : null, shown, looking);
  const spec = useSteady(view.spec, `loss-${kind}-${looking.y}-${shown.length}`, model.epoch);
  const images = imagesPerEpoch(model) !== null;
  return (
    <ChartCard
      id="loss"
      title="Loss"
      spec={spec}
      cursor={cursor}
      height={height}
      read={view.read}
      xName={kind}
      empty={view.empty}
      tools={
        plain ? null : (
          <>
            <SegmentedControl
              size="xs"
              aria-label="x axis"
              value={kind}
              onChange={(value) => setKind(value as XKind)}
              data={[
                { value: "epoch", label: "Epoch" },
                { value: "time", label: "Time" },
                { value: "images", label: "Images", disabled: !images },
              ]}
            />
            <YRangeControl />
          </>
        )
      }
    />
  );
}

/** What the x axes of a centralised run are called where two runs share one. */
const SHARED: Readonly<Record<XKind, Axis>> = { epoch: "epochs", time: "seconds", images: "images" };

export function KeyRateCard({
  model,
  cursor,
  now,
  arriving,
  height,
  plain = false,
}: CardProps & { plain?: boolean }) {
  const [kind] = useXKind(model);
  const other = useOther();
  const { shown } = useTails(model);
  const [metric = "val_auroc"] = chosenRates(model);
  const look = LOOKS.validation;
  const looking = useLooking(cursor, kind);
  const lines = linesWith({ model, look, name: model.name }, other);
  const alone = lines.length === 1;
  const view = alone
    ? rateChart(
        model,
        [metric],
        [look],
        xAxis(model, kind, now),
        kind === "epoch" ? arriving : null,
        shown,
        looking,
      )
    : togetherChart(lines, metric, SHARED[kind], 440, looking);
  const spec = useSteady(
    view.spec,
    `key-${kind}-${metric}-${other.runId ?? ""}-${shown.length}-${looking.y}`,
    model.epoch,
  );
  const banded = spec.series.some((series) => series.points.low);
  const by = `by ${kind}${banded ? "; shaded: 95% interval from n" : ""}`;
  return (
    <ChartCard
      id="key"
      title={metricName(metric)}
      about={alone && !other.isUnknown ? by : aboutOf(lines, SHARED[kind], other)}
      tools={
        plain ? null : (
          <>
            <SmoothingControl />
            <OtherRun runId={model.runId} other={other} />
          </>
        )
      }
      spec={spec}
      cursor={cursor}
      height={height}
      read={view.read}
      xName={kind}
      empty={view.empty}
    />
  );
}

export function OtherRatesCard({ model, cursor, now, arriving, height }: CardProps) {
  const [kind] = useXKind(model);
  const { shown } = useTails(model);
  const looking = useLooking(cursor, kind);
  const rates = chosenRates(model).slice(1, 3);
  const view = rateChart(
    model,
    rates,
    [LOOKS.recall, LOOKS.specificity],
    xAxis(model, kind, now),
    kind === "epoch" ? arriving : null,
    shown,
    looking,
  );
  const spec = useSteady(
    view.spec,
    `rates-${kind}-${rates.join()}-${shown.length}-${looking.y}`,
    model.epoch,
  );
  const threshold = model.config.threshold;
  const [first = "", second = ""] = rates.map(metricName);
  return (
    <ChartCard
      id="rates"
      title={`${first} and ${second === "AUROC" || second === "F1" ? second : second.toLowerCase()}`}
      about={`by ${kind}${typeof threshold === "number" ? `, at threshold ${threshold}` : ""}`}
      spec={spec}
      cursor={cursor}
      height={height}
      read={view.read}
      xName={kind}
      empty={view.empty}
    />
  );
}
