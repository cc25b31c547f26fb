import { Modal } from "@mantine/core";
import { useState } from "react";
import { Mark } from "../charts/Mark";
import type { RunModel } from "../client/model";
import { clockTime } from "../run/time";
import type { Cell, Row } from "./board";
import { detailLines } from "./cellDetail";

interface Props {
  model: RunModel;
  cell: Cell;
  row: Row | undefined;
  pinned: boolean;
  onClose: () => void;
  place: { left: number; width: number; top: number };
}

const WIDTH = 330;

/** What is known of one hospital in one round; all of a failure after Enter or a click. */
export function CellDetail({ model, cell, row, pinned, onClose, place }: Props) {
  const [full, setFull] = useState(false);
  if (!row) return null;
  const detail = detailLines(model, cell);
  const right = place.left + place.width + 8;
  const left = right + WIDTH < 620 || place.left < WIDTH ? right : place.left - WIDTH - 8;
  const trace = cell.failed?.detail;
  return (
    <>
      <div
        className="cell-detail"
        role="tooltip"
        data-pinned={pinned}
        style={{ left, "--top": `${place.top}px` } as React.CSSProperties}
      >
        <div className="cell-detail-head">
          <Mark look={row.look} />
          <b>
            {row.name}, round {cell.round}
          </b>
          {detail.at !== null && <time>{clockTime(detail.at)}</time>}
        </div>
        {cell.failed && <p className="cell-detail-bad">{cell.failed.error}</p>}
        {detail.lines.map((line) => (
          <p key={line}>{line}</p>
        ))}
        {pinned && (
          <p className="cell-detail-actions">
            {trace && (
              <button type="button" className="link" onClick={() => setFull(true)}>
                Full detail
              </button>
            )}
            <button type="button" className="link" onClick={onClose}>
              Close
            </button>
          </p>
        )}
        {!pinned && trace && (
          <p className="cell-detail-actions">
            <b>Full detail</b> <span className="text3">Enter</span>
          </p>
        )}
      </div>
      {trace && (
        <Modal
          opened={full}
          onClose={() => setFull(false)}
          title={`${row.name}, round ${cell.round}`}
          size="lg"
        >
          <p className="cell-detail-bad">{cell.failed?.error}</p>
          <pre className="detail">{trace}</pre>
        </Modal>
      )}
    </>
  );
}
