/** How long a run still takes: a median with its P10 to P90, from the epochs (or rounds) it has finished. */

import type { RunState } from "./state";
import { seconds } from "./times";
import { progressOf } from "./wording";

/** It changes at most every five seconds. */
const LEFT_STEP_S = 5;

/** "About 39 min left (36 to 47)."; before the first epoch or round has ended it says so. */
export function timeLeft(state: RunState, at: number): string {
  const { unit, at: current, total } = progressOf(state);
  if (!total || !current) return "";
  const durations = finishedDurations(state);
  if (durations.length === 0) return `Time left after the first ${unit}.`;
  const began = seconds(state.spans.find((span) => span.number === current)?.opened);
  const isDone = unit === "round" && state.aggregated_round >= current;
  const elapsed =
    isDone || began === null ? 0 : Math.max(0, Math.floor(at / LEFT_STEP_S) * LEFT_STEP_S - began);
  const remaining = total - current + (isDone ? 0 : 1);
  const [low, middle, high] = [0.1, 0.5, 0.9].map((part) => leftMinutes(durations, part, remaining, elapsed));
  if (middle === 0) return "Less than a minute left.";
  return low === high ? `About ${middle} min left.` : `About ${middle} min left (${low} to ${high}).`;
}

function leftMinutes(durations: readonly number[], part: number, remaining: number, elapsed: number): number {
  const one = quantile(durations, part);
  return Math.floor(Math.max(0, one * remaining - Math.min(elapsed, one)) / 60 + 0.5);
}

/** Seconds that each finished epoch (or round) took, from its beginning to the next one's where that is known. */
function finishedDurations(state: RunState): readonly number[] {
  const spans = new Map(state.spans.map((span) => [span.number, span]));
  const { at: current } = progressOf(state);
  const found: number[] = [];
  for (const span of state.spans) {
    const finished = span.number < current || state.aggregated_round >= span.number;
    const began = seconds(span.opened);
    const closed = state.led ? span.closed : (span.closed ?? span.sent);
    const done = seconds(spans.get(span.number + 1)?.opened) || seconds(closed);
    if (finished && began !== null && done !== null) found.push(Math.max(0, done - began));
  }
  return found;
}

/** Linear between the two nearest of the sorted values. */
function quantile(values: readonly number[], part: number): number {
  const ordered = [...values].sort((a, b) => a - b);
  const place = part * (ordered.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, ordered.length - 1);
  const low = ordered[below] ?? 0;
  return low + ((ordered[above] ?? 0) - low) * (place - below);
}
