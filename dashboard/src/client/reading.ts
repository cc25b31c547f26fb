/** Reads what came over the line: nothing is trusted to have the type it should have. */

import type { Message, Metrics } from "./model";

export function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

/** A text; empty for what is none. */
export function textOrEmpty(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** A whole number, cut where it is not whole, as the server reads one. */
export function whole(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) && Math.abs(value) < 1e15
    ? Math.trunc(value)
    : null;
}

export function number(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

export function integer(value: unknown): number | null {
  return typeof value === "number" && Number.isInteger(value) ? value : null;
}

export function flag(value: unknown): boolean | null {
  return typeof value === "boolean" ? value : null;
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The names in a list, without what is none; `null` for what is no list. */
export function namesOf(value: unknown): readonly string[] | null {
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : null;
}

export function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}

/** The numbers among the metrics; what is none (a NaN on its way, a word) is a gap. */
export function metricsOf(value: unknown): Metrics {
  return Object.fromEntries(Object.entries(record(value)).map(([name, each]) => [name, number(each)]));
}

/** Milliseconds of an ISO 8601 time, or `null`. */
export function millis(value: unknown): number | null {
  const ms = typeof value === "string" ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? null : ms;
}

/** When a message was written; 0 where it does not say. */
export function timeOf(message: Message): number {
  return millis(message.timestamp) ?? 0;
}

/** In which order names stand: `hospital_2` before `hospital_10` (`hub/fields.py`). */
export function byName(one: string, other: string): number {
  const [ours, theirs] = [one.split(/([0-9]+)/), other.split(/([0-9]+)/)];
  for (const [i, part] of ours.entries()) {
    const their = theirs[i];
    if (their === undefined) return 1;
    const [a, b] = i % 2 === 0 ? [part, their] : [part.replace(/^0+/, ""), their.replace(/^0+/, "")];
    if (i % 2 === 1 && a.length !== b.length) return a.length - b.length;
    if (a !== b) return a < b ? -1 : 1;
  }
  if (ours.length < theirs.length) return -1;
  return one < other ? -1 : one > other ? 1 : 0;
}
