/**
 * Where rows stand. Cells change in place, but rows never change places under a reader: a new run and a run that
 * has ended move only at a moment when nobody reads the table.
 */

import type { RunState } from "../client/state";

export interface Placement {
  readonly live: readonly string[];
  readonly earlier: readonly string[];
}

const LIVE: ReadonlySet<string> = new Set(["queued", "started", "running"]);

export function isLive(run: Pick<RunState, "status">): boolean {
  return LIVE.has(run.status);
}

/** The order that the rows should have: live first, and within each group as the server sorted them. */
export function placed(rows: readonly RunState[]): Placement {
  return {
    live: rows.filter(isLive).map((run) => run.run_id),
    earlier: rows.filter((run) => !isLive(run)).map((run) => run.run_id),
  };
}

/**
 * The placement after news. While somebody reads it stays as it was; what has not been placed yet is counted.
 *
 * @param free true when the page is scrolled to its top and neither pointer nor focus is in the table.
 */
export function place(
  before: Placement | null,
  rows: readonly RunState[],
  free: boolean,
): { readonly placement: Placement; readonly waiting: number } {
  const wanted = placed(rows);
  if (before === null || free)
    return { placement: same(before, wanted) ? (before ?? wanted) : wanted, waiting: 0 };
  const shown = new Set([...before.live, ...before.earlier]);
  return { placement: before, waiting: rows.filter((run) => !shown.has(run.run_id)).length };
}

function same(a: Placement | null, b: Placement): boolean {
  return a !== null && equal(a.live, b.live) && equal(a.earlier, b.earlier);
}

function equal(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each, i) => each === b[i]);
}
