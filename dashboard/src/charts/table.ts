/** The table behind a chart: the same numbers as the curve, for reading, copying and for those who see no curve. */

import { lastAtOrBefore } from "./columns";
import type { PlotSpec } from "./plot";

export interface ChartTable {
  columns: readonly string[];
  rows: readonly (readonly (number | string | null)[])[];
}

/** One row for each x at which a marked series has a point; unmarked series (steps) give their last value there. */
export function tableOf(spec: PlotSpec, xName: string): ChartTable {
  const marked = spec.series.filter((series) => series.marked && !series.reference);
  const leading = marked.length > 0 ? marked : spec.series;
  const xs = [...new Set(leading.flatMap((series) => [...series.points.x]))].sort((a, b) => a - b);
  const columns = [xName];
  // What is superseded stands behind what is not.
  const ordered = [...spec.series].sort((a, b) => Number(a.tail ?? false) - Number(b.tail ?? false));
  for (const series of ordered) {
    columns.push(series.label);
    if (series.points.low) columns.push("95% from", "to");
  }
  const rows = xs.map((x) => {
    const row: (number | null)[] = [x];
    for (const series of ordered) {
      const { points } = series;
      const i = lastAtOrBefore(points.x, x + 1e-9);
      const exact = series.marked || series.reference;
      const over = series.tail && x > (points.x.at(-1) ?? x) + 1e-9;
      const here = i >= 0 && !over && (!exact || Math.abs((points.x[i] ?? Number.NaN) - x) < 1e-9);
      row.push(here ? (points.y[i] ?? null) : null);
      if (points.low)
        row.push(here ? (points.low[i] ?? null) : null, here ? (points.high?.[i] ?? null) : null);
    }
    return row;
  });
  return { columns, rows };
}

/** Comma-separated values (RFC 4180): full precision, an empty field for what is missing. */
export function csv(table: ChartTable): string {
  const field = (value: number | string | null) => {
    if (value === null) return "";
    const text = String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [table.columns, ...table.rows].map((row) => row.map(field).join(",")).join("\r\n");
}
