import { SegmentedControl } from "@mantine/core";
import { useMemo, useState } from "react";
import { ChartCard } from "../charts/ChartCard";
import { Cursor } from "../charts/cursor";
import { lookOf } from "../charts/marks";
import { AXES, type Axis } from "../client/axes";
import type { RunModel } from "../client/model";
import { GLOBAL, globalMetric } from "../federated/curves";
import { metricName } from "../run/figures";
import { useParam } from "../run/useParam";
import { useSteady } from "../run/useSteady";
import { AXIS_NAMES, figuresOf, type Line, togetherChart, withoutAxis } from "./chart";
import { OtherRun } from "./OtherRun";
import { type Other, useOther } from "./useOther";

/** The look of the run beside: no other curve on the screen has its mark. */
export const OTHER_LOOK = lookOf(4);

/** This run's line and, where one was chosen, that of the run beside it. */
export function linesWith(main: Line, other: Other): Line[] {
  if (other.model === null) return [main];
  return [main, { model: other.model, look: OTHER_LOOK, name: other.model.name }];
}

interface Props {
  model: RunModel;
  height: number;
  pixels?: number;
}

/** The global model by images seen, time, bytes or rounds, alone or beside another run on the same axis. */
export function TogetherCard({ model, height, pixels = 900 }: Props) {
  const other = useOther();
  const [axis, setAxis] = useParam<Axis>("x", AXES, "images");
  // Its x is another one than the board's rounds: a cursor of its own.
  const [cursor] = useState(() => new Cursor());
  const metric = globalMetric(model);
  const lines = linesWith({ model, look: GLOBAL, name: other.model ? model.name : "global model" }, other);
  // biome-ignore lint/correctness/useExhaustiveDependencies: steps, and most of what is told, change no figure in it
  const view = useMemo(
    () => togetherChart(lines, metric, axis, pixels),
    [lines.map(figuresOf).join(), metric, axis, pixels],
  );
  const spec = useSteady(view.spec, `together-${axis}-${metric}-${other.runId ?? ""}`, model.round);
  return (
    <div className="together">
      <ChartCard
        id="together"
        title={`${metricName(metric)} by ${AXIS_NAMES[axis].toLowerCase()}`}
        about={aboutOf(lines, axis, other)}
        spec={spec}
        cursor={cursor}
        height={height}
        read={view.read}
        xName={axis}
        empty={view.empty}
        tools={
          <>
            <OtherRun runId={model.runId} other={other} />
            <SegmentedControl
              size="xs"
              aria-label="x axis"
              value={axis}
              onChange={(value) => setAxis(value as Axis)}
              data={AXES.map((value) => ({ value, label: AXIS_NAMES[value] }))}
            />
          </>
        }
      />
    </div>
  );
}

/** What the reader must know of the two: which cannot be told on this axis, or that one is not there. */
export function aboutOf(lines: readonly Line[], axis: Axis, other: Other): string {
  if (other.isUnknown) return `there is no run ${other.runId}`;
  const second = lines[1];
  const why = second ? withoutAxis(second.model, axis) : null;
  if (second && why !== null) return `${second.name} is not drawn: ${why}`;
  return "validation; shaded: 95% interval from n";
}
