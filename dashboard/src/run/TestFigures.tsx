import { lazy, Suspense } from "react";
import type { RunModel } from "../client/model";
import { count, rate } from "../client/numbers";
import { ConfusionCard } from "./Confusion";
import { casesOf } from "./figures";
import { RocCard } from "./Roc";
import { ChosenPoint, pathOf, SIDE, SquarePlot } from "./SquarePlot";
import { type Bin, binsOf, chosenThreshold, prevalence, prPoint } from "./testFigures";

const HardestCases = lazy(() => import("../data/HardestCases"));

/** How good the model is, on images it was not trained on: four figures whose places are there from the start. */
export function TestFigures({ model }: { model: RunModel }) {
  return (
    <>
      <div className="run-pair">
        <ConfusionCard model={model} />
        <RocCard model={model} />
      </div>
      <div className="run-pair even">
        <PrecisionRecallCard model={model} />
        <CalibrationCard model={model} />
      </div>
    </>
  );
}

function Absent({ model, what }: { model: RunModel; what: string }) {
  return model.end ? (
    <p className="dashed-card">
      <b>No {what} was reported</b>
      {model.testCurves ? "The trainer told the ROC alone." : "The run told no curves of a test."}
    </p>
  ) : (
    <p className="dashed-card">
      <b>After the last {model.federated ? "round" : "epoch"}</b>
      It is of the test split, which is read once, when training ends.
    </p>
  );
}

/** Where a test named its hardest images, they stand under everything else of it. */
export function Hardest({ model }: { model: RunModel }) {
  if (!model.testCurves || model.testCurves.hardest.length === 0) return null;
  return (
    <Suspense fallback={null}>
      <HardestCases model={model} />
    </Suspense>
  );
}

export function PrecisionRecallCard({ model }: { model: RunModel }) {
  const curve = model.testCurves?.precisionRecall;
  const average = model.testCurves?.averagePrecision ?? null;
  return (
    <section className="card chart-card" aria-label="Precision and recall">
      <div className="chart-head">
        <h2>Precision and recall</h2>
        <span className="about">
          {average === null ? "test" : `test, average precision ${rate(average)}`}
        </span>
      </div>
      {curve ? <PrecisionRecall model={model} /> : <Absent model={model} what="precision-recall curve" />}
    </section>
  );
}

function PrecisionRecall({ model }: { model: RunModel }) {
  const curve = model.testCurves?.precisionRecall;
  if (!curve) return null;
  const at = chosenThreshold(model);
  const point = prPoint(model);
  const calibration = model.testCurves?.calibration;
  const base = calibration ? prevalence(calibration) : null;
  const words = point ? `at ${at}: precision ${rate(point.precision)}, recall ${rate(point.recall)}` : "";
  return (
    <SquarePlot label={`Precision-recall curve of the test split; ${words}`} x="recall" y="precision">
      {base !== null && (
        <line x1={0} x2={SIDE} y1={(1 - base) * SIDE} y2={(1 - base) * SIDE} className="square-reference" />
      )}
      <path d={pathOf(curve.recall, curve.precision)} className="square-curve" />
      {point && (
        <ChosenPoint
          x={point.recall}
          y={point.precision}
          at={at}
          corner={{ x: 14, y: 96 }}
          words={[`precision ${rate(point.precision)}`, `recall ${rate(point.recall)}`]}
        />
      )}
    </SquarePlot>
  );
}

export function CalibrationCard({ model }: { model: RunModel }) {
  const curves = model.testCurves;
  return (
    <section className="card chart-card" aria-label="Calibration">
      <div className="chart-head">
        <h2>Calibration</h2>
        <span className="about">
          {curves?.calibration
            ? `test, Brier score ${rate(curves.brier)}, expected error ${rate(curves.calibrationError)}`
            : "test"}
        </span>
      </div>
      {curves?.calibration ? (
        <Calibration model={model} bins={binsOf(curves.calibration)} />
      ) : (
        <Absent model={model} what="calibration" />
      )}
    </section>
  );
}

const BARS = 34;

/** Predicted against observed; below, how many images each bin has, on a scale of roots so that few are still seen. */
function Calibration({ model, bins }: { model: RunModel; bins: readonly Bin[] }) {
  const filled = bins.filter((bin) => bin.n > 0);
  const most = Math.max(...bins.map((bin) => bin.n), 1);
  const n = casesOf(model, "test").n;
  const { brier = null, calibrationError = null } = model.testCurves ?? {};
  const label = `Calibration on the test split: Brier score ${rate(brier)}, expected calibration error ${rate(calibrationError)}`;
  const top = SIDE + 22;
  return (
    <>
      <SquarePlot label={label} x="predicted probability" y="share with pneumonia" below={BARS + 12}>
        <line x1={0} y1={SIDE} x2={SIDE} y2={0} className="square-reference" />
        <path
          d={pathOf(
            filled.map((bin) => bin.predicted ?? Number.NaN),
            filled.map((bin) => bin.observed ?? Number.NaN),
          )}
          className="square-curve"
        />
        {filled.map(({ from, predicted, observed, interval }) => {
          if (predicted === null || observed === null) return null;
          const x = predicted * SIDE;
          return (
            <g key={from}>
              {interval && (
                <line
                  x1={x}
                  x2={x}
                  y1={(1 - interval.low) * SIDE}
                  y2={(1 - interval.high) * SIDE}
                  className="square-interval"
                />
              )}
              <circle cx={x} cy={(1 - observed) * SIDE} r={3.5} className="square-point" />
            </g>
          );
        })}
        {bins.map((bin) => {
          const height = Math.sqrt(bin.n / most) * BARS;
          return (
            <rect
              key={bin.from}
              x={bin.from * SIDE + 1}
              width={(bin.to - bin.from) * SIDE - 2}
              y={top + BARS - height}
              height={height}
              className="square-bar"
            >
              <title>{`${binWords(bin)}: ${count(bin.n)} images`}</title>
            </rect>
          );
        })}
      </SquarePlot>
      <details className="figure-table">
        <summary>Counts of each bin{n === null ? "" : `, n ${count(n)}`}</summary>
        <table>
          <thead>
            <tr>
              <th scope="col">predicted</th>
              <th scope="col">images</th>
              <th scope="col">pneumonia</th>
              <th scope="col">mean predicted</th>
              <th scope="col">observed</th>
            </tr>
          </thead>
          <tbody>
            {bins.map((bin) => (
              <tr key={bin.from}>
                <th scope="row">{binWords(bin)}</th>
                <td>{count(bin.n)}</td>
                <td>{count(bin.pneumonia)}</td>
                <td>{rate(bin.predicted)}</td>
                <td>{rate(bin.observed)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </>
  );
}

function binWords(bin: Bin): string {
  return `${bin.from.toFixed(1)} to ${bin.to.toFixed(1)}`;
}
