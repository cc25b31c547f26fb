/** One segment for each epoch (or round), filled as far as it has come. */

import type { RunModel } from "../client/model";
import { count } from "../client/numbers";
import { bestEpoch, imagesPerSecond } from "./figures";
import { padded } from "./steadyText";
import { isOpen, openShare } from "./xaxis";

export interface Rail {
  left: string;
  right: string;
  /** From 0 to 1 for each segment; empty where the total is not known. */
  segments: readonly number[];
  /** The segment at whose end the small triangle stands, from 1; `null` before the first best. */
  best: number | null;
}

/** Beyond this many epochs a segment would be thinner than its gap: the rail is one bar then. */
export const MANY = 120;

export function epochRail(model: RunModel): Rail {
  const total = model.totalEpochs;
  const done = model.epochs
    .filter((epoch) => epoch.val !== null || epoch.train !== null)
    .map((epoch) => epoch.epoch);
  const open = isOpen(model) ? model.epoch : 0;
  const share = openShare(model);
  const segments = Array.from({ length: total && total >= model.epoch ? total : 0 }, (_, i) => {
    if (i + 1 === open) return share;
    return done.includes(i + 1) || i + 1 < model.epoch ? 1 : 0;
  });
  const ended = model.end !== null;
  const reached = Math.max(model.epoch, done[done.length - 1] ?? 0);
  let left = reached === 0 ? "not begun" : `Epoch ${reached}`;
  if (total) left = ended ? `${done.length} of ${total} epochs` : `Epoch ${reached} of ${total}`;
  return { left, right: rightWords(model), segments, best: bestEpoch(model) };
}

function rightWords(model: RunModel): string {
  if (model.end) return bestEpoch(model) === null ? "" : "best epoch marked";
  const { step } = model;
  if (!step || step.epoch !== model.epoch) return "";
  const speed = imagesPerSecond(model);
  const whole = step.totalSteps === null ? null : count(step.totalSteps);
  const at = padded(count(step.step), whole?.length ?? 4);
  const where = whole === null ? `step ${at}` : `step ${at} of ${whole}`;
  return `${where}, ${speed === null ? "–" : count(Math.round(speed))} images/s`;
}
