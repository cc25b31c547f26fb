import { MANY, type Rail } from "./rail";

/** The progress of a run: a segment for each epoch, the best one marked by a small triangle. */
export function RailBar({ rail, unit = "epoch" }: { rail: Rail; unit?: string }) {
  const { segments, best } = rail;
  const done = segments.reduce((sum, share) => sum + share, 0);
  const whole = segments.length;
  return (
    <div className="rail">
      <span className="rail-left">{rail.left}</span>
      <div
        className="rail-bar"
        role="progressbar"
        aria-label={`${unit}s done`}
        aria-valuemin={0}
        aria-valuemax={whole || 1}
        aria-valuenow={Math.round(done * 100) / 100}
        aria-valuetext={rail.left}
        data-many={whole > 40}
      >
        {whole > MANY ? (
          <span className="rail-segment">
            <span style={{ width: `${(done / whole) * 100}%` }} />
          </span>
        ) : (
          segments.map((share, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a segment is its number
            <span className="rail-segment" key={i}>
              <span style={{ width: `${share * 100}%` }} />
            </span>
          ))
        )}
        {best !== null && whole > 0 && best <= whole && (
          <span
            className="rail-best"
            key={best}
            style={{ left: `${(best / whole) * 100}%` }}
            aria-hidden="true"
          >
            <svg width="9" height="6" viewBox="0 0 9 6" aria-hidden="true">
              <path d="M0 0h9L4.5 5.5z" fill="var(--text)" />
            </svg>
          </span>
        )}
      </div>
      <span className="rail-right" key={rail.right}>
        {rail.right}
      </span>
    </div>
  );
}
