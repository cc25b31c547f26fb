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

/** A short duration with its tenths: `1.0 s`. */
export function gapWords(gap: number): string {
  return gap < 10 ? `${(Math.floor(gap * 10 + 0.5) / 10).toFixed(1)} s` : durationWords(gap);
}

const NAMED_AT_MOST = 4;

/** `a`, `a and b`, `a, b and c`; of many the first few and how many more. */
export function listed(names: readonly string[]): string {
  const some =
    names.length > NAMED_AT_MOST
      ? [...names.slice(0, NAMED_AT_MOST - 1), `${names.length - NAMED_AT_MOST + 1} more`]
      : names;
  const last = some.at(-1) ?? "";
  return some.length > 1 ? `${some.slice(0, -1).join(", ")} and ${last}` : last;
}

const NAMES: Readonly<Record<string, string>> = { auroc: "AUROC", f1: "F1" };
const SPLITS: Readonly<Record<string, string>> = { val: "validation", train: "training", test: "test" };

/** "validation AUROC" for `val_auroc`. */
export function metricWords(name: string): string {
  const [split = "", ...more] = name.split("_");
  const rest = more.join("_");
  const words = SPLITS[split];
  return words === undefined || rest === "" ? name : `${words} ${NAMES[rest] ?? rest.replaceAll("_", " ")}`;
}

/** Three decimals, and a real minus sign. */
export function rate(value: number): string {
  return value.toFixed(3).replace("-", "\u2212");
}

/** A sentence without its stop; of nothing, that nothing was said. */
export function bare(sentence: string | null): string {
  return (sentence ?? "").trim().replace(/\.+$/, "") || "it did not say why";
}

/** At most so many letters, and a sign that there were more. */
export function shortened(line: string, most: number): string {
  const letters = [...line];
  return letters.length <= most ? line : `${letters.slice(0, most).join("").trimEnd()}…`;
}

/** Why somebody fell, without whose process it was: `killed by signal 9 (SIGKILL)`. */
export function shortCause(sentence: string): string {
  return sentence.replace(/^Its process \([^()]*\) (?:was )?/, "");
}

/** A cause as part of another sentence: without brackets in brackets. */
export function withinBrackets(sentence: string): string {
  return shortCause(sentence).replaceAll(/ \(([^()]*)\)/g, ", $1");
}

export function capital(line: string): string {
  return line.slice(0, 1).toUpperCase() + line.slice(1);
}

/** Sentences in a row, without those that are empty. */
export function joined(...sentences: readonly string[]): string {
  return sentences.filter((sentence) => sentence !== "").join(" ");
}
