import { MultiSelect } from "@mantine/core";
import { useLocalStorage } from "@mantine/hooks";
import { useSearchParams } from "wouter";
import { ChartCard } from "../charts/ChartCard";
import type { Cursor } from "../charts/cursor";
import type { RunModel } from "../client/model";
import { useXKind } from "./CentralisedScreen";
import { metricName } from "./figures";
import { MOST_PINS, pinnable, pinnedChart } from "./pins";
import { useLooking } from "./useLooking";
import { useSteady } from "./useSteady";
import { xAxis } from "./xaxis";

interface Props {
  model: RunModel;
  cursor: Cursor;
  now: number;
  height: number;
}

/** The pinned metrics: those of the URL, so that a link shows the same, else those that were pinned last. */
function usePins(): [readonly string[], (pins: readonly string[]) => void] {
  const [params, setParams] = useSearchParams();
  const [kept, keep] = useLocalStorage<readonly string[]>({
    key: "fpd.pins",
    defaultValue: [],
    getInitialValueInEffect: false,
  });
  const told = params.get("pins");
  const pins = told === null ? kept : told.split(",").filter(Boolean);
  const choose = (next: readonly string[]) => {
    keep(next);
    setParams(
      (before) => {
        const after = new URLSearchParams(before);
        after.set("pins", next.join(","));
        return after;
      },
      { replace: true },
    );
  };
  return [pins.slice(0, MOST_PINS), choose];
}

/** Below the charts that every run has: which further metrics get one, and those. */
export function Pinned({ model, cursor, now, height }: Props) {
  const [pins, choose] = usePins();
  const names = pinnable(model);
  return (
    <>
      <div className="card pins">
        <h2>Pinned metrics</h2>
        <MultiSelect
          size="xs"
          aria-label="Pinned metrics"
          placeholder={pins.length === 0 ? "Choose metrics that get a chart of their own" : ""}
          value={[...pins]}
          onChange={choose}
          maxValues={MOST_PINS}
          searchable
          data={[...new Set([...names, ...pins])].map((value) => ({ value, label: metricName(value) }))}
          nothingFoundMessage="No such metric"
        />
      </div>
      {pins.map((metric) => (
        <PinnedCard key={metric} metric={metric} model={model} cursor={cursor} now={now} height={height} />
      ))}
    </>
  );
}

function PinnedCard({ metric, model, cursor, now, height }: Props & { metric: string }) {
  const [kind] = useXKind(model);
  const looking = useLooking(cursor, kind);
  const view = pinnedChart(model, metric, xAxis(model, kind, now), looking);
  const spec = useSteady(view.spec, `pin-${metric}-${kind}-${looking.y}`, model.epoch);
  return (
    <ChartCard
      id={`pin-${metric}`}
      title={metricName(metric)}
      about={`by ${kind}`}
      spec={spec}
      cursor={cursor}
      height={height}
      read={view.read}
      xName={kind}
      empty={view.empty}
    />
  );
}
