import { type RunModel, stepSeries } from "../client/model";
import { count } from "../client/numbers";
import { type MachineLine, machineLines } from "./machine";

const WIDTH = 300;
const HEIGHT = 40;

/** What the machine did beside the training: a small line for each part of it that was told. */
export function MachineCard({ model }: { model: RunModel }) {
  const series = stepSeries(model, "system");
  const lines = series ? machineLines(series) : [];
  return (
    <section className="card chart-card machine" aria-label="Machine">
      <div className="chart-head">
        <h2>Machine</h2>
        <span className="about">where the training runs, each 10 s or so</span>
      </div>
      {lines.length === 0 ? (
        <p className="text3 t-note">
          {model.end
            ? "Nothing was told of the machine."
            : "Processor, memory and graphics card stand here soon."}
        </p>
      ) : (
        <div className="machine-lines">
          {lines.map((line) => (
            <Line key={line.name} line={line} />
          ))}
        </div>
      )}
    </section>
  );
}

function Line({ line }: { line: MachineLine }) {
  return (
    <figure>
      <figcaption>
        {line.name} <b>{line.latest === null ? "–" : `${count(line.latest)} ${line.unit}`}</b>{" "}
        <span className="text3">
          at most {count(line.most)} {line.unit}
          {line.beside}
        </span>
      </figcaption>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${line.name} over the run: now ${count(line.latest)} ${line.unit}, at most ${count(line.most)} ${line.unit}`}
      >
        <line x1={0} x2={WIDTH} y1={HEIGHT - 0.5} y2={HEIGHT - 0.5} className="machine-axis" />
        <path d={line.path(WIDTH, HEIGHT)} vectorEffect="non-scaling-stroke" className="machine-line" />
      </svg>
    </figure>
  );
}
