import { Tooltip } from "@mantine/core";
import type { RunModel } from "../client/model";
import { count, percent } from "../client/numbers";
import { type ConfusionView, confusionOf, newestValidated } from "./figures";

/** Truth in rows, prediction in columns; counts, then the share of the row. */
export function ConfusionCard({ model }: { model: RunModel }) {
  const view = confusionOf(model);
  const validated = newestValidated(model) !== null;
  const about = view
    ? `${view.phase === "test" ? "test" : "validation"}${view.epoch ? `, ${model.federated ? "round" : "epoch"} ${view.epoch}` : ""}`
    : "validation";
  return (
    <section className="card chart-card" aria-label="Confusion">
      <div className="chart-head">
        <h2>Confusion</h2>
        <span className="about">{about}</span>
      </div>
      {view ? (
        <Matrix view={view} />
      ) : (
        <p className="dashed-card">
          <b key={String(validated)}>{validated ? "Not to be told" : "After the first validation"}</b>
          {validated
            ? "Recall, specificity or the number of cases of each class was not reported."
            : "It needs recall, specificity and the number of cases of each class."}
        </p>
      )}
    </section>
  );
}

function Matrix({ view }: { view: ConfusionView }) {
  const { counts } = view;
  const rows = [
    { truth: "pneumonia", cells: [counts.truePositive, counts.falseNegative], right: 0 },
    { truth: "normal", cells: [counts.falsePositive, counts.trueNegative], right: 1 },
  ];
  const table = (
    <table className="confusion">
      <thead>
        <tr>
          <td />
          <th scope="col">
            predicted
            <br />
            pneumonia
          </th>
          <th scope="col">
            predicted
            <br />
            normal
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => {
          const n = (row.cells[0] ?? 0) + (row.cells[1] ?? 0);
          return (
            <tr key={row.truth}>
              <th scope="row">
                <b>{row.truth}</b>
                <br />n {count(n)}
              </th>
              {row.cells.map((cases, i) => (
                <td key={i === row.right ? "right" : "wrong"} data-right={i === row.right}>
                  <b key={cases}>{count(cases)}</b>
                  <br />
                  <span key={`share ${cases}`}>{n > 0 ? percent(cases / n) : "–"}</span>
                </td>
              ))}
            </tr>
          );
        })}
      </tbody>
    </table>
  );
  return (
    <>
      {counts.rebuilt ? (
        <Tooltip label="Rebuilt from recall, specificity and the class counts" multiline>
          {table}
        </Tooltip>
      ) : (
        table
      )}
      <p className="t-note text3">rows: truth; counts, then share of row</p>
    </>
  );
}
