/** Which columns of a long board are drawn: those in sight, and a few on either side. */

/** Up to this many rounds all are drawn. */
const ALL = 60;
const BESIDE = 8;

export interface Window {
  from: number;
  /** Past the last. */
  to: number;
}

/** Of rows that scroll, those in sight and a few on either side. */
export function rowsInSight(count: number, height: number, scrolled: number, visible: number): Window {
  const from = Math.min(Math.max(0, count - 1), Math.max(0, Math.floor(scrolled / height) - BESIDE));
  return { from, to: Math.min(count, Math.ceil((scrolled + visible) / height) + BESIDE) };
}

export function columnsInSight(count: number, width: number, scrolled: number, visible: number): Window {
  if (count <= ALL) return { from: 0, to: count };
  const from = Math.max(0, Math.floor(scrolled / width) - BESIDE);
  const to = Math.min(count, Math.ceil((scrolled + visible) / width) + BESIDE);
  return { from, to: Math.max(to, Math.min(count, from + 1)) };
}
