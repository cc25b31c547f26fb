import type { ReactNode } from "react";

/** The side of the square, in units of the drawing. */
export const SIDE = 150;

interface Props {
  /** What a screen reader says. */
  label: string;
  x: string;
  y: string;
  /** Room below the square for more, in units of the drawing. */
  below?: number;
  children: ReactNode;
}

/** A square from 0 to 1 both ways, its origin at the lower left: ROC, precision-recall, calibration. */
export function SquarePlot({ label, x, y, below = 0, children }: Props) {
  return (
    <svg
      className="square"
      viewBox={`-40 -8 200 ${198 + below}`}
      role="img"
      aria-label={label}
      preserveAspectRatio="xMidYMid meet"
    >
      {[0, 0.5, 1].map((at) => (
        <g key={at} className="square-tick">
          <line x1={at * SIDE} x2={at * SIDE} y1={0} y2={SIDE} />
          <line x1={0} x2={SIDE} y1={at * SIDE} y2={at * SIDE} />
          <text x={at * SIDE} y={SIDE + 14} textAnchor="middle">
            {at}
          </text>
          <text x={-6} y={(1 - at) * SIDE + 4} textAnchor="end">
            {at}
          </text>
        </g>
      ))}
      <text x={SIDE / 2} y={SIDE + 28 + below} textAnchor="middle">
        {x}
      </text>
      <text transform={`translate(-28 ${SIDE / 2}) rotate(-90)`} textAnchor="middle">
        {y}
      </text>
      {children}
    </svg>
  );
}

/** The point at the chosen threshold, and its words in a corner of the square. */
export function ChosenPoint(props: {
  x: number;
  y: number;
  at: number;
  words: readonly string[];
  corner?: { x: number; y: number };
}) {
  const { x, y, at, words, corner = { x: 60, y: 96 } } = props;
  return (
    <>
      <circle cx={x * SIDE} cy={(1 - y) * SIDE} r={4.5} className="square-point" />
      <g>
        <circle cx={corner.x} cy={corner.y} r={4} className="square-point" />
        <text x={corner.x + 10} y={corner.y + 4} className="strong">
          at {at}
        </text>
        {words.map((line, i) => (
          <text key={line} x={corner.x + 10} y={corner.y + 20 + 16 * i}>
            {line}
          </text>
        ))}
      </g>
    </>
  );
}

/** Points in the unit square as an SVG path; what is no number breaks it. */
export function pathOf(xs: readonly number[], ys: readonly number[]): string {
  let down = false;
  return xs
    .map((x, i) => {
      const y = ys[i] ?? Number.NaN;
      if (!Number.isFinite(x) || !Number.isFinite(y)) {
        down = false;
        return "";
      }
      const step = `${down ? "L" : "M"}${(x * SIDE).toFixed(1)} ${((1 - y) * SIDE).toFixed(1)}`;
      down = true;
      return step;
    })
    .join("");
}
