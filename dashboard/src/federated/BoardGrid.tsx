// biome-ignore-all lint/a11y/useSemanticElements: an ARIA grid of positioned cells, which a table's layout cannot give
// biome-ignore-all lint/a11y/useFocusableInteractive: the grid is one tab stop; its cells are reached by arrow keys
import { type KeyboardEvent, type ReactNode, useEffect, useRef, useState } from "react";
import type { RunModel } from "../client/model";
import { minuteSecond } from "../run/time";
import type { CellMode } from "./Board";
import { BoardCell } from "./BoardCell";
import type { Board, Cell, Column } from "./board";
import { CellDetail } from "./CellDetail";

interface Props {
  model: RunModel;
  board: Board;
  width: number;
  mode: CellMode;
  curve: ReactNode;
}

interface Place {
  row: number;
  column: number;
}

/** The rounds: one tab stop, arrows to walk, Enter for the detail, Esc back. Scrolls sideways inside itself. */
export function BoardGrid({ model, board, width, mode, curve }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState<Place | null>(null);
  const [hovered, setHovered] = useState<Place | null>(null);
  const [pinned, setPinned] = useState(false);
  const shown = pinned ? active : (hovered ?? active);
  const start = { row: 0, column: Math.max(0, (board.open ?? 1) - 1) };
  const here = active ?? start;

  // The open round is what one looks for: bring it into the picture when it moves on.
  useEffect(() => {
    const element = scroller.current;
    if (!element || board.open === null) return;
    const right = board.open * width;
    if (right > element.scrollLeft + element.clientWidth)
      element.scrollLeft = right - element.clientWidth + width;
  }, [board.open, width]);

  const onKeyDown = (event: KeyboardEvent) => {
    const next = move(here, event.key, board);
    if (next) setActive(next);
    else if (event.key === "Enter" || event.key === " ") setPinned(true);
    else if (event.key === "Escape") {
      if (!shown) return;
      setPinned(false);
      setActive(null);
      setHovered(null);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const cell = shown ? board.rows[shown.row]?.cells[shown.column] : undefined;
  const id = (place: Place) => `cell-${place.row}-${place.column}`;
  return (
    <div className="board-rounds-frame">
      <HatchPattern />
      <div
        className="board-rounds"
        data-scrolls={board.columns.length > 20}
        ref={scroller}
        style={{ "--column": `${width}px` } as React.CSSProperties}
      >
        <div
          className="board-grid"
          role="grid"
          aria-label="Hospitals by rounds"
          aria-rowcount={board.rows.length + 1}
          aria-colcount={board.columns.length + 1}
          aria-activedescendant={active ? id(active) : undefined}
          tabIndex={0}
          onKeyDown={onKeyDown}
          onFocus={() => setActive((before) => before ?? start)}
          onBlur={() => {
            if (!pinned) setActive(null);
          }}
          style={{ width: width * board.columns.length }}
        >
          <div className="board-row board-head" role="row">
            <span role="columnheader" className="visually-hidden" tabIndex={-1}>
              Hospital
            </span>
            {board.columns.map((column) => (
              <span
                role="columnheader"
                key={column.round}
                data-state={column.state}
                className="cell"
                tabIndex={-1}
              >
                {column.round}
              </span>
            ))}
          </div>
          {board.rows.map((row, r) => (
            <div className="board-row" role="row" key={row.key} tabIndex={-1}>
              <span role="rowheader" className="visually-hidden" tabIndex={-1}>
                {row.name}
              </span>
              {row.cells.map((each, c) => (
                <BoardCell
                  key={each.round}
                  id={id({ row: r, column: c })}
                  cell={each}
                  name={row.name}
                  mode={mode}
                  rare={row.rare !== null}
                  active={active?.row === r && active.column === c}
                  onHover={(over) =>
                    setHovered(over && each.state !== "future" ? { row: r, column: c } : null)
                  }
                  onPick={() => {
                    setActive({ row: r, column: c });
                    setPinned(true);
                  }}
                />
              ))}
            </div>
          ))}
        </div>
        <Sums board={board} width={width} />
        <div className="board-curve" style={{ width: width * board.columns.length }}>
          {curve}
        </div>
      </div>
      {cell && shown && cell.state !== "future" && (
        <CellDetail
          model={model}
          cell={cell}
          row={board.rows[shown.row]}
          pinned={pinned}
          onClose={() => {
            setPinned(false);
            setHovered(null);
          }}
          place={{
            left: shown.column * width - (scroller.current?.scrollLeft ?? 0),
            width,
            row: shown.row,
          }}
        />
      )}
    </div>
  );
}

/** The hatching of waiting, in pixels of the screen whatever the width of a cell. */
function HatchPattern() {
  return (
    <svg width="0" height="0" className="board-defs" aria-hidden="true">
      <defs>
        <pattern
          id="board-hatch"
          width="4"
          height="4"
          patternUnits="userSpaceOnUse"
          patternTransform="rotate(45)"
        >
          <line x1="0.5" x2="0.5" y1="0" y2="4" stroke="var(--hatch)" strokeWidth="1.1" />
        </pattern>
      </defs>
    </svg>
  );
}

/** "6/6"; from ten hospitals on only how many have sent, for a column of 30 px holds no more. */
function sentWords(column: Column): string {
  return column.of < 10 ? `${column.sent}/${column.of}` : String(column.sent);
}

/** How many sent, and how long each round took. */
function Sums({ board, width }: { board: Board; width: number }) {
  return (
    <div className="board-sums" style={{ width: width * board.columns.length }}>
      <div className="board-row board-sum">
        {board.columns.map((column) => (
          <span
            className="cell"
            key={column.round}
            data-state={column.state}
            data-short={column.state === "past" && column.sent < column.of}
          >
            {column.state === "future" ? "" : sentWords(column)}
          </span>
        ))}
      </div>
      <div className="board-row board-sum">
        {board.columns.map((column) => (
          <span className="cell" key={column.round} data-state={column.state}>
            {column.took === null ? "" : minuteSecond(column.took)}
          </span>
        ))}
      </div>
    </div>
  );
}

/** The next cell after a key; `null` for a key that walks nowhere. */
export function move(
  from: Place,
  key: string,
  board: { rows: readonly unknown[]; columns: readonly unknown[] },
): Place | null {
  const rows = board.rows.length - 1;
  const columns = board.columns.length - 1;
  const clamp = (value: number, most: number) => Math.min(Math.max(0, value), Math.max(0, most));
  switch (key) {
    case "ArrowLeft":
      return { ...from, column: clamp(from.column - 1, columns) };
    case "ArrowRight":
      return { ...from, column: clamp(from.column + 1, columns) };
    case "ArrowUp":
      return { ...from, row: clamp(from.row - 1, rows) };
    case "ArrowDown":
      return { ...from, row: clamp(from.row + 1, rows) };
    case "Home":
      return { ...from, column: 0 };
    case "End":
      return { ...from, column: Math.max(0, columns) };
    default:
      return null;
  }
}

export type { Cell };
