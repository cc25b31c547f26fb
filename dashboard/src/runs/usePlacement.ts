import { type RefObject, useEffect, useRef, useState } from "react";
import type { RunState } from "../client/state";
import { type Placement, place } from "./placement";

export interface Placed {
  readonly placement: Placement;
  readonly runs: ReadonlyMap<string, RunState>;
  /** New runs that wait for a moment when nobody reads. */
  readonly waiting: number;
  readonly show: () => void;
}

/**
 * Keeps rows where they are while somebody reads them (`placement.ts`).
 *
 * @param view changes when the reader asks for other rows (filter, page): then everything is placed anew.
 */
export function usePlacement(
  rows: readonly RunState[],
  view: string,
  table: RefObject<HTMLElement | null>,
): Placed {
  const [shown, setShown] = useState(0);
  const reading = useReading(table);
  const kept = useRef<{
    view: string;
    shown: number;
    placement: Placement;
    runs: Map<string, RunState>;
  } | null>(null);
  const before = kept.current !== null && kept.current.view === view ? kept.current : null;
  const free = !reading || before === null || before.shown !== shown;
  const { placement, waiting } = place(before?.placement ?? null, rows, free);
  // A row that has slipped to the next page keeps its place, and its last words, until the reader looks away.
  const runs = new Map([...(before?.runs ?? []), ...rows.map((run) => [run.run_id, run] as const)]);
  const inUse = new Set([...placement.live, ...placement.earlier]);
  for (const id of runs.keys()) if (!inUse.has(id)) runs.delete(id);
  useEffect(() => {
    kept.current = { view, shown, placement, runs };
  });
  return { placement, runs, waiting, show: () => setShown((n) => n + 1) };
}

/** Whether the page is scrolled, or the pointer or the focus is in the table. */
function useReading(table: RefObject<HTMLElement | null>): boolean {
  const [reading, setReading] = useState(false);
  useEffect(() => {
    let inside = false;
    const look = (): void => {
      const focused = table.current?.contains(document.activeElement) ?? false;
      setReading(inside || focused || window.scrollY > 0);
    };
    const moved = (event: PointerEvent): void => {
      inside =
        event.pointerType === "mouse" &&
        event.target instanceof Node &&
        (table.current?.contains(event.target) ?? false);
      look();
    };
    const left = (): void => {
      inside = false;
      look();
    };
    document.addEventListener("pointerover", moved);
    document.documentElement.addEventListener("pointerleave", left);
    document.addEventListener("focusin", look);
    document.addEventListener("focusout", look);
    window.addEventListener("scroll", look, { passive: true });
    return () => {
      document.removeEventListener("pointerover", moved);
      document.documentElement.removeEventListener("pointerleave", left);
      document.removeEventListener("focusin", look);
      document.removeEventListener("focusout", look);
      window.removeEventListener("scroll", look);
    };
  }, [table]);
  return reading;
}
