/** What a test told beside its metrics: curves, calibration, the hardest images. */

import type { Calibration, Confusion, Message, TestCurves } from "./model";
import { integer, list, number, record } from "./reading";

/** The message's own values; `null` where an older trainer did not tell them. */
export function testCurvesOf(message: Message): TestCurves {
  const recall = column(message.pr_recall);
  const precision = column(message.pr_precision);
  return {
    fpr: column(message.fpr),
    tpr: column(message.tpr),
    threshold: list(message.threshold).map(number),
    confusion: confusionOf(message.confusion),
    chosen: number(message.chosen),
    precisionRecall:
      recall.length > 1 && recall.length === precision.length
        ? { recall, precision, threshold: list(message.pr_threshold).map(number) }
        : null,
    averagePrecision: number(message.average_precision),
    calibration: calibrationOf(message),
    brier: number(message.brier),
    calibrationError: number(message.calibration_error),
    hardest: list(message.hardest).flatMap((place) => integer(place) ?? []),
  };
}

function column(value: unknown): number[] {
  return list(value).map((each) => number(each) ?? Number.NaN);
}

function calibrationOf(message: Message): Calibration | null {
  const n = list(message.bin_n).map((each) => integer(each) ?? 0);
  const pneumonia = list(message.bin_pneumonia).map((each) => integer(each) ?? 0);
  const predicted = list(message.bin_predicted).map(number);
  if (n.length === 0 || n.length !== pneumonia.length || n.length !== predicted.length) return null;
  return { n, pneumonia, predicted };
}

/** Counts by name, or as a matrix whose rows are the truth (normal first). */
function confusionOf(value: unknown): Confusion | null {
  if (Array.isArray(value)) {
    const [normal, pneumonia] = value.map(list);
    return counts(normal?.[0], normal?.[1], pneumonia?.[0], pneumonia?.[1]);
  }
  const told = record(value);
  return counts(
    told.true_negative ?? told.tn,
    told.false_positive ?? told.fp,
    told.false_negative ?? told.fn,
    told.true_positive ?? told.tp,
  );
}

function counts(tn: unknown, fp: unknown, fn: unknown, tp: unknown): Confusion | null {
  const [trueNegative, falsePositive, falseNegative, truePositive] = [tn, fp, fn, tp].map(integer);
  if (trueNegative == null || falsePositive == null || falseNegative == null || truePositive == null)
    return null;
  return { trueNegative, falsePositive, falseNegative, truePositive };
}
