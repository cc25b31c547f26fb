// biome-ignore-all lint/a11y/useSemanticElements: an ARIA grid of positioned cells, which a table's layout cannot give
// biome-ignore-all lint/a11y/useFocusableInteractive: the grid is one tab stop; its cells are reached by arrow keys
import type { RunModel } from "../client/model";
import { minuteSecond } from "../run/time";
import type { CellMode } from "./Board";
import { BoardCell } from "./BoardCell";
import { type Board, type Column, tooFew } from "./board";
import { cellId, type Place } from "./place";
import { LOW_ROW, type RowSight } from "./useRowsInSight";
import type { Window } from "./windowing";

interface Props {
  model: RunModel;
  board: Board;
  width: number;
  mode: CellMode;
  window: Window;
  sight: RowSight;
  active: Place | null;
  onHover: (place: Place | null) => void;
  onPick: (place: Place) => void;
}

/** The head and a row for each hospital, with the columns that are in sight. */
export function Rows({ model, board, width, mode, window, sight, active, onHover, onPick }: Props) {
  const columns = board.columns.slice(window.from, window.to);
  const { from, to } = sight.window;
  return (
    <>
      <div className="board-row board-head" role="row">
        <span role="columnheader" className="visually-hidden" tabIndex={-1}>
          Hospital
        </span>
        <Before window={window} width={width} />
        {columns.map((column) => (
          <span
            role="columnheader"
            key={column.round}
            aria-colindex={column.round + 1}
            data-state={column.state}
            className="cell"
            tabIndex={-1}
          >
            {column.round}
          </span>
        ))}
      </div>
      <div className="board-body" role="rowgroup" ref={sight.attach}>
        <div style={{ height: from * LOW_ROW }} />
        {board.rows.slice(from, to).map((row, i) => {
          const r = from + i;
          const few = mode === "auroc" && row.client !== null && tooFew(model, row.client.clientId) !== null;
          return (
            <div className="board-row" role="row" aria-rowindex={r + 2} key={row.key} tabIndex={-1}>
              <span role="rowheader" className="visually-hidden" tabIndex={-1}>
                {row.name}
              </span>
              <Before window={window} width={width} />
              {columns.map((column, c) => {
                const place = { row: r, column: window.from + c };
                return (
                  <BoardCell
                    key={column.round}
                    id={cellId(place)}
                    cell={board.cell(r, place.column)}
                    name={row.name}
                    mode={mode}
                    few={few}
                    active={active?.row === r && active.column === place.column}
                    onHover={(over) => onHover(over && column.state !== "future" ? place : null)}
                    onPick={() => onPick(place)}
                  />
                );
              })}
            </div>
          );
        })}
        <div style={{ height: (board.rows.length - to) * LOW_ROW }} />
      </div>
    </>
  );
}

/** The place of the columns before those in sight. */
function Before({ window, width }: { window: Window; width: number }) {
  return window.from > 0 ? (
    <span aria-hidden="true" style={{ flex: "none", width: window.from * width }} />
  ) : null;
}

/** "6/6"; from ten hospitals on only how many have sent, for a column of 30 px holds no more. */
function sentWords(column: Column): string {
  return column.of < 10 ? `${column.sent}/${column.of}` : String(column.sent);
}

/** How many sent, and how long each round took. */
export function Sums({ board, width, window }: { board: Board; width: number; window: Window }) {
  const columns = board.columns.slice(window.from, window.to);
  return (
    <div className="board-sums" style={{ width: width * board.columns.length }}>
      <div className="board-row board-sum">
        <Before window={window} width={width} />
        {columns.map((column) => (
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
        <Before window={window} width={width} />
        {columns.map((column) => (
          <span className="cell" key={column.round} data-state={column.state}>
            {column.took === null ? "" : minuteSecond(column.took)}
          </span>
        ))}
      </div>
    </div>
  );
}
