/** When a trainer counts as silent: no message for ten usual gaps, and at least thirty seconds. */

import type { RunModel } from "../client/model";
import { usualGap } from "./plots";

/** The usual time between two messages, in milliseconds, from the newest steps and events. */
export function usualMessageGap(model: RunModel): number {
  const series = Object.values(model.steps);
  const times = series.flatMap((each) => each.at.slice(Math.max(0, each.length - 50), each.length));
  for (const event of model.events.slice(-20)) times.push(event.at);
  return usualGap(times.sort((a, b) => a - b));
}

/** How long nobody of the run has said anything, when that is long enough to say so; else `null`. */
export function silentFor(model: RunModel, now: number): number | null {
  if (model.end || model.lastHeard === null || model.status === "queued") return null;
  const quiet = now - model.lastHeard;
  return quiet >= Math.max(30_000, 10 * usualMessageGap(model)) ? quiet : null;
}
