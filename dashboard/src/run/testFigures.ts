/** What the figures of a test are made of: the operating point, and the bins of a calibration. Pure functions. */

import { type Interval, wilson } from "../client/intervals";
import type { Calibration, RunModel } from "../client/model";
import { numberOf } from "./figures";

/** Above this probability an image counted as pneumonia: as the test said it, else as the run was told. */
export function chosenThreshold(model: RunModel): number {
  return model.testCurves?.chosen ?? numberOf(model.config.threshold) ?? 0.5;
}

/** The place of the threshold nearest to `wanted`; -1 where there is none. */
export function nearestTo(thresholds: readonly (number | null)[], wanted: number): number {
  let best = -1;
  let distance = Number.POSITIVE_INFINITY;
  thresholds.forEach((at, i) => {
    if (at === null || Math.abs(at - wanted) >= distance) return;
    distance = Math.abs(at - wanted);
    best = i;
  });
  return best;
}

export interface PrPoint {
  recall: number;
  precision: number;
}

/** Precision and recall where the run judges: of the counts, else of the curve's point of the nearest threshold. */
export function prPoint(model: RunModel): PrPoint | null {
  const curves = model.testCurves;
  const counts = curves?.confusion;
  if (counts && counts.truePositive > 0) {
    const { truePositive: right } = counts;
    return {
      recall: right / (right + counts.falseNegative),
      precision: right / (right + counts.falsePositive),
    };
  }
  const curve = curves?.precisionRecall;
  if (!curve) return null;
  const i = nearestTo(curve.threshold, chosenThreshold(model));
  const [recall, precision] = [curve.recall[i], curve.precision[i]];
  return recall === undefined || precision === undefined ? null : { recall, precision };
}

/** The share of pneumonia in the test split, which a model that knows nothing has as its precision. */
export function prevalence(calibration: Calibration): number | null {
  const n = total(calibration.n);
  return n > 0 ? total(calibration.pneumonia) / n : null;
}

export interface Bin {
  from: number;
  to: number;
  n: number;
  pneumonia: number;
  /** The mean predicted probability, and the share with pneumonia; `null` in an empty bin. */
  predicted: number | null;
  observed: number | null;
  /** 95% of the share, by its n. */
  interval: Interval | null;
}

export function binsOf(calibration: Calibration): Bin[] {
  const count = calibration.n.length;
  return calibration.n.map((n, i) => {
    const pneumonia = calibration.pneumonia[i] ?? 0;
    const observed = n > 0 ? pneumonia / n : null;
    return {
      from: i / count,
      to: (i + 1) / count,
      n,
      pneumonia,
      predicted: calibration.predicted[i] ?? null,
      observed,
      interval: observed === null ? null : wilson(pneumonia, n),
    };
  });
}

export function total(counts: readonly number[]): number {
  return counts.reduce((sum, n) => sum + n, 0);
}
