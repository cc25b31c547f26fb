import type { RunModel } from "../client/model";
import { count, rate } from "../client/numbers";
import { casesOf, numberOf } from "./figures";
import { operatingPoint, rocPath } from "./roc";

const SIZE = 150;

/** The ROC of the test split at the end; before it a dashed card, without it the operating point alone. */
export function RocCard({ model }: { model: RunModel }) {
  const n = casesOf(model, "test").n;
  const curves = model.testCurves;
  return (
    <section className="card chart-card" aria-label="ROC">
      <div className="chart-head">
        <h2>ROC</h2>
        <span className="about">
          {curves ? `test, ${n === null ? "n not reported" : `n ${count(n)}`}` : "test"}
        </span>
      </div>
      {curves ? <Curve model={model} /> : <Before model={model} />}
    </section>
  );
}

function Before({ model }: { model: RunModel }) {
  const n = casesOf(model, "test").n;
  if (!model.end) {
    return (
      <p className="dashed-card" key={`before, n ${n}`}>
        <b>After the last epoch</b>
        The test split{n === null ? "" : ` (n ${count(n)})`} is read once, when training ends.
      </p>
    );
  }
  const recall = numberOf(model.finalMetrics?.test_recall);
  const specificity = numberOf(model.finalMetrics?.test_specificity);
  return (
    <p className="dashed-card" key="none">
      <b>No ROC was reported</b>
      {recall !== null && specificity !== null
        ? `At the threshold: recall ${rate(recall)}, specificity ${rate(specificity)}.`
        : "Nothing is known of the operating point either."}
    </p>
  );
}

function Curve({ model }: { model: RunModel }) {
  const curves = model.testCurves;
  if (!curves) return null;
  const threshold = numberOf(model.config.threshold) ?? 0.5;
  const recall = numberOf(model.finalMetrics?.test_recall);
  const specificity = numberOf(model.finalMetrics?.test_specificity);
  const point =
    recall !== null && specificity !== null
      ? { fpr: 1 - specificity, tpr: recall }
      : operatingPoint(curves, threshold);
  const words = point ? `at ${threshold}: recall ${rate(point.tpr)}, specificity ${rate(1 - point.fpr)}` : "";
  return (
    <svg
      className="roc"
      viewBox="-30 -8 190 182"
      role="img"
      aria-label={`ROC curve of the test split; ${words}`}
      preserveAspectRatio="xMidYMid meet"
    >
      {[0, 0.5, 1].map((at) => (
        <g key={at} className="roc-tick">
          <line x1={at * SIZE} x2={at * SIZE} y1={0} y2={SIZE} />
          <line x1={0} x2={SIZE} y1={at * SIZE} y2={at * SIZE} />
          <text x={at * SIZE} y={SIZE + 16} textAnchor="middle">
            {at}
          </text>
          <text x={-8} y={(1 - at) * SIZE + 4} textAnchor="end">
            {at}
          </text>
        </g>
      ))}
      <line x1={0} y1={SIZE} x2={SIZE} y2={0} className="roc-chance" />
      <path d={rocPath(curves, SIZE)} className="roc-curve" />
      {point && (
        <>
          <circle cx={point.fpr * SIZE} cy={(1 - point.tpr) * SIZE} r={4.5} className="roc-point" />
          <g className="roc-words">
            <circle cx={60} cy={96} r={4} className="roc-point" />
            <text x={70} y={100} className="strong">
              at {threshold}
            </text>
            <text x={70} y={116}>
              recall {rate(point.tpr)}
            </text>
            <text x={70} y={132}>
              spec. {rate(1 - point.fpr)}
            </text>
          </g>
        </>
      )}
    </svg>
  );
}
