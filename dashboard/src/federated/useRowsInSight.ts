import { useCallback, useRef, useState } from "react";
import { rowsInSight, type Window } from "./windowing";

/** Up to this many hospitals each has a row with its facts; of more, the rows are low and scroll inside the board. */
const FEW = 20;
/** The height of a low row, as `federated.css` has it. */
export const LOW_ROW = 24;
const ROW = 38;
/** So many low rows are in sight. */
const SHOWN = 20;

export interface RowSight {
  /** Whether there are so many hospitals that their rows are low and scroll. */
  readonly many: boolean;
  /** The rows that are drawn: those in sight, and a few on either side. */
  readonly window: Window;
  /** What scrolls: the names, the rounds and the open round each hold a part of every row, and move together. */
  readonly attach: (element: HTMLElement | null) => (() => void) | undefined;
  /** Brings a row into sight. */
  readonly reveal: (row: number) => void;
  /** Where the top of a row is below the head of the board, in CSS pixels. */
  readonly topOf: (row: number) => number;
}

export function useRowsInSight(count: number): RowSight {
  const many = count > FEW;
  const [top, setTop] = useState(0);
  const parts = useRef(new Set<HTMLElement>());
  const attach = useCallback((element: HTMLElement | null) => {
    if (element === null) return undefined;
    const follow = () => {
      for (const other of parts.current)
        if (other.scrollTop !== element.scrollTop) other.scrollTop = element.scrollTop;
      setTop(element.scrollTop);
    };
    parts.current.add(element);
    element.addEventListener("scroll", follow, { passive: true });
    return () => {
      parts.current.delete(element);
      element.removeEventListener("scroll", follow);
    };
  }, []);
  const reveal = (row: number) => {
    const [element] = parts.current;
    if (!many || element === undefined) return;
    const from = row * LOW_ROW;
    if (from < element.scrollTop) element.scrollTop = from;
    else if (from + LOW_ROW > element.scrollTop + SHOWN * LOW_ROW)
      element.scrollTop = from + LOW_ROW - SHOWN * LOW_ROW;
  };
  return {
    many,
    window: many ? rowsInSight(count, LOW_ROW, top, SHOWN * LOW_ROW) : { from: 0, to: count },
    attach,
    reveal,
    topOf: (row) => (many ? row * LOW_ROW - top : row * ROW),
  };
}
