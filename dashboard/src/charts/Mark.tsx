import { type Look, markPath } from "./marks";

/** One mark as SVG, for legends, names and the board. Decoration: the word beside it carries the meaning. */
export function Mark({ look, size = 16, radius = 5 }: { look: Look; size?: number; radius?: number }) {
  const middle = size / 2;
  return (
    <svg
      width={size}
      height={size}
      viewBox={`0 0 ${size} ${size}`}
      aria-hidden="true"
      focusable="false"
      className="mark"
    >
      <path
        d={markPath(look.mark, middle, middle, radius)}
        fill={look.filled ? `var(${look.color})` : "var(--surface)"}
        stroke={`var(${look.color})`}
        strokeWidth={1.75}
        strokeLinejoin="round"
      />
    </svg>
  );
}

/** A short piece of a line with its mark in the middle, as it looks in the chart. */
export function LineSample({
  look,
  marked = true,
  width = 22,
}: {
  look: Look;
  marked?: boolean;
  width?: number;
}) {
  return (
    <svg
      width={width}
      height={14}
      viewBox={`0 0 ${width} 14`}
      aria-hidden="true"
      focusable="false"
      className="mark"
    >
      <line
        x1={0}
        x2={width}
        y1={7}
        y2={7}
        stroke={`var(${look.color})`}
        strokeWidth={2}
        strokeDasharray={look.dash.length ? look.dash.join(" ") : undefined}
      />
      {marked && (
        <path
          d={markPath(look.mark, width / 2, 7, 3.6)}
          fill={look.filled ? `var(${look.color})` : "var(--surface)"}
          stroke={`var(${look.color})`}
          strokeWidth={1.6}
        />
      )}
    </svg>
  );
}
