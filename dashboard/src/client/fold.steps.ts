/**
 * Steps as columns. On the wire the newest step wins, so live rows have jumps; `series` brings what was merged.
 * Columns are append-only and shared between models; only where a row has to go in between are they copied.
 */

import type { Draft } from "./draft";
import { attemptOf } from "./fold.attempts";
import { type Message, type StepPhase, type StepSeries, stepKey } from "./model";
import { integer, metricsOf, text, timeOf } from "./reading";

interface Columns {
  clientId: string | null;
  phase: StepPhase;
  thinned: number;
  row: number[];
  attempt: number[];
  epoch: number[];
  round: (number | null)[];
  step: number[];
  totalSteps: (number | null)[];
  at: number[];
  metrics: Record<string, (number | null)[]>;
}

/** One step, whoever told of it. */
export interface StepRow {
  readonly row: number;
  readonly attempt: number;
  readonly epoch: number | null;
  readonly round: number | null;
  readonly step: number | null;
  readonly totalSteps: number | null;
  readonly at: number;
  readonly metrics: Readonly<Record<string, number | null>>;
}

export function isStepPhase(phase: string): phase is StepPhase {
  return phase === "train" || phase === "val" || phase === "test" || phase === "system";
}

/** Whether a message tells of the machine, and nothing of the training. */
export function isOfMachine(message: Message): boolean {
  return message.type === "step" && message.phase === "system";
}

/** Puts the steps of a batch into the draft's columns. */
export function foldSteps(draft: Draft, batch: readonly Message[]): void {
  for (const message of batch) {
    if (message.type !== "step") continue;
    const row = integer(message.row);
    const phase = text(message.phase) ?? "train";
    if (row === null || !isStepPhase(phase)) continue;
    addSteps(draft, text(message.client_id), phase, [
      {
        row,
        attempt: attemptOf(draft.model.state, "step", message.attempt, message.timestamp),
        epoch: integer(message.epoch),
        round: integer(message.round),
        step: integer(message.step),
        totalSteps: integer(message.total_steps),
        at: timeOf(message),
        metrics: metricsOf(message.metrics),
      },
    ]);
  }
}

/**
 * Adds rows (ascending) to one series; a row that is there already changes nothing.
 *
 * @param thinned Up to which row only some are told, and no others will be.
 */
export function addSteps(
  draft: Draft,
  clientId: string | null,
  phase: StepPhase,
  rows: readonly StepRow[],
  thinned = 0,
): void {
  const key = stepKey(clientId, phase);
  const all = draft.steps();
  let columns = columnsOf(all[key], clientId, phase);
  const last = columns.row.at(-1) ?? 0;
  const between = rows.filter((row) => row.row < last && !has(columns.row, row.row));
  if (between.length > 0) columns = inserted(columns, between);
  for (const row of rows) if (row.row > last) append(columns, row);
  columns.thinned = Math.max(columns.thinned, thinned);
  if (columns.row.length !== (all[key]?.length ?? 0) || columns.thinned !== (all[key]?.thinned ?? 0))
    all[key] = { ...columns, length: columns.row.length };
}

/** Where rows are missing: the newest row before the first jump, for `series?since=`. `null`: none are. */
export function firstGap(series: StepSeries): number | null {
  const settled = settledLength(series);
  if (settled === series.length) return null;
  return settled === 0 ? 0 : (series.row[settled - 1] ?? 0);
}

/** How many rows stand where they will always stand: those before the first jump, behind what is thinned. */
export function settledLength(series: StepSeries): number {
  const { row, length, thinned } = series;
  const first = thinned === 0 ? 0 : Math.min(length, lengthUpTo(row, thinned));
  // Dense from there: the last row is as large as the count, or something is missing.
  let low = first;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (row[middle] === thinned + middle - first + 1) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** How many rows are at most `last`. */
function lengthUpTo(rows: readonly number[], last: number): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((rows[middle] ?? 0) <= last) low = middle + 1;
    else high = middle;
  }
  return low;
}

function columnsOf(series: StepSeries | undefined, clientId: string | null, phase: StepPhase): Columns {
  if (series !== undefined) {
    // The arrays are ours: nobody else writes, and readers stop at the length they were given.
    const { thinned, row, attempt, epoch, round, step, totalSteps, at, metrics } =
      series as unknown as Columns;
    const columns = { clientId, phase, thinned, row, attempt, epoch, round, step, totalSteps, at, metrics };
    // Somebody went on from a later model and now comes back to this one (a replay): what is beyond is not of here.
    return row.length > series.length ? head(columns, series.length) : columns;
  }
  return {
    clientId,
    phase,
    thinned: 0,
    row: [],
    attempt: [],
    epoch: [],
    round: [],
    step: [],
    totalSteps: [],
    at: [],
    metrics: {},
  };
}

function append(columns: Columns, row: StepRow): void {
  const length = columns.row.length;
  columns.row.push(row.row);
  columns.attempt.push(row.attempt);
  columns.epoch.push(row.epoch ?? 0);
  columns.round.push(row.round);
  columns.step.push(row.step ?? 0);
  columns.totalSteps.push(row.totalSteps);
  columns.at.push(row.at);
  for (const name of Object.keys(row.metrics)) {
    if (columns.metrics[name] === undefined) {
      columns.metrics = { ...columns.metrics, [name]: new Array<number | null>(length).fill(null) };
    }
  }
  for (const [name, column] of Object.entries(columns.metrics)) column.push(row.metrics[name] ?? null);
}

/** New columns with rows (ascending, none of them there yet) put where they belong; what lies before is only copied. */
function inserted(columns: Columns, rows: readonly StepRow[]): Columns {
  const first = rows[0]?.row ?? Number.POSITIVE_INFINITY;
  const kept = columns.row.findLastIndex((row) => row < first) + 1;
  const fresh = head(columns, kept);
  let next = 0;
  for (let i = kept; i <= columns.row.length; i++) {
    const before = columns.row[i] ?? Number.POSITIVE_INFINITY;
    for (; next < rows.length && (rows[next]?.row ?? 0) < before; next++)
      append(fresh, rows[next] as StepRow);
    if (i < columns.row.length) append(fresh, rowAt(columns, i));
  }
  return fresh;
}

/** New columns, of the first `length` rows. */
function head(columns: Columns, length: number): Columns {
  return {
    ...columns,
    row: columns.row.slice(0, length),
    attempt: columns.attempt.slice(0, length),
    epoch: columns.epoch.slice(0, length),
    round: columns.round.slice(0, length),
    step: columns.step.slice(0, length),
    totalSteps: columns.totalSteps.slice(0, length),
    at: columns.at.slice(0, length),
    metrics: Object.fromEntries(
      Object.entries(columns.metrics).map(([name, column]) => [name, column.slice(0, length)]),
    ),
  };
}

function rowAt(columns: Columns, i: number): StepRow {
  return {
    row: columns.row[i] ?? 0,
    attempt: columns.attempt[i] ?? 1,
    epoch: columns.epoch[i] ?? null,
    round: columns.round[i] ?? null,
    step: columns.step[i] ?? null,
    totalSteps: columns.totalSteps[i] ?? null,
    at: columns.at[i] ?? 0,
    metrics: Object.fromEntries(
      Object.entries(columns.metrics).map(([name, column]) => [name, column[i] ?? null]),
    ),
  };
}

function has(rows: readonly number[], row: number): boolean {
  let low = 0;
  let high = rows.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const value = rows[middle] ?? 0;
    if (value === row) return true;
    if (value < row) low = middle + 1;
    else high = middle - 1;
  }
  return false;
}
