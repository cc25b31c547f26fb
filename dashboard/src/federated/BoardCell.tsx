// biome-ignore-all lint/a11y/useSemanticElements: an ARIA grid of positioned cells, which a table's layout cannot give
import { memo } from "react";
import { minuteSecond } from "../run/time";
import type { CellMode } from "./Board";
import { type Cell, cellValue } from "./board";
import { FailedCross } from "./FailedCross";

interface Props {
  id: string;
  cell: Cell;
  name: string;
  mode: CellMode;
  few: boolean;
  active: boolean;
  onHover: (over: boolean) => void;
  onPick: () => void;
}

/** One hospital in one round. */
export const BoardCell = memo(Drawn, same);

function Drawn({ id, cell, name, mode, few, active, onHover, onPick }: Props) {
  return (
    // The grid has the one tab stop and the keys; the pointer may point at a cell directly.
    // biome-ignore lint/a11y/useKeyWithClickEvents: Enter on the grid does the same
    <span
      id={id}
      role="gridcell"
      tabIndex={-1}
      className="cell"
      data-state={cell.state}
      data-active={active}
      aria-label={cellWords(name, cell)}
      onPointerEnter={() => onHover(true)}
      onPointerLeave={() => onHover(false)}
      onMouseDown={(event) => event.preventDefault()}
      onClick={onPick}
    >
      <Inside cell={cell} mode={mode} few={few} />
    </span>
  );
}

function Inside({ cell, mode, few }: { cell: Cell; mode: CellMode; few: boolean }) {
  if (cell.state === "future") return <span className="cell-dot" />;
  if (cell.failed) {
    return (
      <span className="cell-failed">
        <FailedCross />
      </span>
    );
  }
  if (mode !== "time") return <span className="cell-value">{cellValue(cell, mode, few)}</span>;
  return (
    // Shapes, not boxes: that they grow moves nothing in the layout.
    <svg className="cell-time" aria-hidden="true">
      {cell.parts.map((part) => (
        <rect
          key={part.kind + part.from}
          className={`fill-${part.kind}`}
          x={`${part.from * 100}%`}
          width={`${(part.to - part.from) * 100}%`}
          height={13}
        />
      ))}
    </svg>
  );
}

/** What a cell says to those who hear it. */
export function cellWords(name: string, cell: Cell): string {
  const where = `${name}, round ${cell.round}`;
  if (cell.state === "future") return `${where}: not yet`;
  if (cell.failed) return `${where}: failed, ${cell.failed.error}`;
  if (!cell.record) return `${where}: ${cell.state === "open" ? "waiting to start" : "took no part"}`;
  const late = cell.parts.some((part) => part.kind === "late") ? ", later than usual" : "";
  if (cell.record.sent === null)
    return `${where}: ${cell.state === "open" ? "training" : "did not send"}${late}`;
  const took = cell.record.duration === null ? "" : ` after ${minuteSecond(cell.record.duration)} min`;
  return `${where}: sent${took}${late}`;
}

function same(before: Props, after: Props): boolean {
  return (
    before.mode === after.mode &&
    before.active === after.active &&
    before.few === after.few &&
    before.name === after.name &&
    before.cell.record === after.cell.record &&
    before.cell.state === after.cell.state &&
    before.cell.failed === after.cell.failed &&
    before.cell.parts.length === after.cell.parts.length &&
    before.cell.parts.every(
      (part, i) => part.from === after.cell.parts[i]?.from && part.to === after.cell.parts[i]?.to,
    )
  );
}
