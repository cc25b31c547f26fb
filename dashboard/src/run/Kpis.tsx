import { markPath } from "../charts/marks";
import { type Kpi, shortened } from "./kpis";

interface Props {
  kpis: readonly Kpi[];
  /** How old the numbers are, while the server is away. */
  age?: string | null;
  /** Two lines beside the number instead of a ruler. */
  compact?: boolean;
  /** On a phone: neither ruler nor more words than fit. */
  narrow?: boolean;
}

/** The strip of five or six numbers. Every number has its digits, its n and its place from the start. */
export function KpiStrip({ kpis, age, compact = false, narrow = false }: Props) {
  return (
    <section
      className={`card kpi-strip${compact ? " compact" : ""}`}
      data-places={kpis.length}
      aria-label="Newest values"
    >
      {(narrow ? kpis.map(shortened) : kpis).map((kpi, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the places stay, whatever stands in them
        <div className="kpi" key={place}>
          <div className="kpi-head">
            <span className="kpi-label">{kpi.label}</span>
            <span className="kpi-when" key={age ?? kpi.when}>
              {age ?? kpi.when}
            </span>
          </div>
          {compact ? <Two kpi={kpi} /> : <Three kpi={kpi} narrow={narrow} />}
        </div>
      ))}
    </section>
  );
}

function Two({ kpi }: { kpi: Kpi }) {
  return (
    <div className="kpi-body">
      <b>{kpi.value}</b>
      <span className="kpi-two" key={kpi.value}>
        <span>{kpi.beside}</span>
        <span>{kpi.note || "\u00a0"}</span>
      </span>
    </div>
  );
}

function Three({ kpi, narrow }: { kpi: Kpi; narrow: boolean }) {
  return (
    <>
      <div className="kpi-value">
        <b>{kpi.value}</b>
        <span key={kpi.value}>{kpi.beside || "\u00a0"}</span>
      </div>
      {!narrow && (kpi.spark ? <Spark spark={kpi.spark} /> : <Ruler ruler={kpi.ruler ?? null} />)}
      <div className="kpi-note">{kpi.note}</div>
    </>
  );
}

/** The value and its interval on a printed scale. */
function Ruler({ ruler }: { ruler: Kpi["ruler"] | null }) {
  const floor = ruler?.floor ?? 0.8;
  const share = (value: number) =>
    `${(Math.min(1, Math.max(0, (value - floor) / (1 - floor))) * 100).toFixed(2)}%`;
  return (
    <div className="kpi-ruler" aria-hidden="true">
      <span>{floor.toFixed(1)}</span>
      <svg width="100%" height="12" className="kpi-scale" aria-hidden="true">
        <line x1="0" x2="100%" y1="6" y2="6" stroke="var(--line2)" />
        <line x1="0.5" x2="0.5" y1="2.5" y2="9.5" stroke="var(--line2)" />
        <line x1="100%" x2="100%" y1="2.5" y2="9.5" stroke="var(--line2)" />
        {ruler && (
          <>
            <line
              x1={share(ruler.low)}
              x2={share(ruler.high)}
              y1="6"
              y2="6"
              stroke="var(--text3)"
              strokeWidth="2.5"
            />
            <circle cx={share(ruler.value)} cy="6" r="3.5" fill="var(--ink)" />
          </>
        )}
      </svg>
      <span>1.0</span>
    </div>
  );
}

/** A small curve whose width means the whole planned run. */
function Spark({ spark }: { spark: NonNullable<Kpi["spark"]> }) {
  const { values, whole, look } = spark;
  const there = values.filter((value) => value !== null);
  const most = Math.max(...there);
  const least = Math.min(0, ...there);
  const place = (value: number, i: number): [number, number] => [
    2 + (i / Math.max(1, whole - 1)) * 216,
    16 - ((value - least) / (most - least || 1)) * 13,
  ];
  let path = "";
  let broken = true;
  let end: [number, number] | null = null;
  values.forEach((value, i) => {
    if (value === null) {
      broken = true;
      return;
    }
    end = place(value, i);
    path += `${broken ? "M" : "L"}${end[0].toFixed(1)} ${end[1].toFixed(1)}`;
    broken = false;
  });
  return (
    <div className="kpi-ruler" aria-hidden="true">
      <svg
        aria-hidden="true"
        viewBox="0 0 224 20"
        width="100%"
        height="20"
        preserveAspectRatio="xMinYMid meet"
        className="kpi-spark"
      >
        <line x1="0" x2="224" y1="17.5" y2="17.5" stroke="var(--grid)" />
        {path && (
          <path d={path} fill="none" stroke={`var(${look.color})`} strokeWidth="1.5" strokeLinejoin="round" />
        )}
        {end && <path d={markPath("circle", end[0], end[1], 2.8)} fill={`var(${look.color})`} />}
      </svg>
    </div>
  );
}
