import type { RunModel } from "../client/model";
import { count, rate } from "../client/numbers";
import { casesOf, numberOf } from "./figures";
import { ChosenPoint, pathOf, SIDE, SquarePlot } from "./SquarePlot";
import { chosenThreshold, nearestTo } from "./testFigures";

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
      {curves && curves.fpr.length > 1 ? <Curve model={model} /> : <Before model={model} />}
    </section>
  );
}

function Before({ model }: { model: RunModel }) {
  const n = casesOf(model, "test").n;
  if (!model.end) {
    return (
      <p className="dashed-card" key={`before, n ${n}`}>
        <b>After the last {model.federated ? "round" : "epoch"}</b>
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
  const threshold = chosenThreshold(model);
  const point = operatingPoint(model, threshold);
  const words = point ? `at ${threshold}: recall ${rate(point.tpr)}, specificity ${rate(1 - point.fpr)}` : "";
  return (
    <SquarePlot label={`ROC curve of the test split; ${words}`} x="1 − specificity" y="recall">
      <line x1={0} y1={SIDE} x2={SIDE} y2={0} className="square-reference" />
      <path d={pathOf(curves.fpr, curves.tpr)} className="square-curve" />
      {point && (
        <ChosenPoint
          x={point.fpr}
          y={point.tpr}
          at={threshold}
          words={[`recall ${rate(point.tpr)}`, `spec. ${rate(1 - point.fpr)}`]}
        />
      )}
    </SquarePlot>
  );
}

/** Where the run judges: by the figures it told, else by the curve's point of the nearest threshold. */
function operatingPoint(model: RunModel, threshold: number): { fpr: number; tpr: number } | null {
  const recall = numberOf(model.finalMetrics?.test_recall);
  const specificity = numberOf(model.finalMetrics?.test_specificity);
  if (recall !== null && specificity !== null) return { fpr: 1 - specificity, tpr: recall };
  const { fpr, tpr, threshold: at } = model.testCurves ?? { fpr: [], tpr: [], threshold: [] };
  const i = nearestTo(at, threshold);
  const [x, y] = [fpr[i], tpr[i]];
  return x === undefined || y === undefined ? null : { fpr: x, tpr: y };
}
