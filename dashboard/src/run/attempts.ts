/** The attempts of a run in words, and which superseded tails are shown: that stands in the URL. */

import { useSearchParams } from "wouter";
import { type Tail, tailsOf } from "../client/attempts";
import type { RunModel } from "../client/model";
import { clockTime, durationWords } from "./time";

export interface AttemptRow {
  attempt: number;
  /** "the start", "epoch 5" */
  from: string;
  /** "epoch 7, kept to 5" */
  reached: string;
  /** "failed 10:31:02, after 2 min" */
  ended: string;
  now: boolean;
}

/** A line for each attempt, newest first. */
export function attemptRows(model: RunModel): AttemptRow[] {
  const unit = model.federated ? "round" : "epoch";
  return model.attempts
    .map((each): AttemptRow => {
      const now = each.attempt === model.state.attempt;
      let reached = each.reached === 0 ? "nothing" : `${unit} ${each.reached}`;
      if (!now && each.kept < each.reached) {
        reached += each.kept === 0 ? ", none kept" : `, kept to ${each.kept}`;
      }
      return {
        attempt: each.attempt,
        from: each.from === 0 ? "the start" : `${unit} ${each.from}`,
        reached,
        ended: endedWords(each, now && model.end === null),
        now,
      };
    })
    .reverse();
}

function endedWords(
  each: { how: string | null; started: number | null; ended: number | null },
  running: boolean,
): string {
  if (running) return "goes on";
  if (each.ended === null) return "nobody said";
  const how = each.how === "cancelled" ? "stopped" : (each.how ?? "ended");
  const took = each.started === null ? "" : `, after ${durationWords(each.ended - each.started)}`;
  return `${how} ${clockTime(each.ended)}${took}`;
}

/** The tails that are shown, and what turns one on or off. */
export function useTails(model: RunModel): {
  all: readonly Tail[];
  shown: readonly Tail[];
  toggle: (tail: Tail) => void;
} {
  const [params, setParams] = useSearchParams();
  const all = tailsOf(model);
  const told = new Set((params.get("attempts") ?? "").split(","));
  const shown = all.filter((tail) => told.has(String(tail.attempt)));
  const toggle = (tail: Tail) => {
    const on = shown.map((each) => each.attempt);
    const next = on.includes(tail.attempt)
      ? on.filter((each) => each !== tail.attempt)
      : [...on, tail.attempt].sort((a, b) => a - b);
    setParams(
      (before) => {
        const after = new URLSearchParams(before);
        if (next.length === 0) after.delete("attempts");
        else after.set("attempts", next.join(","));
        return after;
      },
      { replace: true },
    );
  };
  return { all, shown, toggle };
}
