/** Which columns of a long board are drawn: those in sight, and a few on either side. */

/** Up to this many rounds all are drawn. */
const ALL = 60;
const BESIDE = 8;

export interface Window {
  from: number;
  /** Past the last. */
  to: number;
}

export function columnsInSight(count: number, width: number, scrolled: number, visible: number): Window {
  if (count <= ALL) return { from: 0, to: count };
  const from = Math.max(0, Math.floor(scrolled / width) - BESIDE);
  const to = Math.min(count, Math.ceil((scrolled + visible) / width) + BESIDE);
  return { from, to: Math.max(to, Math.min(count, from + 1)) };
}
