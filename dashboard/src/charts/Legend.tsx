import type { Cursor } from "./cursor";
import { LineSample } from "./Mark";
import type { Look } from "./marks";
import { useCursorX } from "./useCursor";

/** One entry of the legend row: what it is called, and what it reads at the cursor (or newest, without one). */
export interface Reading {
  look: Look;
  marked: boolean;
  label: string;
  value: string;
  /** In brackets after the value: the interval. */
  extra?: string;
}

export interface ReadingRow {
  entries: readonly Reading[];
  /** "at epoch 4, n 4,708 / 524" */
  at: string;
}

/** The fixed row that names the curves and reads them at the cursor. */
export function Legend({ cursor, read }: { cursor: Cursor; read: (x: number | null) => ReadingRow }) {
  const x = useCursorX(cursor);
  const row = read(x);
  return (
    <div className="reading">
      {row.entries.map((each) => (
        <span className="entry" key={`${each.label} ${each.extra ? "with interval" : ""}`}>
          <LineSample look={each.look} marked={each.marked} />
          {each.label} <b>{each.value}</b>
          {each.extra && <span key={each.value.length}>({each.extra})</span>}
        </span>
      ))}
      <span className="at" key={row.at}>
        {row.at}
      </span>
    </div>
  );
}
