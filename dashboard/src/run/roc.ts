/** The operating point on a ROC curve. */

import type { TestCurves } from "../client/model";

export interface OperatingPoint {
  fpr: number;
  tpr: number;
}

/** The point at the run's threshold: the last one whose threshold is not below it. */
export function operatingPoint(curves: TestCurves, threshold: number): OperatingPoint | null {
  let best: OperatingPoint | null = null;
  let distance = Number.POSITIVE_INFINITY;
  curves.threshold.forEach((at, i) => {
    const fpr = curves.fpr[i];
    const tpr = curves.tpr[i];
    if (at === null || fpr === undefined || tpr === undefined) return;
    if (Math.abs(at - threshold) < distance) {
      distance = Math.abs(at - threshold);
      best = { fpr, tpr };
    }
  });
  return best;
}

/** The curve as an SVG path in a square of `size` with the origin at the lower left. */
export function rocPath(curves: TestCurves, size: number): string {
  return curves.fpr
    .map(
      (fpr, i) =>
        `${i === 0 ? "M" : "L"}${(fpr * size).toFixed(1)} ${((1 - (curves.tpr[i] ?? 0)) * size).toFixed(1)}`,
    )
    .join("");
}
