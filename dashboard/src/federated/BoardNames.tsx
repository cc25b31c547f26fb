import type { ReactNode } from "react";
import { Mark } from "../charts/Mark";
import type { Board } from "./board";

/** The fixed first column: each hospital with its mark, its images, and a warning where a class is small. */
export function BoardNames({ board, side }: { board: Board; side: ReactNode }) {
  return (
    <div className="board-names">
      <div className="board-head">
        <span>Hospital</span>
        <span>Round</span>
      </div>
      {board.rows.map((row) => (
        <div className="board-name" key={row.key}>
          <Mark look={row.look} />
          <span className="name">
            <b title={row.name}>{row.name}</b>
            <span className="facts" title={[row.facts, row.rare].filter(Boolean).join(", ")}>
              {row.facts}
              {row.rare && (
                <>
                  , <strong>{row.rare}</strong>
                </>
              )}
            </span>
          </span>
        </div>
      ))}
      <div className="board-sum">Sent{board.rows.length >= 10 ? `, of ${board.rows.length}` : ""}</div>
      <div className="board-sum">Round took, min:s</div>
      <div className="board-curve-side">{side}</div>
    </div>
  );
}
