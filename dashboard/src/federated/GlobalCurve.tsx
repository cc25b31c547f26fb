import { TableBehind } from "../charts/ChartCard";
import type { Cursor } from "../charts/cursor";
import { LineChart } from "../charts/LineChart";
import { LineSample } from "../charts/Mark";
import { tableOf } from "../charts/table";
import { useCursorX } from "../charts/useCursor";
import { useTable } from "../charts/useTable";
import { metricName } from "../run/figures";
import { type GlobalCurve as Curve, GLOBAL } from "./curves";

export const CURVE_HEIGHT = 152;

/** The global model after each round, in the columns of the board. */
export function GlobalCurve({ curve, cursor }: { curve: Curve; cursor: Cursor }) {
  const { tabular, onKeyDown } = useTable();
  const label = `Global model, ${metricName(curve.metric)} by round`;
  const words = (x: number) => {
    const read = curve.readAt(x);
    return read ? `round ${read.round}: ${read.value} (${read.interval}), ${read.n}` : "";
  };
  return (
    <section aria-label={label} onKeyDown={onKeyDown}>
      {tabular ? (
        <TableBehind table={tableOf(curve.spec, "round")} height={CURVE_HEIGHT} label={label} />
      ) : (
        <LineChart
          spec={curve.spec}
          id="global"
          label={label}
          cursor={cursor}
          height={CURVE_HEIGHT}
          reading={words}
        />
      )}
      {curve.points.x.length === 0 && <p className="chart-empty">first value after round 1</p>}
    </section>
  );
}

/** Beside the curve: what it is, what it reads at the cursor, and its y axis, which must not scroll with it. */
export function CurveSide({ curve, cursor }: { curve: Curve; cursor: Cursor }) {
  const x = useCursorX(cursor);
  const read = curve.readAt(x);
  const { min, max, ticks, texts } = curve.spec.y;
  return (
    <>
      <div className="curve-words">
        <b>Global model</b>
        <span>
          Validation {metricName(curve.metric)},
          <br />
          pooled over hospitals
        </span>
        <span className="curve-key">
          <LineSample look={GLOBAL} /> after each round
        </span>
        <span className="curve-key">
          <span className="sample sample-band" /> 95% interval
        </span>
        <span className="curve-read" key={read?.round}>
          {read ? (
            <>
              round {read.round}: <b>{read.value}</b>
              <br />
              {read.interval}
              {read.interval && ", "}
              {read.n}
            </>
          ) : null}
        </span>
      </div>
      <div className="curve-axis" aria-hidden="true">
        {ticks.map((tick, i) => (
          <span
            key={`${tick} of ${min} to ${max}`}
            style={{ bottom: `${((tick - min) / (max - min)) * 100}%` }}
          >
            {texts[i]}
          </span>
        ))}
      </div>
    </>
  );
}
