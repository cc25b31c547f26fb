import { SegmentedControl } from "@mantine/core";
import { type ReactNode, useLayoutEffect, useRef, useState } from "react";
import type { RunModel } from "../client/model";
import { useParam } from "../run/useParam";
import { BoardGrid, type RoundRange } from "./BoardGrid";
import { BoardNames } from "./BoardNames";
import { type Board as BoardView, columnWidth } from "./board";
import { FailedCross } from "./FailedCross";
import { OpenRows } from "./OpenRows";
import type { Panel } from "./openPanel";
import { useRowsInSight } from "./useRowsInSight";

export const CELL_MODES = ["time", "auroc", "loss"] as const;
export type CellMode = (typeof CELL_MODES)[number];

interface Props {
  model: RunModel;
  board: BoardView;
  panel: Panel;
  /** The global curve, drawn in the same columns. */
  curve: (range: RoundRange) => ReactNode;
  curveSide: ReactNode;
  events: ReactNode;
}

/** Hospitals by rounds, the open round beside them, and the global curve in the same columns. */
export function Board({ model, board, panel, curve, curveSide, events }: Props) {
  const frame = useRef<HTMLElement>(null);
  const [width, setWidth] = useState(30);
  const [mode, setMode] = useParam("cells", CELL_MODES, "time");
  const count = board.columns.length;
  const sight = useRowsInSight(board.rows.length);

  useLayoutEffect(() => {
    const element = frame.current;
    if (!element) return;
    const measure = () => {
      const style = getComputedStyle(element);
      const names = Number.parseFloat(style.getPropertyValue("--names")) || 198;
      const panelWidth = Number.parseFloat(style.getPropertyValue("--panel")) || 0;
      setWidth(columnWidth(element.clientWidth - names - panelWidth, count));
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [count]);

  return (
    <section
      className="card board"
      data-many={sight.many || undefined}
      ref={frame}
      aria-label="Hospitals by rounds"
    >
      <BoardNames board={board} panel={panel} side={curveSide} sight={sight} />
      <BoardGrid model={model} board={board} width={width} mode={mode} curve={curve} rows={sight} />
      <div className="board-open">
        <OpenRows panel={panel} rows={board.rows} sight={sight} />
        <div className="board-legend">
          <CellLegend mode={mode} />
          <SegmentedControl
            size="xs"
            aria-label="What the cells show"
            value={mode}
            onChange={(value) => setMode(value as CellMode)}
            data={[
              { value: "time", label: "Time" },
              { value: "auroc", label: "AUROC" },
              { value: "loss", label: "Loss" },
            ]}
          />
        </div>
        <div className="board-events">{events}</div>
      </div>
    </section>
  );
}

function CellLegend({ mode }: { mode: CellMode }) {
  if (mode !== "time") {
    return (
      <span className="t-note text3">
        {mode === "auroc" ? "local validation AUROC" : "local training loss"} at the end of each round
      </span>
    );
  }
  return (
    <ul className="cell-legend" aria-label="What the cells show">
      <li>
        <span className="sample part-train" /> training
      </li>
      <li>
        <span className="sample part-wait" /> waiting
      </li>
      <li>
        <span className="sample part-late" /> later than usual
      </li>
      <li>
        <span className="sample cell-failed">
          <FailedCross />
        </span>{" "}
        failed
      </li>
    </ul>
  );
}
