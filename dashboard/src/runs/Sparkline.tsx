import { type Points, type Scale, shapeOf } from "./sparkline";

const WIDTH = 124;
const HEIGHT = 34;

interface Props {
  readonly points: Points;
  /** Planned epochs or rounds. */
  readonly total: number | null;
  readonly scale: Scale;
}

/** A run's key metric so far. Its numbers stand beside it in the row, so it is decoration to a screen reader. */
export function Sparkline({ points, total, scale }: Props) {
  const { paths, end } = shapeOf(points, total, scale, WIDTH, HEIGHT);
  return (
    <svg
      className="sparkline"
      width={WIDTH + 8}
      height={HEIGHT + 8}
      viewBox={`-4 -4 ${WIDTH + 8} ${HEIGHT + 8}`}
      aria-hidden="true"
    >
      <path d={`M0 ${HEIGHT + 2}H${WIDTH}`} stroke="var(--line)" />
      {paths.map((path) => (
        <path key={path} d={path} fill="none" stroke="var(--ink)" strokeWidth="1.6" strokeLinejoin="round" />
      ))}
      {end !== null && <circle cx={end.x} cy={end.y} r="2.6" fill="var(--ink)" />}
    </svg>
  );
}
