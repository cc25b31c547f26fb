/** Numbers as the page writes them: fixed digits, so that nothing moves when a value changes. */

const MINUS = "\u2212";
const grouped = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });

/** A rate or a loss with three decimals: `0.996`, `−0.016`. What is not there is a dash, never a zero. */
export function rate(value: number | null | undefined, digits = 3): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) !== 0 ? MINUS + text : text;
}

/** A count: `4,708`. */
export function count(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const text = grouped.format(Math.abs(value));
  return value < 0 ? MINUS + text : text;
}

/** A share in per cent with one decimal: `97.2 %`. */
export function percent(share: number | null | undefined): string {
  const text = rate(share === null || share === undefined ? share : share * 100, 1);
  return text === "–" ? text : `${text} %`;
}

/** `3 hospitals`, `1 hospital`. */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}
