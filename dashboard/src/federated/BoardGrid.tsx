// biome-ignore-all lint/a11y/useSemanticElements: an ARIA grid of positioned cells, which a table's layout cannot give
// biome-ignore-all lint/a11y/useFocusableInteractive: the grid is one tab stop; its cells are reached by arrow keys
import {
  type KeyboardEvent,
  type ReactNode,
  type RefObject,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
} from "react";
import type { RunModel } from "../client/model";
import type { CellMode } from "./Board";
import { Rows, Sums } from "./BoardRows";
import type { Board } from "./board";
import { CellDetail } from "./CellDetail";
import { cellId, move, type Place } from "./place";
import type { RowSight } from "./useRowsInSight";
import { columnsInSight } from "./windowing";

interface Props {
  model: RunModel;
  board: Board;
  width: number;
  mode: CellMode;
  /** The global curve over the rounds in sight. */
  curve: (range: RoundRange) => ReactNode;
  rows: RowSight;
}

/** The part of the x axis that is in sight, in rounds: round r lies from r − 0.5 to r + 0.5. */
export interface RoundRange {
  min: number;
  max: number;
}

/** The rounds: one tab stop, arrows to walk, Enter for the detail, Esc back. Scrolls sideways inside itself. */
export function BoardGrid({ model, board, width, mode, curve, rows }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const sight = useSight(scroller, board, width);
  const [active, setActive] = useState<Place | null>(null);
  const [hovered, setHovered] = useState<Place | null>(null);
  const [pinned, setPinned] = useState(false);
  const shown = pinned ? active : (hovered ?? active);
  const start = { row: 0, column: Math.max(0, (board.open ?? 1) - 1) };
  const here = active ?? start;

  const go = (next: Place) => {
    setActive(next);
    rows.reveal(next.row);
    const element = scroller.current;
    if (!element) return;
    const left = next.column * width;
    if (left < element.scrollLeft) element.scrollLeft = left;
    else if (left + width > element.scrollLeft + element.clientWidth) {
      element.scrollLeft = left + width - element.clientWidth;
    }
  };
  const leave = () => {
    setPinned(false);
    setActive(null);
    setHovered(null);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const next = move(here, event.key, board);
    if (next) go(next);
    else if (event.key === "Enter" || event.key === " ") setPinned(true);
    else if (event.key === "Escape" && shown) leave();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const cell = shown ? board.cell(shown.row, shown.column) : undefined;
  const whole = width * board.columns.length;
  const visible = Math.min(whole, sight.visible || whole);
  const range = { min: sight.scrolled / width + 0.5, max: (sight.scrolled + visible) / width + 0.5 };
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
          aria-activedescendant={active ? cellId(active) : undefined}
          tabIndex={0}
          onKeyDown={onKeyDown}
          onFocus={() => setActive((before) => before ?? start)}
          onBlur={() => {
            if (!pinned) setActive(null);
          }}
          style={{ width: whole }}
        >
          <Rows
            model={model}
            board={board}
            width={width}
            mode={mode}
            window={columnsInSight(board.columns.length, width, sight.scrolled, sight.visible)}
            sight={rows}
            active={active}
            onHover={setHovered}
            onPick={(place) => {
              setActive(place);
              setPinned(true);
            }}
          />
        </div>
        <Sums
          board={board}
          width={width}
          window={columnsInSight(board.columns.length, width, sight.scrolled, sight.visible)}
        />
        <div className="board-curve" style={{ width: visible }}>
          {curve(range)}
        </div>
      </div>
      {cell && shown && cell.state !== "future" && (
        <CellDetail
          model={model}
          cell={cell}
          row={board.rows[shown.row]}
          pinned={pinned}
          onClose={leave}
          place={{ left: shown.column * width - sight.scrolled, width, top: rows.topOf(shown.row) }}
        />
      )}
    </div>
  );
}

/** What part of the rounds is in sight; the open round is brought there when it moves on. */
function useSight(scroller: RefObject<HTMLDivElement | null>, board: Board, width: number) {
  const [sight, setSight] = useState({ scrolled: 0, visible: 0 });
  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const look = () => setSight({ scrolled: element.scrollLeft, visible: element.clientWidth });
    look();
    element.addEventListener("scroll", look, { passive: true });
    const observer = new ResizeObserver(look);
    observer.observe(element);
    return () => {
      element.removeEventListener("scroll", look);
      observer.disconnect();
    };
  }, [scroller]);
  useEffect(() => {
    const element = scroller.current;
    if (!element || board.open === null) return;
    const right = board.open * width;
    if (right > element.scrollLeft + element.clientWidth) {
      element.scrollLeft = right - element.clientWidth + width;
    }
  }, [scroller, board.open, width]);
  return sight;
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
