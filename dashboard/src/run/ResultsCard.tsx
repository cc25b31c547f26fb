import type { RunModel } from "../client/model";
import { results } from "./results";

/** Everything the run reported at its end, under its own name. Its place is there from the start. */
export function ResultsCard({ model }: { model: RunModel }) {
  const all = results(model);
  const unit = model.federated ? "round" : "epoch";
  return (
    <section className="card chart-card results" aria-label="Results">
      <div className="chart-head">
        <h2>Results</h2>
        <span className="about">everything the run reported at its end</span>
      </div>
      {all.length === 0 ? (
        <p className="text3 t-note">
          {model.end ? "The run ended without final metrics." : `They stand here after the last ${unit}.`}
        </p>
      ) : (
        <dl className="results-list">
          {all.map((result) => (
            <div key={result.key} title={result.key}>
              <dt>{result.name}</dt>
              <dd>
                <b>{result.value}</b> <span className="text3">{result.beside}</span>
              </dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  );
}
