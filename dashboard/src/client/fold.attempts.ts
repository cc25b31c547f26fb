/**
 * A run that was begun more than once: what each attempt has measured, and the one curve that they make together;
 * `hub/fold_attempts.py` in TypeScript.
 *
 * An attempt goes on from an epoch (or a round): what the attempts before it said of later ones is superseded, which is
 * kept and no part of the curve any more. Whatever comes late of an earlier attempt is put where it belongs, so that no
 * order between writers matters, and no clock.
 */

import type { KnownMessage } from "./messages.generated";
import type { Said } from "./model";
import { list, number, record, whole } from "./reading";
import { type AttemptState, type BestState, emptyAttempt, type RunState, type Values } from "./state";
import { before, earlier } from "./times";

/** What a sparkline shows: the first of these that the run reports. */
export const KEY_METRICS = ["val_auroc", "val_recall", "val_accuracy", "val_loss"] as const;

/** What one attempt has measured, by epoch (or round): fields that a run and an attempt have in common. */
export type Measured = Pick<
  AttemptState,
  "key_metric" | "key_series" | "metrics" | "metrics_at" | "n" | "rounds_with_failures"
>;

/** Messages about a run as a whole, of none of its attempts. */
const OF_NO_ATTEMPT: ReadonlySet<string> = new Set<KnownMessage["type"]>(["run_queued", "run_edited"]);

const HOW: Readonly<Record<string, AttemptState["how"]>> = {
  training_complete: "completed",
  training_error: "failed",
  training_cancelled: "cancelled",
};

/**
 * Which attempt a message is of: the one it names, else the first.
 *
 * Runs that were written before messages named their attempt go by the clock: a second `run_start` that does not say
 * what it goes on from tells them.
 */
export function attemptOf(state: RunState, type: string, told: unknown, time: string): number {
  const named = whole(told);
  // Only where a server lets an ended run go on is `run_queued` of an attempt: the next one.
  if (OF_NO_ATTEMPT.has(type)) return type === "run_queued" ? (named ?? state.attempt) : state.attempt;
  if (named !== null && named >= 1) return named;
  if (state.attempt === 1) return 1;
  if (ownOf(state).from === null && state.begun !== null && !before(time, state.begun)) return state.attempt;
  const unnamed = state.attempts.filter(
    (each) => each.attempt > 1 && each.attempt < state.attempt && each.started !== null && each.from === null,
  );
  return Math.max(1, ...unnamed.flatMap((each) => (before(time, each.started) ? [] : [each.attempt])));
}

/** The last epoch or round that an attempt keeps of those before it, as `run_start` says; `null`: nobody said. */
export function beginsFrom(message: Said, known: number | null): number | null {
  const told = [whole(message.from_epoch), whole(message.from_round)].flatMap((each) =>
    each === null ? [] : [Math.max(0, each)],
  );
  if (known !== null) told.push(known);
  return told.length === 0 ? null : Math.max(...told);
}

/** The newest attempt of a run, as far as it is known. */
export function ownOf(state: RunState): AttemptState {
  return state.attempts.find((each) => each.attempt === state.attempt) ?? emptyAttempt(state.attempt);
}

/** The state with the newest attempt's own measurements in place of the curve of all: what messages are folded into. */
export function apart(state: RunState): RunState {
  const own = state.attempts.find((each) => each.attempt === state.attempt);
  if (own === undefined) return state;
  const { key_metric, key_series, metrics, metrics_at, n, rounds_with_failures } = own;
  return { ...state, key_metric, key_series, metrics, metrics_at, n, rounds_with_failures };
}

/** The newest attempt as it is kept, of a state that was taken apart. */
export function asAttempt(state: RunState): AttemptState {
  const reached = Math.max(state.epoch, state.round);
  return {
    attempt: state.attempt,
    from: ownOf(state).from,
    reached,
    kept: reached,
    started: state.begun,
    ended: state.end?.time ?? null,
    how: (state.end?.status as AttemptState["how"]) ?? null,
    key_metric: state.key_metric,
    key_series: state.key_series,
    metrics: state.metrics,
    metrics_at: state.metrics_at,
    n: state.n,
    rounds_with_failures: state.rounds_with_failures,
  };
}

/** The state with its newest attempt put into the list of attempts, and the one curve of all put into its fields. */
export function together(state: RunState): RunState {
  if (state.attempt === 1) return state;
  const others = state.attempts.filter((each) => each.attempt !== state.attempt && isKnown(each));
  const newestFirst = [asAttempt(state), ...others.sort((a, b) => b.attempt - a.attempt)];
  const attempts: AttemptState[] = [];
  let series: ReadonlyMap<number, number | null> = new Map();
  const failures = new Set<number>();
  let key: string | null = null;
  let metrics: Values = {};
  let metricsAt: number | null = null;
  let n: number | null = null;
  let cut = Number.POSITIVE_INFINITY;
  for (const each of newestFirst) {
    const kept = each.key_series.filter(([at]) => at <= cut);
    if (kept.length > 0 && key === null) key = each.key_metric;
    if (each.key_metric === key) series = new Map([...kept, ...series]);
    const last = kept.at(-1);
    if (metricsAt === null && each.metrics_at !== null && each.metrics_at <= cut) {
      [metrics, metricsAt, n] = [each.metrics, each.metrics_at, each.n];
    } else if (metricsAt === null && last !== undefined && each.key_metric !== null) {
      // All else that was measured then is superseded by what that attempt measured later.
      [metrics, metricsAt, n] = [{ [each.key_metric]: last[1] }, last[0], each.n];
    }
    for (const round of each.rounds_with_failures) if (round <= cut) failures.add(round);
    attempts.push({ ...each, kept: Math.min(each.reached, cut) });
    cut = Math.min(cut, each.from ?? 0);
  }
  const ordered = [...series].sort(([a], [b]) => a - b);
  return {
    ...state,
    attempts: attempts.reverse(),
    key_metric: key,
    key_series: ordered,
    best: key === null ? null : bestOf(key, ordered),
    metrics,
    metrics_at: metricsAt,
    n: n ?? state.n,
    rounds_with_failures: [...failures].sort((a, b) => a - b),
  };
}

/** The state after a message of an earlier attempt: history, which changes of the newest one only what it keeps. */
export function takeLate(
  state: RunState,
  attempt: number,
  type: string,
  message: Said,
  clientId: string | null,
  time: string,
): RunState {
  const known = state.attempts.find((each) => each.attempt === attempt) ?? emptyAttempt(attempt);
  const after = late(known, type, message, clientId, time);
  return { ...state, attempts: [...state.attempts.filter((each) => each.attempt !== attempt), after] };
}

function late(
  past: AttemptState,
  type: string,
  message: Said,
  clientId: string | null,
  time: string,
): AttemptState {
  if (type === "round_start" || type === "round_end" || type === "round_aggregated") {
    return lateRound(past, type, message);
  }
  if (type === "client_failed") return failedIn(past, whole(message.round) ?? 0);
  if (clientId !== null) return past;
  if (type === "run_start") return lateStart(past, message, time);
  if (type === "epoch_start" || type === "epoch_end" || type === "step") {
    const epoch = whole(message.epoch);
    if (epoch === null) return past;
    const after = { ...past, reached: Math.max(past.reached, epoch) };
    return type === "epoch_end" && message.phase === "val"
      ? { ...after, ...measured(after, record(message.metrics), epoch, null) }
      : after;
  }
  const how = HOW[type];
  // Of two ends the earlier one holds, in whichever order they came.
  if (how === undefined || (past.ended !== null && !before(time, past.ended))) return past;
  return { ...past, ended: time, how };
}

function lateStart(past: AttemptState, message: Said, time: string): AttemptState {
  const from = beginsFrom(message, past.from);
  const validated = record(record(record(message.data).splits).val);
  return {
    ...past,
    started: earlier(past.started, time),
    from,
    reached: past.attempt > 1 ? Math.max(past.reached, from ?? 0) : past.reached,
    n: past.n ?? whole(validated.n),
  };
}

function lateRound(past: AttemptState, type: string, message: Said): AttemptState {
  const round = whole(message.round);
  if (round === null) return past;
  const after = { ...past, reached: Math.max(past.reached, round) };
  if (type !== "round_aggregated") return after;
  const failed = list(message.failed_clients).length > 0 ? failedIn(after, round) : after;
  const metrics = record(message.metrics);
  return { ...failed, ...measured(failed, metrics, round, whole(metrics.num_samples)) };
}

function failedIn(past: AttemptState, round: number): AttemptState {
  if (round === 0) return past;
  return {
    ...past,
    rounds_with_failures: [...new Set([...past.rounds_with_failures, round])].sort((a, b) => a - b),
  };
}

function isKnown(past: AttemptState): boolean {
  return (
    past.started !== null ||
    past.reached > 0 ||
    past.ended !== null ||
    past.key_series.length > 0 ||
    past.rounds_with_failures.length > 0
  );
}

/** Newer validation metrics, or an older epoch's that came late. */
export function measured<Of extends Measured>(of: Of, metrics: Values, at: number, n: number | null): Of {
  let after = of;
  if (of.metrics_at === null || at >= of.metrics_at) {
    after = { ...after, metrics, metrics_at: at, n: n ?? of.n };
  }
  const key = of.key_metric ?? KEY_METRICS.find((name) => number(metrics[name]) !== null) ?? null;
  if (key === null || !(key in metrics)) return after;
  const series = new Map(of.key_series);
  series.set(at, number(metrics[key]));
  return { ...after, key_metric: key, key_series: [...series].sort(([a], [b]) => a - b) };
}

/** Of two equal values the earlier epoch is the best one. */
export function bestOf(
  metric: string,
  series: readonly (readonly [number, number | null])[],
): BestState | null {
  const less = metric.endsWith("loss");
  let best: BestState | null = null;
  for (const [at, value] of series) {
    if (value === null) continue;
    if (best === null || (less ? value < best.value : value > best.value)) best = { metric, value, at };
  }
  return best;
}
