/** Reads `GET /api/runs/{run_id}/series`: the steps of each client and phase as columns. */

import { draftOf, publish } from "./draft";
import { addSteps, isStepPhase, type StepRow } from "./fold.steps";
import type { RunModel } from "./model";
import { integer, list, millis, number, record, text } from "./reading";

/** As it came; nothing in it is trusted. */
export type SeriesAnswer = unknown;

/** The model with the steps of an answer; rows that are there already change nothing. */
export function foldSeries(model: RunModel, answer: SeriesAnswer): RunModel {
  const draft = draftOf(model);
  for (const each of list(record(answer).steps)) {
    const columns = record(each);
    const phase = text(columns.phase) ?? "train";
    if (!isStepPhase(phase)) continue;
    // A client of several processes is told by rounds and steps; here what came first stands first.
    const rows = rowsOf(columns).sort((a, b) => a.row - b.row);
    addSteps(draft, text(columns.client_id), phase, rows, integer(columns.thinned) ?? 0);
  }
  return publish(draft);
}

function rowsOf(columns: Readonly<Record<string, unknown>>): StepRow[] {
  const column = (name: string): readonly unknown[] => list(columns[name]);
  const attempt = column("attempt");
  const epoch = column("epoch");
  const round = column("round");
  const step = column("step");
  const total = column("total_steps");
  const time = column("timestamp");
  const metrics = Object.entries(record(columns.metrics)).map(
    ([name, values]) => [name, list(values)] as const,
  );
  return column("row").flatMap((value, i) => {
    const row = integer(value);
    if (row === null) return [];
    return [
      {
        row,
        attempt: integer(attempt[i]) ?? 1,
        epoch: integer(epoch[i]),
        round: integer(round[i]),
        step: integer(step[i]),
        totalSteps: integer(total[i]),
        at: millis(time[i]) ?? 0,
        metrics: Object.fromEntries(metrics.map(([name, values]) => [name, number(values[i])])),
      },
    ];
  });
}
