/** How long a run still takes, in figures and in words; the server's rules are in `hub/time_left.py`. */

import { ended } from "./fold.state";
import { type Forecast, forecast, type Open, type Seen } from "./forecast";
import type { ClientState, RunState } from "./state";
import { seconds } from "./times";
import { waitedS } from "./waits";
import { isFederated, progressOf } from "./wording";

/** What is left changes at most so often, in seconds. */
const STEP_S = 5;

/** The forecast of a run that is going on, `at` seconds after 1970; `null` where nothing is known, or while it is paused. */
export function timeLeft(state: RunState, at: number): Forecast | null {
  const { at: current, total } = progressOf(state);
  if (ended(state) || state.paused !== null || !total || !current) return null;
  const isOver = isFederated(state) && state.aggregated_round >= current;
  const began = seconds(state.spans.find((span) => span.number === current)?.opened);
  return forecast({
    durations: durations(state, current),
    left: total - current + (isOver ? 0 : 1),
    elapsed: isOver || began === null ? null : atWork(state, began, steady(at)),
    waiting: state.clients
      .filter((client) => isWaitedFor(state, client))
      .map((client) => open(state, client, at)),
    closing: closings(state),
    early: earlyStop(state),
  });
}

/** "About 39 min left (90 % within 47 min)."; before the first epoch or round has ended it says so. */
export function timeLeftWords(state: RunState, left: Forecast | null): string {
  const { unit, at: current, total } = progressOf(state);
  if (left === null) return total && current && !ended(state) ? `Time left after the first ${unit}.` : "";
  const [middle, bound] = [minutes(left.run_p50_s), minutes(left.run_p90_s)];
  const words = middle === 0 ? "Less than a minute left" : `About ${spoken(middle)} left`;
  const bounded = bound > Math.max(middle, 1) ? `${words} (90 % within ${spoken(bound)})` : words;
  const last = lastUnit(state, left);
  return last === null ? `${bounded}.` : `${bounded}, as it may stop early at ${unit} ${last} or so.`;
}

/** The epoch or round at which the run probably stops early; `null` where it probably goes all the way. */
function lastUnit(state: RunState, left: Forecast): number | null {
  const { at: current, total } = progressOf(state);
  if (left.units_p50 === null || !total) return null;
  const last = current + left.units_p50 - (left.unit_p50_s === null ? 0 : 1);
  return last < total ? last : null;
}

function steady(at: number): number {
  return Math.floor(at / STEP_S) * STEP_S;
}

function minutes(durationS: number): number {
  return Math.floor(durationS / 60 + 0.5);
}

function spoken(count: number): string {
  if (count < 120) return `${count} min`;
  const rest = count % 60;
  return rest && count < 600
    ? `${Math.floor(count / 60)} h ${rest} min`
    : `${Math.floor(count / 60 + 0.5)} h`;
}

/** Seconds that each finished epoch (or round) took, from its beginning to the next one's where that is known. */
function durations(state: RunState, current: number): readonly number[] {
  const spans = new Map(state.spans.map((span) => [span.number, span]));
  return state.spans.flatMap((span) => {
    const isFinished = span.number < current || state.aggregated_round >= span.number;
    const began = seconds(span.opened);
    const closed = state.led ? span.closed : (span.closed ?? span.sent);
    const done = seconds(spans.get(span.number + 1)?.opened) || seconds(closed);
    return isFinished && began !== null && done !== null ? [atWork(state, began, done)] : [];
  });
}

/** Seconds from a round's last sender to its aggregate. */
function closings(state: RunState): readonly number[] {
  return state.spans.flatMap((span) => {
    const [sent, closed] = [seconds(span.sent), seconds(span.closed)];
    return sent === null || closed === null ? [] : [atWork(state, sent, closed)];
  });
}

function isWaitedFor(state: RunState, client: ClientState): boolean {
  const done = Math.max(client.sent_round, client.failed_round) >= state.round;
  return client.round >= state.round && state.round > 0 && !done && client.end === null;
}

function open(state: RunState, client: ClientState, at: number): Open {
  const began = seconds(client.began);
  return { durations: client.durations, elapsed: began === null ? 0 : atWork(state, began, steady(at)) };
}

/** Seconds between two times, without those in which the run was paused. */
function atWork(state: RunState, sinceS: number, untilS: number): number {
  return Math.max(0, untilS - sinceS - waitedS(state.waits, sinceS, untilS));
}

function earlyStop(state: RunState): Seen["early"] {
  if (!state.patience) return null;
  const losses = state.spans.flatMap((span) => (span.loss === null ? [] : [span.loss]));
  return losses.length > 0 ? { patience: state.patience, losses } : null;
}
