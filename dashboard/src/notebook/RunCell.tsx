import { useState, useSyncExternalStore } from "react";
import { Cursor } from "../charts/cursor";
import { Legend } from "../charts/Legend";
import { LineChart } from "../charts/LineChart";
import { silentFor } from "../client/lateness";
import type { Line, RunModel } from "../client/model";
import { described } from "../client/words";
import { globalCurve } from "../federated/curves";
import { federatedKpis } from "../federated/kpis";
import { panelOf } from "../federated/openPanel";
import { useNow } from "../hooks/useNow";
import { metricName } from "../run/figures";
import { KpiStrip } from "../run/Kpis";
import { centralisedKpis } from "../run/kpis";
import { lossChart } from "../run/plots";
import { RailBar } from "../run/RailBar";
import { epochRail } from "../run/rail";
import { PhantomBanner, StateBadge } from "../run/StateBadge";
import { badgeOf } from "../run/state";
import { useSteady } from "../run/useSteady";
import { xAxis } from "../run/xaxis";
import type { CellSource } from "./source";

const LIVE: Line = { kind: "live", via: "poll" };
const CURVE_PX = 200;

/** The run as a cell shows it: its sentence, its numbers, its curve. */
export function RunCell({ source }: { source: CellSource }) {
  const { model, by, line } = useSyncExternalStore(source.store.subscribe, source.store.get);
  const now = useNow();
  if (model === null) return <p className="cell-empty">Reading {source.runId} …</p>;
  const told = described(model.state, now);
  const badge = badgeOf(model, line ?? LIVE, silentFor(model.state, now) !== null);
  return (
    <section className="run-page cell" aria-label={`Run ${model.name}`} data-federated={model.federated}>
      <header className="cell-head">
        <b className="cell-name">{model.name}</b>
        <StateBadge badge={badge} />
        <PhantomBanner phantom={model.data.phantom} />
        <span className="text3 cell-by">{by === "server" ? "from the server" : "by the kernel"}</span>
      </header>
      <p className="status-sentence t-sentence" aria-live="polite">
        <b>{told.sentence}</b> <span>{told.detail_sentence}</span>
      </p>
      {model.federated ? (
        <>
          <KpiStrip kpis={federatedKpis(model, panelOf(model, told, now))} compact />
          <GlobalChart model={model} />
        </>
      ) : (
        <>
          <RailBar rail={epochRail(model)} />
          <KpiStrip kpis={centralisedKpis(model)} compact />
          <LossChart model={model} now={now} />
        </>
      )}
    </section>
  );
}

function LossChart({ model, now }: { model: RunModel; now: number }) {
  const [cursor] = useState(() => new Cursor());
  const view = lossChart(model, xAxis(model, "epoch", now), false, null, null, []);
  const spec = useSteady(view.spec, "loss", model.epoch);
  const words = (x: number) => {
    const row = view.read(x);
    return `${row.at}: ${row.entries.map((each) => `${each.label} ${each.value}`).join(", ")}`;
  };
  return (
    <section className="card chart-card" aria-label="Loss">
      <div className="chart-head">
        <h2>Loss</h2>
      </div>
      <Legend cursor={cursor} read={view.read} />
      <div className="chart-body" style={{ height: CURVE_PX }}>
        <LineChart
          spec={spec}
          id="loss"
          label="Loss by epoch"
          cursor={cursor}
          height={CURVE_PX}
          reading={words}
        />
        {view.empty && <p className="chart-empty">{view.empty}</p>}
      </div>
    </section>
  );
}

function GlobalChart({ model }: { model: RunModel }) {
  const [cursor] = useState(() => new Cursor());
  const curve = globalCurve(model, Math.max(1, model.totalRounds ?? model.round), 600, null, []);
  const spec = useSteady(curve.spec, `global-${curve.metric}`, model.round);
  const title = `Global model, ${metricName(curve.metric)} by round`;
  const words = (x: number) => {
    const read = curve.readAt(x);
    return read ? `round ${read.round}: ${read.value} (${read.interval}), ${read.n}` : "";
  };
  return (
    <section className="card chart-card" aria-label={title}>
      <div className="chart-head">
        <h2>{title}</h2>
      </div>
      <div className="chart-body" style={{ height: CURVE_PX }}>
        <LineChart spec={spec} id="global" label={title} cursor={cursor} height={CURVE_PX} reading={words} />
        {curve.points.x.length === 0 && <p className="chart-empty">first value after round 1</p>}
      </div>
    </section>
  );
}
