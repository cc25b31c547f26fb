/** Times of messages: text compared as instants; what is no time is never before anything. */

/** The last times that were read: a message is compared with the same few again and again. */
const read = new Map<string, number | null>();
const KEPT = 4096;

/** Seconds since 1970 of an ISO 8601 time (UTC where it names no zone); `null` for what is no time. */
export function seconds(timestamp: string | null | undefined): number | null {
  if (!timestamp) return null;
  const known = read.get(timestamp);
  if (known !== undefined) return known;
  if (read.size >= KEPT) read.clear();
  const found = parsed(timestamp);
  read.set(timestamp, found);
  return found;
}

function parsed(timestamp: string): number | null {
  const zoned = /(?:[zZ]|[+-]\d{2}:?\d{2})$/.test(timestamp) ? timestamp : `${timestamp}Z`;
  const ms = Date.parse(zoned);
  if (Number.isNaN(ms)) return null;
  // Date knows milliseconds only; a writer's microseconds decide which of two messages was later.
  const micro = /\.\d{3}(\d{3})/.exec(timestamp)?.[1];
  return ms / 1000 + (micro === undefined ? 0 : Number(micro) / 1e6);
}

export function before(one: string | null | undefined, other: string | null | undefined): boolean {
  const first = seconds(one);
  const second = seconds(other);
  return first !== null && second !== null && first < second;
}

export function later(one: string | null, other: string | null): string | null {
  if (!one || seconds(one) === null) return other || one;
  return before(one, other) ? other : one;
}

export function earlier(one: string | null, other: string | null): string | null {
  if (!one || seconds(one) === null) return other || one;
  return before(other, one) ? other : one;
}
