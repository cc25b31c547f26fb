/** When somebody waited because somebody asked for it; the server's rules are in `hub/waits.py`. */

import { seconds } from "./times";

/** Times at which somebody began to wait (`false`) or went on (`true`), oldest first. */
export type Waits = readonly (readonly [string, boolean])[];

const KEPT = 40;

/** The same with one more; the newest are kept, in whatever order they came. */
export function withWait(waits: Waits, time: string, goesOn: boolean): Waits {
  if (seconds(time) === null || waits.some(([at, on]) => at === time && on === goesOn)) return waits;
  const all = [...waits, [time, goesOn] as const];
  return all
    .sort((a, b) => (seconds(a[0]) ?? 0) - (seconds(b[0]) ?? 0) || Number(a[1]) - Number(b[1]))
    .slice(-KEPT);
}

/** How many seconds between two times were waited; a wait that nobody ended counts for nothing. */
export function waitedS(waits: Waits, sinceS: number, untilS: number): number {
  let total = 0;
  waits.forEach(([began, isEnd], place) => {
    const next = waits[place + 1];
    if (isEnd || next === undefined || !next[1]) return;
    const overlap = Math.min(untilS, seconds(next[0]) ?? 0) - Math.max(sinceS, seconds(began) ?? 0);
    total += Math.max(0, overlap);
  });
  return total;
}
