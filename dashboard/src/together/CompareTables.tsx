import type { Cursor } from "../charts/cursor";
import { Mark } from "../charts/Mark";
import { useCursorX } from "../charts/useCursor";
import type { Axis } from "../client/axes";
import { count, rate } from "../client/numbers";
import { metricName } from "../run/figures";
import { durationWords } from "../run/time";
import { type Drawn, type Line, lastOfAll, placeWords } from "./chart";
import { difference, latestOf, nOf, valueAt, whatDiffers } from "./compare";

/** What each run reads where the cursor is, or at the last x that all have, with its interval, its n and the difference. */
export function AtCursor({
  drawn,
  metric,
  axis,
  cursor,
}: {
  drawn: readonly Drawn[];
  metric: string;
  axis: Axis;
  cursor: Cursor;
}) {
  const x = useCursorX(cursor) ?? lastOfAll(drawn);
  const first = drawn[0];
  const a = first && x !== null ? valueAt(first.points, x) : null;
  return (
    <section className="card compare-card" aria-label="At the cursor">
      <div className="chart-head">
        <h2>At the cursor</h2>
        <span className="about">{x === null ? "no place they all have yet" : placeWords(axis, x)}</span>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard */}
      <div className="compare-scroll" tabIndex={0}>
        <table className="compare-table compare-at">
          <thead>
            <tr>
              <th scope="col">Run</th>
              <th scope="col">{metricName(metric)}, 95% interval</th>
              <th scope="col">
                <abbr title="minus the first run; 95% interval, unpaired: as if the cases were not the same">
                  Difference
                </abbr>
              </th>
            </tr>
          </thead>
          <tbody>
            {drawn.map(({ line, points }, i) => {
              const at = x === null ? null : valueAt(points, x);
              const found = i > 0 && a && at ? difference(a, at) : null;
              return (
                <tr key={line.model.runId}>
                  <th scope="row" title={line.name}>
                    <Mark look={line.look} size={12} radius={4} />
                    {line.name}
                    <span className="compare-low">n {count(nOf(line.model))}</span>
                  </th>
                  <td>
                    <b>{rate(at?.value ?? null)}</b>
                    <span className="compare-low">
                      {at?.interval ? `${rate(at.interval.low)} to ${rate(at.interval.high)}` : "no interval"}
                    </span>
                  </td>
                  <td>
                    {i === 0 ? (
                      <span className="text3">the first</span>
                    ) : (
                      <>
                        <b>{rate(found?.value ?? null)}</b>
                        {found?.interval && (
                          <span className="compare-low">
                            {rate(found.interval.low)} to {rate(found.interval.high)}
                          </span>
                        )}
                      </>
                    )}
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </section>
  );
}

/** The newest of everything, a line for each metric. */
export function LatestTable({ lines, metrics }: { lines: readonly Line[]; metrics: readonly string[] }) {
  const two = lines.length === 2;
  const rows = metrics.map((metric) => {
    const values = lines.map(({ model }) => latestOf(model, metric));
    const [a, b] = values;
    return {
      name: metricName(metric),
      cells: values.map((value) => rate(value)),
      change: two ? rate(a == null || b == null ? null : b - a) : null,
    };
  });
  const took = lines.map(({ model }) => {
    const until = model.end?.at ?? model.lastHeard;
    return model.started === null || until === null ? null : until - model.started;
  });
  rows.push({
    name: "Wall time",
    cells: took.map((each) => (each === null ? "–" : durationWords(each))),
    change: two ? timeChange(took) : null,
  });
  return (
    <section className="card compare-card" aria-label="Latest, all metrics">
      <div className="chart-head">
        <h2>Latest, all metrics</h2>
        <span className="about">validation</span>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard */}
      <div className="compare-scroll" tabIndex={0}>
        <table className="compare-table" data-few={lines.length < 3}>
          <Heads lines={lines} first="Metric" last={two ? "diff." : null} />
          <tbody>
            {rows.map(({ name, cells, change }) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                {cells.map((cell, i) => (
                  <td key={lines[i]?.model.runId}>{cell}</td>
                ))}
                {change !== null && (
                  <td>
                    <b>{change}</b>
                  </td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function timeChange([a, b]: readonly (number | null)[]): string {
  if (a == null || b == null) return "–";
  const change = durationWords(Math.abs(b - a));
  return b < a && change !== durationWords(0) ? `\u2212${change}` : change;
}

/** What the runs were told differently, and nothing else. */
export function SetupTable({ lines }: { lines: readonly Line[] }) {
  const { differing, same } = whatDiffers(lines.map(({ model }) => model));
  return (
    <section className="card compare-card" aria-label="What differs in the set-up">
      <div className="chart-head">
        <h2>What differs in the set-up</h2>
        <span className="about">
          {differing.length} of {differing.length + same}
        </span>
      </div>
      {differing.length === 0 ? (
        <p className="t-note text3 compare-foot">
          {lines.length < 2 ? "One run differs from nothing." : "Nothing that was told."}
        </p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
        <div className="compare-scroll" tabIndex={0}>
          <table className="compare-table compare-setup">
            <Heads lines={lines} first="Setting" last={null} />
            <tbody>
              {differing.map(({ name, values }) => (
                <tr key={name}>
                  <th scope="row">{name.replaceAll("_", " ")}</th>
                  {values.map((value, i) => (
                    <td key={lines[i]?.model.runId} className={value === "not told" ? "text3" : undefined}>
                      {value}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Heads({ lines, first, last }: { lines: readonly Line[]; first: string; last: string | null }) {
  return (
    <thead>
      <tr>
        <th scope="col">{first}</th>
        {lines.map(({ model, name, look }) => (
          <th scope="col" key={model.runId} title={name}>
            <span className="compare-head">
              <Mark look={look} size={12} radius={4} />
              <span>{name}</span>
            </span>
          </th>
        ))}
        {last !== null && <th scope="col">{last}</th>}
      </tr>
    </thead>
  );
}
