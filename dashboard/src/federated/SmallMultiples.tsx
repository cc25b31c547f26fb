import { SegmentedControl } from "@mantine/core";
import { useState } from "react";
import { TableBehind } from "../charts/ChartCard";
import { lastAtOrBefore } from "../charts/columns";
import type { Cursor } from "../charts/cursor";
import { LineChart } from "../charts/LineChart";
import { LineSample, Mark } from "../charts/Mark";
import { lookOf } from "../charts/marks";
import { tableOf } from "../charts/table";
import { useCursorX } from "../charts/useCursor";
import { useTable } from "../charts/useTable";
import type { RunModel } from "../client/model";
import { rate } from "../client/numbers";
import { useTails } from "../run/attempts";
import { useParam } from "../run/useParam";
import { GLOBAL, LOCAL_METRICS, type LocalMetric, type Small, smallMultiples } from "./curves";
import type { Panel } from "./openPanel";
import { hospitalCount } from "./rounds";

const HEIGHT = 116;
/** Beyond this many hospitals only some are drawn until one asks for all. */
const MANY = 12;

const TITLES: Readonly<Record<LocalMetric, string>> = {
  loss: "Each hospital’s training loss, every local epoch",
  auroc: "Each hospital’s own validation AUROC",
  recall: "Each hospital’s own validation recall",
};

interface Props {
  model: RunModel;
  panel: Panel;
  cursor: Cursor;
  /** Remembers the y scale of now, so that it does not jump. */
  steady?: (small: Small) => Small;
}

/** A small chart for each hospital, one scale for all, the global validation dashed for reference. */
export function SmallMultiples({ model, panel, cursor }: Props) {
  const [metric, setMetric] = useParam("local", LOCAL_METRICS, "loss");
  const [all, setAll] = useState(false);
  const loud = new Set(
    panel.rows.filter((row) => row.state === "late" || row.state === "failed").map((row) => row.clientId),
  );
  const many = model.clients.length > MANY;
  const first =
    many && !all ? model.clients.filter((client, i) => i < MANY || loud.has(client.clientId)) : model.clients;
  const grey = new Set(
    many ? model.clients.filter((client) => !loud.has(client.clientId)).map((client) => client.clientId) : [],
  );
  const { shown } = useTails(model);
  const charts = smallMultiples(model, metric, first, grey, shown);
  return (
    <section className="smalls" aria-label={TITLES[metric]}>
      <div className="smalls-head">
        <h2>{TITLES[metric]}</h2>
        <span className="smalls-key">
          <LineSample look={{ ...GLOBAL, color: "--text3", dash: [4, 3] }} marked={false} /> global validation{" "}
          {metric === "loss" ? "loss" : metric === "auroc" ? "AUROC" : "recall"}
        </span>
        <span className="smalls-about">one scale for all, x = round; a gap is a round not done</span>
        <SegmentedControl
          size="xs"
          aria-label="Which metric"
          value={metric}
          onChange={(value) => setMetric(value as LocalMetric)}
          data={[
            { value: "loss", label: "Train loss" },
            { value: "auroc", label: "Validation AUROC" },
            { value: "recall", label: "Recall" },
          ]}
        />
      </div>
      <div className="smalls-grid">
        {charts.map((small) => (
          <SmallChart small={small} cursor={cursor} key={small.client.clientId} metric={metric} />
        ))}
        {Array.from({ length: Math.max(0, Math.min(MANY, hospitalCount(model)) - charts.length) }, (_, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a place is its number
          <Expected index={charts.length + i} key={`expected-${charts.length + i}`} />
        ))}
      </div>
      {many && (
        <button type="button" className="link" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? "only some hospitals" : `all ${model.clients.length} hospitals`}
        </button>
      )}
    </section>
  );
}

/** The place of a hospital that was not heard yet. */
function Expected({ index }: { index: number }) {
  return (
    <section className="card small" aria-label={`hospital ${index + 1}, not heard yet`}>
      <div className="small-head">
        <Mark look={lookOf(index)} size={14} />
        <b>hospital {index + 1}</b>
      </div>
      <div className="chart-body" style={{ height: HEIGHT }}>
        <p className="chart-empty">not heard yet</p>
      </div>
    </section>
  );
}

function SmallChart({ small, cursor, metric }: { small: Small; cursor: Cursor; metric: LocalMetric }) {
  const { tabular, onKeyDown } = useTable();
  const x = useCursorX(cursor);
  const points = small.spec.series[1]?.points;
  const at = (value: number) => {
    const i = points ? lastAtOrBefore(points.x, value + 1e-6) : -1;
    return rate(points?.y[i] ?? null);
  };
  const name = small.client.clientId;
  const label = `${name}, ${metric === "loss" ? "train loss" : metric}`;
  return (
    <section className="card small" aria-label={label} onKeyDown={onKeyDown}>
      <div className="small-head" title={small.n}>
        <Mark look={small.look} size={14} />
        <b>{name}</b>
        <span className="value">{x === null ? small.value : small.note ? "" : at(x)}</span>
      </div>
      <div className="chart-body">
        {tabular ? (
          <TableBehind table={tableOf(small.spec, "round")} height={HEIGHT} label={label} />
        ) : (
          <LineChart
            spec={small.spec}
            id={`small-${name}`}
            label={label}
            cursor={cursor}
            height={HEIGHT}
            reading={(value) => `round ${value.toFixed(1)}: ${at(value)}, ${small.n}`}
          />
        )}
        {small.note && <p className="chart-empty">{small.note}</p>}
      </div>
    </section>
  );
}
