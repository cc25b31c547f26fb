/** What this browser tells of runs: pure functions of what was known before and is known now. */

import type { Event } from "../app/preferences";
import type { AlertLine } from "../client/api";
import type { RunState } from "../client/state";

export interface News {
  /** Of the same run and event only the newest stays on the screen. */
  readonly tag: string;
  readonly title: string;
  readonly body: string;
  readonly runId: string;
}

type Happened = Exclude<Event, "rules">;

/** What has become of a run, in the words of the rules; `null` while nothing has. */
export function eventOf(run: Pick<RunState, "status" | "condition">): Happened | null {
  if (run.status === "completed") return "finished";
  if (run.status === "failed") return "failed";
  return run.status === "lost" || run.condition === "lost_contact" ? "stalled" : null;
}

const WORDS: Readonly<Record<Happened, string>> = {
  finished: "finished",
  failed: "failed",
  stalled: "has stalled",
};

/**
 * What is news since the last look.
 *
 * A run that is seen for the first time is none, however it stands: whoever opens the page sees it there.
 */
export function newsOf(
  before: ReadonlyMap<string, Happened | null>,
  runs: readonly RunState[],
  wanted: readonly Event[],
): readonly News[] {
  return runs.flatMap((run) => {
    const event = eventOf(run);
    const known = before.get(run.run_id);
    if (event === null || known === undefined || known === event || !wanted.includes(event)) return [];
    const name = run.name || run.experiment_name || run.run_id;
    const body = [run.sentence, run.detail_sentence, `Rule: ${event} (this browser's)`];
    return [
      {
        tag: `${run.run_id} ${event}`,
        title: `${name} ${WORDS[event]}`,
        body: body.filter(Boolean).join("\n"),
        runId: run.run_id,
      },
    ];
  });
}

/** What rules of the server have told: only lines that were crossed, the rest this browser sees by itself. */
export function newsOfRules(lines: readonly AlertLine[]): readonly News[] {
  return lines
    .filter((line) => line.rule !== null && /[<>]/.test(line.rule))
    .map((line) => ({
      tag: `${line.run_id} ${line.rule}`,
      title: `${line.run_name || line.experiment_name || line.run_id}: ${line.title}`,
      body: `${line.text}\nRule: ${line.rule}`,
      runId: line.run_id,
    }));
}
