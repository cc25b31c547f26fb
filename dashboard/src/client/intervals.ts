/** 95 % intervals of what the page shows. Without counts there is none: nothing is guessed. */

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** The 97.5 % point of the normal distribution. */
const Z = 1.959963984540054;

/**
 * Wilson's score interval of a proportion.
 *
 * E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
 * It stays within 0 and 1, and is right for `hits` 0 and `n` too.
 */
export function wilson(hits: number, n: number): Interval | null {
  if (!(n > 0) || !(hits >= 0) || hits > n) return null;
  const p = hits / n;
  const z2 = Z * Z;
  const middle = (p + z2 / (2 * n)) / (1 + z2 / n);
  const half = (Z / (1 + z2 / n)) * Math.sqrt((p * (1 - p)) / n + z2 / (4 * n * n));
  return { low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
}

/** Wilson's interval where the rate was told and the count of its cases is known. */
export function wilsonOfRate(
  value: number | null | undefined,
  n: number | null | undefined,
): Interval | null {
  if (value === null || value === undefined || n === null || n === undefined) return null;
  if (!(value >= 0 && value <= 1)) return null;
  return wilson(Math.min(n, Math.round(value * n)), n);
}

/**
 * The interval of an AUROC by Hanley and McNeil's standard error, on the logit scale.
 *
 * J. A. Hanley and B. J. McNeil, "The meaning and use of the area under a ROC curve", Radiology 143 (1982).
 * At exactly 0 or 1 the logit does not exist; half a pair is taken off, so that a perfect ranking of few
 * cases does not look certain.
 *
 * @param positives cases of pneumonia, @param negatives cases without.
 */
export function hanleyMcNeil(
  auroc: number | null | undefined,
  positives: number | null | undefined,
  negatives: number | null | undefined,
): Interval | null {
  if (auroc === null || auroc === undefined || !(auroc >= 0 && auroc <= 1)) return null;
  if (!positives || !negatives || !(positives > 0) || !(negatives > 0)) return null;
  const edge = 1 / (2 * positives * negatives);
  const a = Math.min(1 - edge, Math.max(edge, auroc));
  const q1 = a / (2 - a);
  const q2 = (2 * a * a) / (1 + a);
  const variance =
    (a * (1 - a) + (positives - 1) * (q1 - a * a) + (negatives - 1) * (q2 - a * a)) / (positives * negatives);
  const half = (Z * Math.sqrt(Math.max(0, variance))) / (a * (1 - a));
  const logit = Math.log(a / (1 - a));
  const low = 1 / (1 + Math.exp(half - logit));
  const high = 1 / (1 + Math.exp(-half - logit));
  return { low: auroc === 0 ? 0 : low, high: auroc === 1 ? 1 : high };
}

export interface Cases {
  readonly n: number | null;
  readonly normal: number | null;
  readonly pneumonia: number | null;
}

/**
 * The interval that fits a metric's name: recall is of the pneumonia cases, specificity of the normal ones,
 * accuracy of all, AUROC of the pairs; precision and F1 have none (their denominators are not in the counts).
 */
export function intervalOf(metric: string, value: number | null | undefined, cases: Cases): Interval | null {
  const name = metric.replace(/^(train|val|test)_/, "");
  if (name === "auroc" || name === "auc") return hanleyMcNeil(value, cases.pneumonia, cases.normal);
  if (name === "recall" || name === "sensitivity") return wilsonOfRate(value, cases.pneumonia);
  if (name === "specificity") return wilsonOfRate(value, cases.normal);
  if (name === "accuracy") return wilsonOfRate(value, cases.n);
  return null;
}
