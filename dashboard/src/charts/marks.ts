/**
 * The six marks of the series, each a colour and a shape in one fixed order. The same geometry is drawn on the
 * canvas of a chart and as SVG in legends, on the board and on the phone.
 */

export const MARKS = ["circle", "square", "triangle", "diamond", "down", "plus"] as const;
export type MarkName = (typeof MARKS)[number];

/** How a series looks: the number of its colour (1 to 6), its mark, and what tells the seventh from the first. */
export interface Look {
  /** CSS variable of the colour, `--series-1` to `--series-6`. */
  color: string;
  mark: MarkName;
  /** The seventh to twelfth series take the colours again, with filled marks and dashes. */
  filled: boolean;
  dash: readonly number[];
}

/** The look of the series at `index`, counted from 0 in the order of the hospitals. */
export function lookOf(index: number): Look {
  const at = ((index % MARKS.length) + MARKS.length) % MARKS.length;
  const again = Math.floor(index / MARKS.length) % 2 === 1;
  return {
    color: `--series-${at + 1}`,
    mark: MARKS[at] ?? "circle",
    filled: again,
    dash: again ? [6, 3] : [],
  };
}

/** A closed outline around the origin, in units of the mark's radius. */
type Outline = readonly (readonly [number, number])[];

const OUTLINES: Record<Exclude<MarkName, "circle">, Outline> = {
  square: [
    [-0.88, -0.88],
    [0.88, -0.88],
    [0.88, 0.88],
    [-0.88, 0.88],
  ],
  triangle: [
    [0, -1.08],
    [1.08, 0.86],
    [-1.08, 0.86],
  ],
  diamond: [
    [0, -1.2],
    [1.2, 0],
    [0, 1.2],
    [-1.2, 0],
  ],
  down: [
    [0, 1.08],
    [1.08, -0.86],
    [-1.08, -0.86],
  ],
  plus: [
    [-0.42, -1.1],
    [0.42, -1.1],
    [0.42, -0.42],
    [1.1, -0.42],
    [1.1, 0.42],
    [0.42, 0.42],
    [0.42, 1.1],
    [-0.42, 1.1],
    [-0.42, 0.42],
    [-1.1, 0.42],
    [-1.1, -0.42],
    [-0.42, -0.42],
  ],
};

/** The outline of a mark as an SVG path around (`x`, `y`). */
export function markPath(mark: MarkName, x: number, y: number, radius: number): string {
  if (mark === "circle") {
    return `M${x - radius} ${y}a${radius} ${radius} 0 1 0 ${2 * radius} 0a${radius} ${radius} 0 1 0 ${-2 * radius} 0z`;
  }
  const points = OUTLINES[mark].map(([dx, dy]) => `${round(x + dx * radius)} ${round(y + dy * radius)}`);
  return `M${points.join("L")}z`;
}

/** Traces a mark on a canvas; the caller fills and strokes. */
export function traceMark(
  context: CanvasRenderingContext2D,
  mark: MarkName,
  x: number,
  y: number,
  radius: number,
): void {
  context.beginPath();
  if (mark === "circle") {
    context.arc(x, y, radius, 0, 2 * Math.PI);
    return;
  }
  OUTLINES[mark].forEach(([dx, dy], i) => {
    if (i === 0) context.moveTo(x + dx * radius, y + dy * radius);
    else context.lineTo(x + dx * radius, y + dy * radius);
  });
  context.closePath();
}

/** Marks nearer to each other than this (CSS pixels) are thinned … */
export const MARKS_TOUCH = 12;
/** … to at least this distance. */
export const MARKS_APART = 60;

/**
 * Which points get a mark. Where every point has room all are marked; where they would touch, those at least 60 px
 * apart, and always the last.
 *
 * @param xs Pixel positions, rising; `null` where the series has no value.
 */
export function markedPoints(xs: readonly (number | null)[]): number[] {
  const there: number[] = [];
  xs.forEach((x, i) => {
    if (x !== null) there.push(i);
  });
  let nearest = Number.POSITIVE_INFINITY;
  for (let k = 1; k < there.length; k++) {
    nearest = Math.min(nearest, at(xs, there[k]) - at(xs, there[k - 1]));
  }
  if (nearest >= MARKS_TOUCH) return there;
  // Anchored at the oldest, so that marks do not wander while points arrive; the newest always has its own.
  const kept: number[] = [];
  for (const i of there) {
    if (kept.length === 0 || at(xs, i) - at(xs, kept[kept.length - 1]) >= MARKS_APART) kept.push(i);
  }
  const newest = there[there.length - 1];
  const nearestKept = kept[kept.length - 1];
  if (newest !== undefined && nearestKept !== newest) {
    if (kept.length > 1 && at(xs, newest) - at(xs, nearestKept) < MARKS_TOUCH) kept.pop();
    kept.push(newest);
  }
  return kept;
}

function at(xs: readonly (number | null)[], i: number | undefined): number {
  return (i === undefined ? null : xs[i]) ?? 0;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
