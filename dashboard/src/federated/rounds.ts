/** What is usual for a hospital, and what a round waits for. Pure arithmetic on times in milliseconds. */

import type { ClientRound, Round, RunModel } from "../client/model";
import { median } from "../run/time";

/**
 * Its own median of up to five finished rounds before `round`; `null` before two.
 *
 * @param index The place of `round` among the rounds, where it is known: the search goes back from there.
 */
export function usualDuration(
  model: RunModel,
  clientId: string,
  round: number,
  index = model.rounds.length,
): number | null {
  const durations: number[] = [];
  for (let i = Math.min(index, model.rounds.length) - 1; i >= 0 && durations.length < 5; i--) {
    const each = model.rounds[i];
    if (!each || each.round >= round) continue;
    const cell = each.clients[clientId];
    if (cell && cell.sent !== null && cell.duration !== null) durations.push(cell.duration);
  }
  return durations.length < 2 ? null : median(durations);
}

/** By how much `elapsed` is beyond the usual, once that is more than 10 s and 10 %; else 0. */
export function lateBy(elapsed: number, usual: number | null): number {
  if (usual === null) return 0;
  const over = elapsed - usual;
  return over > Math.max(10_000, 0.1 * usual) ? over : 0;
}

/** Whether the round still waits for somebody, or for its aggregate. */
export function isOpenRound(model: RunModel, round: Round | undefined): boolean {
  return (
    round !== undefined && round.round === model.round && round.aggregated === null && model.end === null
  );
}

/** The round that is open now, or nothing between two rounds and after the end. */
export function openRound(model: RunModel): Round | null {
  const round = model.rounds.findLast((each) => each.round === model.round);
  return round && isOpenRound(model, round) ? round : null;
}

/** When a round began and ended; the end is `null` while it is open. */
export function spanOf(model: RunModel, i: number): { from: number; to: number | null } | null {
  const round = model.rounds[i];
  if (!round) return null;
  const cells = Object.values(round.clients);
  const from = round.started ?? Math.min(...cells.map((cell) => cell.started ?? cell.firstHeard));
  if (!Number.isFinite(from)) return null;
  if (round.aggregated) return { from, to: round.aggregated.at };
  if (isOpenRound(model, round)) return { from, to: null };
  const last = Math.max(from, ...cells.map((cell) => cell.failed?.at ?? cell.sent ?? cell.lastHeard));
  // Where only clients log nobody says when a round closed: it lasted until its last word.
  return { from, to: last };
}

/** How many hospitals the run counts on. */
export function hospitalCount(model: RunModel): number {
  return Math.max(model.expectedClients ?? 0, model.clients.length);
}

/** Done local epochs and the share of the one that is going on, from 0 to the whole number of them. */
export function localProgress(cell: ClientRound | undefined, whole: number): number {
  if (!cell) return 0;
  if (cell.sent !== null) return whole;
  const done = cell.localEpochs[cell.localEpochs.length - 1]?.localEpoch ?? 0;
  const { step } = cell;
  const share = step?.totalSteps && (step.epoch ?? 0) > done ? Math.min(1, step.step / step.totalSteps) : 0;
  return Math.min(whole, done + share);
}

/** The local epochs of a round: what the settings say, else the most anybody has done. */
export function localEpochsOf(model: RunModel): number {
  if (model.localEpochs) return model.localEpochs;
  let most = 1;
  for (const round of model.rounds) {
    for (const cell of Object.values(round.clients)) {
      most = Math.max(most, cell.localEpochs[cell.localEpochs.length - 1]?.localEpoch ?? 1);
    }
  }
  return most;
}
