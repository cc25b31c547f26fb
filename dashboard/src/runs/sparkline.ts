/** The arithmetic of sparklines: one y scale for all rows, and a width that means the whole run. */

export interface Scale {
  readonly low: number;
  readonly high: number;
}

export type Points = readonly (readonly [number, number | null])[];

/** One scale for all rows: rates end at 1 and begin at a round value below the least, losses begin at 0. */
export function sharedScale(all: readonly Points[], rate: boolean): Scale {
  const values = all.flatMap((points) => points.map(([, y]) => y)).filter((y) => y !== null);
  const least = Math.min(...values);
  const most = Math.max(...values);
  if (values.length === 0) return rate ? { low: 0.5, high: 1 } : { low: 0, high: 1 };
  if (!rate) return { low: 0, high: roundUp(most) };
  return { low: Math.max(0, Math.floor(Math.min(least, 0.99) * 50 - 1e-9) / 50), high: 1 };
}

function roundUp(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10) * power;
}

export interface Shape {
  /** Each an SVG path; a missing value ends one and begins the next. */
  readonly paths: readonly string[];
  readonly end: { readonly x: number; readonly y: number } | null;
}

/**
 * The line in a box. The first epoch is the left edge and the last planned one the right edge, so that length is
 * progress; where nobody knows the total the points take the width they need.
 */
export function shapeOf(
  points: Points,
  total: number | null,
  scale: Scale,
  width: number,
  height: number,
): Shape {
  const last = points.at(-1)?.[0] ?? 1;
  const span = Math.max(1, Math.max(total ?? last, last) - 1);
  const x = (at: number): number => ((at - 1) / span) * width;
  const y = (value: number): number => {
    const share = (value - scale.low) / (scale.high - scale.low || 1);
    return height - Math.min(1, Math.max(0, share)) * height;
  };
  const paths: string[] = [];
  let path = "";
  let end: Shape["end"] = null;
  let before: number | null = null;
  for (const [at, value] of points) {
    if (value === null || (before !== null && at - before > 1)) {
      if (path !== "") paths.push(path);
      path = "";
    }
    before = at;
    if (value === null) continue;
    end = { x: x(at), y: y(value) };
    path += `${path === "" ? "M" : "L"}${end.x.toFixed(1)} ${end.y.toFixed(1)}`;
  }
  if (path !== "") paths.push(path);
  return { paths, end };
}
