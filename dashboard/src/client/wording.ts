/** The small words that sentences and tables share. */

import type { RunState } from "./state";

export function isFederated(state: RunState): boolean {
  return state.mode === "federated" || state.clients.length > 0;
}

export interface Progress {
  readonly unit: "round" | "epoch";
  readonly at: number;
  readonly total: number | null;
}

/** What the run counts, where it is, and how many there will be. */
export function progressOf(state: RunState): Progress {
  return isFederated(state)
    ? { unit: "round", at: state.round, total: state.total_rounds }
    : { unit: "epoch", at: state.epoch, total: state.total_epochs };
}

/** How many hospitals take part: as many as were announced, or have been heard. */
export function expected(state: Pick<RunState, "num_clients" | "clients">): number {
  return Math.max(state.num_clients ?? 0, state.clients.length);
}

/** A duration as people say it: `48 s`, `1 min 40 s`, `2 h 5 min`. */
export function durationWords(durationS: number): string {
  const total = Math.floor(Math.max(0, durationS));
  if (total < 60) return `${total} s`;
  if (total < 3600) {
    const rest = total % 60;
    return rest ? `${Math.floor(total / 60)} min ${rest} s` : `${total / 60} min`;
  }
  const minutes = Math.floor(total / 60);
  const rest = minutes % 60;
  return rest ? `${Math.floor(minutes / 60)} h ${rest} min` : `${minutes / 60} h`;
}

export function ofTotal(unit: string, at: number, total: number | null): string {
  return total ? `${unit} ${at} of ${total}` : `${unit} ${at}`;
}

export function countOf(many: number, unit: string): string {
  return many === 1 ? `${many} ${unit}` : `${many} ${unit}s`;
}

/** The middle one of the values; of an even count the mean of the middle two. */
export function median(values: readonly number[]): number {
  const ordered = [...values].sort((a, b) => a - b);
  const half = Math.floor(ordered.length / 2);
  const upper = ordered[half] ?? 0;
  return ordered.length % 2 === 1 ? upper : ((ordered[half - 1] ?? 0) + upper) / 2;
}
