/** What the machine did beside a run, as small lines over time. Pure functions. */

import type { StepSeries } from "../client/model";

export interface MachineLine {
  name: string;
  unit: string;
  latest: number | null;
  most: number;
  /** What else is to be said of it: the training's own share. */
  beside: string;
  /** The line in a box of this size; a gap where nothing was told. */
  path: (width: number, height: number) => string;
}

const PARTS: readonly { name: string; metric: string; own: string }[] = [
  { name: "Processor", metric: "cpu_percent", own: "process_cpu_percent" },
  { name: "Memory", metric: "memory_percent", own: "process_memory_mb" },
  { name: "Graphics card", metric: "gpu_percent", own: "" },
  { name: "Its memory", metric: "gpu_memory_percent", own: "gpu_process_memory_mb" },
];

/** So many points are drawn at most: the greatest of each stretch, so that no peak is hidden. */
const MOST_POINTS = 300;

export function machineLines(series: StepSeries): MachineLine[] {
  return PARTS.flatMap(({ name, metric, own }) => {
    const values = series.metrics[metric];
    if (!values?.some((value) => value != null)) return [];
    const share = own ? lastOf(series.metrics[own]) : null;
    const shareUnit = own.endsWith("_mb") ? "MB" : "%";
    return [
      {
        name,
        unit: "%",
        latest: lastOf(values),
        most: values.reduce<number>((most, value) => Math.max(most, value ?? 0), 0),
        beside:
          share === null ? "" : `; the training ${Math.round(share).toLocaleString("en-GB")} ${shareUnit}`,
        path: (width: number, height: number) => pathOf(series, values, width, height),
      },
    ];
  });
}

function lastOf(values: readonly (number | null | undefined)[] | undefined): number | null {
  if (!values) return null;
  for (let i = values.length - 1; i >= 0; i--) if (values[i] != null) return values[i] as number;
  return null;
}

function pathOf(
  series: StepSeries,
  values: readonly (number | null | undefined)[],
  width: number,
  height: number,
): string {
  const first = series.at[0] ?? 0;
  const span = Math.max(1, (series.at[series.length - 1] ?? first) - first);
  const stride = Math.max(1, Math.ceil(series.length / MOST_POINTS));
  let path = "";
  let down = false;
  for (let from = 0; from < series.length; from += stride) {
    let best: number | null = null;
    for (let i = from; i < Math.min(from + stride, series.length); i++) {
      const value = values[i];
      if (value != null && (best === null || value > best)) best = value;
    }
    if (best === null) {
      down = false;
      continue;
    }
    const x = (((series.at[from] ?? first) - first) / span) * width;
    path += `${down ? "L" : "M"}${x.toFixed(1)} ${(height - (Math.min(100, best) / 100) * height).toFixed(1)}`;
    down = true;
  }
  return path;
}
