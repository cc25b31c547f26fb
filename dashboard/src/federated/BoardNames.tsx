import type { ReactNode } from "react";
import { Mark } from "../charts/Mark";
import type { Board, Row } from "./board";
import type { Panel, PanelRow } from "./openPanel";
import { LOW_ROW, type RowSight } from "./useRowsInSight";

interface Props {
  board: Board;
  panel: Panel;
  side: ReactNode;
  sight: RowSight;
}

/** Among many hospitals colour is left to those that want to be looked at. */
function isLoud(row: PanelRow | undefined): boolean {
  return row !== undefined && ["late", "failed", "silent", "lost"].includes(row.state);
}

function factsWords(row: Row): string {
  const facts = [row.facts, row.rare].filter(Boolean).join(", ");
  return row.withheld === null ? facts : `${facts}. Withheld by the hospital: ${row.withheld.words}`;
}

/** The fixed first column: each hospital with its mark, its images, and a warning where a class is small. */
export function BoardNames({ board, panel, side, sight }: Props) {
  const { from, to } = sight.window;
  return (
    <div className="board-names">
      <div className="board-head">
        <span>Hospital</span>
        <span>Round</span>
      </div>
      <div className="board-body" ref={sight.attach}>
        <div style={{ height: from * LOW_ROW }} />
        {board.rows.slice(from, to).map((row, i) => (
          <div className="board-name" key={row.key} title={factsWords(row)}>
            <Mark
              look={
                sight.many && !isLoud(panel.rows[from + i]) ? { ...row.look, color: "--text3" } : row.look
              }
            />
            <span className="name">
              <b title={row.name}>{row.name}</b>
              <span className="facts" title={factsWords(row)}>
                {row.facts}
                {row.rare && (
                  <>
                    , <strong>{row.rare}</strong>
                  </>
                )}
                {row.withheld && `, ${row.withheld.count} withheld`}
              </span>
            </span>
          </div>
        ))}
        <div style={{ height: (board.rows.length - to) * LOW_ROW }} />
      </div>
      <div className="board-sum">Sent{board.rows.length >= 10 ? `, of ${board.rows.length}` : ""}</div>
      <div className="board-sum">Round took, min:s</div>
      <div className="board-curve-side">{side}</div>
    </div>
  );
}
