/** What the question says from where a run shall go on. In words, as values. */

import type { Checkpoints } from "../client/api";

/** What becomes of the run, and of what came after the point. */
export function goOnWords(found: Checkpoints, attempt: number): string {
  const unit = found.unit;
  return `It goes on in this run, as attempt ${attempt + 1}. What was logged of later ${unit}s is superseded: kept, and no part of the curve any more.`;
}

/** "Epoch 7, the newest", "Epoch 5: 2 epochs are done again". */
export function pointWords(found: Checkpoints, point: number, newest: boolean): string {
  const name = `${found.unit === "round" ? "Round" : "Epoch"} ${point}`;
  const total = found.total === null ? "" : ` of ${found.total}`;
  return newest ? `${name}${total}, the newest` : name;
}

export function beginningWords(found: Checkpoints): string {
  return found.points.length === 0 ? "The very beginning: no checkpoint was kept" : "The very beginning";
}
