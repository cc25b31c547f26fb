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

const BYTES = ["B", "kB", "MB", "GB", "TB"] as const;

/** Bytes in the unit that leaves three digits: `905 B`, `12.3 MB`. A kilobyte is 1,000 bytes. */
export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  let size = value;
  let unit = 0;
  while (size >= 999.5 && unit < BYTES.length - 1) {
    size /= 1000;
    unit += 1;
  }
  const text = unit === 0 || size >= 99.95 ? size.toFixed(0) : tidyCount(Number(size.toPrecision(3)));
  return `${text} ${BYTES[unit]}`;
}

/** A number of epochs or rounds, with decimals only where it has some: `3`, `2.5`. */
export function tidyCount(value: number): string {
  return Number.isInteger(Number(value.toFixed(6))) ? value.toFixed(0) : String(Number(value.toFixed(2)));
}

/** `3 hospitals`, `1 hospital`. */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}
