/** What of a run that was begun more than once is part of its curve, and what is superseded. */

import type { AttemptModel, RunModel, StepSeries } from "./model";

/** What an attempt did that a later one supersedes: epochs, or rounds. */
export interface Tail {
  readonly attempt: number;
  readonly first: number;
  readonly last: number;
  /** The last number before it that is part of the curve: where the run went back to; 0 where nothing is. */
  readonly kept: number;
}

/** The superseded tails of a run, oldest attempt first. */
export function tailsOf(model: RunModel): Tail[] {
  return model.attempts
    .filter((each) => each.attempt !== model.state.attempt && each.reached > each.kept)
    .map(({ attempt, kept, reached }) => ({ attempt, first: kept + 1, last: reached, kept }));
}

/** "attempt 1 · epochs 6–7" */
export function tailWords(model: RunModel, tail: Tail): string {
  const unit = model.federated ? "round" : "epoch";
  const numbers =
    tail.first === tail.last ? `${unit} ${tail.last}` : `${unit}s ${tail.first}\u2013${tail.last}`;
  return `attempt ${tail.attempt} \u00b7 ${numbers}`;
}

/** What an attempt has said; `null` for a run that was begun once. */
export function attemptOfModel(model: RunModel, attempt: number): AttemptModel | null {
  return model.attempts.find((each) => each.attempt === attempt) ?? null;
}

/** Whether what an attempt said of an epoch (or round) is part of the run's curve. */
export function isCurrent(model: RunModel, attempt: number, number_: number): boolean {
  if (model.attempts.length === 0 || attempt === model.state.attempt) return true;
  return number_ <= (attemptOfModel(model, attempt)?.kept ?? 0);
}

/** The attempt whose word on an epoch (or round) stands in the curve. */
export function attemptAt(model: RunModel, number_: number): number {
  const found = model.attempts.findLast(
    (each) => isCurrent(model, each.attempt, number_) && number_ > each.from,
  );
  return found?.attempt ?? model.state.attempt;
}

/** The steps of one attempt that a curve is drawn of: by their places in the series. */
export function stepFilter(model: RunModel, series: StepSeries, tail: Tail | null): (i: number) => boolean {
  if (model.attempts.length === 0) return () => tail === null;
  return (i) => {
    const attempt = series.attempt[i] ?? 1;
    const number_ = series.round[i] ?? series.epoch[i] ?? 0;
    if (tail === null) return isCurrent(model, attempt, number_);
    return attempt === tail.attempt && number_ >= tail.first;
  };
}

/** Seconds of training up to a moment of an attempt. */
export type Ran = (attempt: number, at: number) => number;

/**
 * How long was trained up to a moment of an attempt, in seconds: for what its curve keeps of those before it, and since
 * it began. The time between two attempts, and what is superseded, count for nothing.
 */
export function ranOf(model: RunModel): Ran {
  const begun = new Map<number, { started: number; spent: number }>();
  const ran: Ran = (attempt, at) => {
    const { started, spent } = begun.get(attempt) ?? { started: model.started ?? at, spent: 0 };
    return spent + Math.max(0, (at - started) / 1000);
  };
  for (const each of model.attempts) {
    if (each.started === null) continue;
    const at = keptUntil(model, each);
    const spent = at === null ? 0 : ran(at.attempt, at.at);
    begun.set(each.attempt, { started: each.started, spent });
  }
  return ran;
}

/** When the last epoch (or round) that an attempt goes on from was done, and by which attempt. */
function keptUntil(model: RunModel, own: AttemptModel): { attempt: number; at: number } | null {
  if (own.from <= 0) return null;
  const before = model.attempts.findLast(
    (each) => each.attempt < own.attempt && each.from < own.from && each.reached >= own.from,
  );
  const epoch = before?.epochs.find((each) => each.epoch === own.from);
  const round = before?.rounds.find((each) => each.round === own.from);
  const at = epoch?.val?.at ?? epoch?.train?.at ?? round?.aggregated?.at;
  return before === undefined || at === undefined ? null : { attempt: before.attempt, at };
}
