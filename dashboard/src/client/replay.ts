/**
 * A run played from its log: what the page showed, or would have shown, after each of its messages.
 *
 * The same fold as live, over the same messages in the same order; steps are put where their times say. Snapshots
 * on the way make that going back costs a few messages, not all of them. Pure: no clock, no timer, no request.
 */

import type { RunOpening } from "./api";
import { fold } from "./fold";
import { emptyModel, type Message, type RunModel } from "./model";
import { integer, list, millis, record, text } from "./reading";

export interface Frame {
  readonly message: Message;
  /** Milliseconds since 1970; never before the frame before, though a writer's clock may have been set back. */
  readonly at: number;
  /** Where it lies on the player's own axis, in milliseconds from the first: long silences are cut short. */
  readonly place: number;
}

export interface Recording {
  readonly runId: string;
  readonly frames: readonly Frame[];
  /** The place of the last frame. */
  readonly length: number;
}

/** A silence longer than this is played as this long. */
const LONGEST_SILENCE_MS = 60_000;
/** Each message has a place of its own, though several are said in one millisecond. */
const LEAST_STEP_MS = 1;

/** @param steps More columns than the opening has, as `series` gives them: those of clients. */
export function recordingOf(
  opening: Pick<RunOpening, "messages" | "steps"> & { readonly state: { readonly run_id: string } },
  steps: unknown = null,
): Recording {
  const runId = opening.state.run_id;
  const columns = steps === null ? opening.steps : list(record(steps).steps);
  const lifecycle = opening.messages.filter((each) => each.type !== "step");
  return { runId, ...placed(merged(lifecycle, stepsOf(runId, columns))) };
}

function placed(messages: readonly { message: Message; at: number }[]): Omit<Recording, "runId"> {
  const frames: Frame[] = [];
  let length = 0;
  for (const { message, at } of messages) {
    const last = frames.at(-1);
    length += last === undefined ? 0 : Math.min(Math.max(at - last.at, LEAST_STEP_MS), LONGEST_SILENCE_MS);
    frames.push({ message, at, place: length });
  }
  return { frames, length };
}

/**
 * Both in one order: lifecycle messages as in the log, a step where its time says, but never across a message of the
 * same client: between writers the order is that of commit, which is not that of their clocks.
 */
function merged(
  lifecycle: readonly Message[],
  steps: readonly Message[],
): { message: Message; at: number }[] {
  const times = runningMax(lifecycle);
  const places = new Map<string, { readonly index: number[]; readonly times: readonly number[] }>();
  for (const clientId of new Set(steps.map(clientOf))) {
    const index = lifecycle.flatMap((each, i) => (clientOf(each) === clientId ? [i] : []));
    places.set(clientId, { index, times: runningMax(index.map((i) => lifecycle[i] as Message)) });
  }
  const slots = steps.map((step) => {
    const time = millis(step.timestamp) ?? 0;
    const own = places.get(clientOf(step));
    const before = countUpTo(own?.times ?? [], (each) => each <= time);
    const first = before === 0 ? 0 : (own?.index[before - 1] ?? 0) + 1;
    const last = own?.index[before] ?? lifecycle.length;
    return Math.min(
      last,
      Math.max(
        first,
        countUpTo(times, (each) => each <= time),
      ),
    );
  });
  const order = steps.map((_, i) => i).sort((a, b) => (slots[a] ?? 0) - (slots[b] ?? 0) || a - b);
  const all: Message[] = [];
  let next = 0;
  for (let slot = 0; slot <= lifecycle.length; slot++) {
    for (; next < order.length && slots[order[next] as number] === slot; next++)
      all.push(steps[order[next] as number] as Message);
    if (slot < lifecycle.length) all.push(lifecycle[slot] as Message);
  }
  const at = runningMax(all);
  return all.map((message, i) => ({ message, at: at[i] ?? 0 }));
}

function clientOf(message: Message): string {
  return message.client_id ?? "";
}

function runningMax(messages: readonly Message[]): number[] {
  let now = 0;
  return messages.map((message) => {
    now = Math.max(now, millis(message.timestamp) ?? 0);
    return now;
  });
}

/** The columns of `series` as the messages they were. */
function stepsOf(runId: string, columns: readonly unknown[]): Message[] {
  const messages = columns.flatMap((each) => {
    const series = record(each);
    const column = (name: string): readonly unknown[] => list(series[name]);
    const metrics = Object.entries(record(series.metrics)).map(
      ([name, values]) => [name, list(values)] as const,
    );
    const clientId = text(series.client_id);
    return column("row").flatMap((row, i): Message[] => {
      const timestamp = text(column("timestamp")[i]);
      if (timestamp === null) return [];
      return [
        {
          type: "step",
          run_id: runId,
          timestamp,
          ...(integer(row) === null ? {} : { row: row as number }),
          ...(clientId === null ? {} : { client_id: clientId }),
          phase: series.phase ?? "train",
          attempt: column("attempt")[i] ?? 1,
          epoch: column("epoch")[i] ?? null,
          round: column("round")[i] ?? null,
          step: column("step")[i] ?? null,
          total_steps: column("total_steps")[i] ?? null,
          metrics: Object.fromEntries(metrics.map(([name, values]) => [name, values[i] ?? null])),
        },
      ];
    });
  });
  return messages.sort(
    (a, b) => (millis(a.timestamp) ?? 0) - (millis(b.timestamp) ?? 0) || (a.row ?? 0) - (b.row ?? 0),
  );
}

/** How many snapshots are kept of a run, whatever its length. */
const SNAPSHOTS = 64;

export class Replay {
  private readonly every: number;
  /** The model after `n × every` frames, where somebody has been there. */
  private readonly snapshots = new Map<number, RunModel>();
  private current: { readonly count: number; readonly model: RunModel };

  constructor(readonly recording: Recording) {
    this.every = Math.max(16, Math.ceil(recording.frames.length / SNAPSHOTS));
    this.current = { count: 0, model: emptyModel(recording.runId) };
    this.snapshots.set(0, this.current.model);
  }

  /** The model after the first `count` frames. */
  modelAfter(count: number): RunModel {
    const { frames } = this.recording;
    const wanted = Math.min(Math.max(0, Math.trunc(count)), frames.length);
    let { count: at, model } = this.nearest(wanted);
    while (at < wanted) {
      const until = Math.min(wanted, (Math.floor(at / this.every) + 1) * this.every);
      model = fold(
        model,
        frames.slice(at, until).map((frame) => frame.message),
      );
      at = until;
      if (at % this.every === 0) this.snapshots.set(at / this.every, model);
    }
    this.current = { count: wanted, model };
    return model;
  }

  /** How many frames lie at or before a place on the player's axis. */
  countAt(place: number): number {
    return countUpTo(this.recording.frames, (frame) => frame.place <= place);
  }

  /** The time of a place: that of the frame before it, and what has gone by since. */
  timeAt(place: number): number {
    const frame = this.recording.frames[Math.max(0, this.countAt(place) - 1)];
    return frame === undefined ? 0 : frame.at + Math.max(0, place - frame.place);
  }

  /** The place that a link names: an offset of the log, or a time (ISO 8601). `null`: it names neither. */
  placeOf(at: string): number | null {
    const { frames } = this.recording;
    const isOffset = /^\d+$/.test(at);
    const time = isOffset ? null : millis(at);
    if (!isOffset && time === null) return null;
    const count = isOffset
      ? frames.findLastIndex((frame) => (frame.message.offset ?? Number.POSITIVE_INFINITY) <= Number(at)) + 1
      : countUpTo(frames, (frame) => frame.at <= (time ?? 0));
    const frame = frames[Math.max(0, count - 1)];
    if (frame === undefined) return 0;
    if (time === null) return frame.place;
    const next = frames[count];
    const last = next === undefined ? this.recording.length : next.place - LEAST_STEP_MS / 2;
    return Math.min(last, frame.place + Math.max(0, time - frame.at));
  }

  /** What a link to a place says: the offset of a message, or the time where a step is the newest. */
  linkTo(place: number): string {
    const frame = this.recording.frames[Math.max(0, this.countAt(place) - 1)];
    if (frame === undefined) return "0";
    return frame.message.offset !== undefined && place === frame.place
      ? String(frame.message.offset)
      : new Date(this.timeAt(place)).toISOString();
  }

  private nearest(wanted: number): { readonly count: number; readonly model: RunModel } {
    let best = this.current.count <= wanted ? this.current : null;
    for (let n = Math.floor(wanted / this.every); n >= 0; n--) {
      const model = this.snapshots.get(n);
      if (model === undefined) continue;
      const count = n * this.every;
      if (best === null || count > best.count) best = { count, model };
      break;
    }
    return best ?? { count: 0, model: emptyModel(this.recording.runId) };
  }
}

/** How many of what is sorted come before the first that is not. */
function countUpTo<Each>(sorted: readonly Each[], isBefore: (each: Each) => boolean): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBefore(sorted[middle] as Each)) low = middle + 1;
    else high = middle;
  }
  return low;
}

export interface Tick {
  readonly place: number;
  readonly number: number;
}

/** Where each epoch, or round, begins. */
export function ticksOf({ frames }: Recording): readonly Tick[] {
  const ticks: Tick[] = [];
  for (const { message, place } of frames) {
    if (message.client_id !== undefined) continue;
    const number =
      message.type === "epoch_start"
        ? integer(message.epoch)
        : message.type === "round_start"
          ? integer(message.round)
          : null;
    if (number !== null) ticks.push({ place, number });
  }
  return ticks;
}

/** What the server alone tells of a run; and how often it was heard, which is a matter of what was merged on the wire. */
const TOLD: ReadonlySet<string> = new Set([
  "hearsCancel",
  "hearsPause",
  "hears_cancel",
  "hears_pause",
  "waits_behind",
  "pid",
  "pace",
  "thinned",
]);

/**
 * 16 hexadecimal digits that are the same for equal models, however they came about.
 *
 * Left out is what the server tells beside the messages, how often a writer was heard, and the columns of clients'
 * steps: a live page has of these what came by while it watched.
 */
export function digestOf(model: RunModel): string {
  const steps = Object.fromEntries(Object.entries(model.steps).filter(([key]) => key.startsWith("/")));
  return fnv(canonical({ ...model, steps }));
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const fields = Object.entries(cutToLength(value))
    .filter(([name, field]) => field !== undefined && !TOLD.has(name))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`).join(",")}}`;
}

/** Columns of steps are shared and may be longer than this model's. */
function cutToLength(value: object): object {
  const { length, row, metrics } = value as Record<string, unknown>;
  if (typeof length !== "number" || !Array.isArray(row)) return value;
  const cut = (column: unknown): unknown => (Array.isArray(column) ? column.slice(0, length) : column);
  return {
    ...Object.fromEntries(Object.entries(value).map(([name, column]) => [name, cut(column)])),
    metrics: Object.fromEntries(Object.entries(record(metrics)).map(([name, column]) => [name, cut(column)])),
  };
}

/** FNV-1a with two offsets, 32 bits each: to compare by, not to protect anything. */
function fnv(text_: string): string {
  let a = 0x811c9dc5;
  let b = 0xcbf29ce4;
  for (let i = 0; i < text_.length; i++) {
    const code = text_.charCodeAt(i);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code ^ (i & 0xff), 0x01000193);
  }
  return [a, b].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
}
