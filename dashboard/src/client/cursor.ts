/** Where a viewer is in the server's log: an offset within a log that has a name. */

import type { Message } from "./model";

export interface Cursor {
  /** `null`: taken at its word by the server (a first visit). */
  readonly logId: string | null;
  /** Everything up to here has been received. `null`: no cursor, the present state comes first. */
  readonly offset: number | null;
}

export interface Subscribed {
  readonly logId: string;
  readonly top: number;
  readonly recovered: boolean;
}

/** The control frame that opens every answer, or `null` if this is a message. */
export function asSubscribed(frame: Readonly<Record<string, unknown>>): Subscribed | null {
  if (frame.type !== "subscribed") return null;
  return {
    logId: String(frame.log_id ?? ""),
    top: typeof frame.top === "number" ? frame.top : 0,
    recovered: frame.recovered !== false,
  };
}

/** The query that resumes from a cursor. */
export function cursorQuery(cursor: Cursor): Record<string, string> {
  if (cursor.offset === null) return {};
  return cursor.logId === null
    ? { after: String(cursor.offset) }
    : { after: String(cursor.offset), log_id: cursor.logId };
}

/**
 * What a batch of messages adds to a cursor: the new messages, in order and each once, and the cursor after them.
 *
 * A message at or below the cursor was had before (a resume on another transport, an answer that came late) and is
 * left out; a `step` has no offset and always passes: whoever keeps steps knows them by `row`.
 */
export function advance(
  cursor: Cursor,
  batch: readonly Message[],
): { cursor: Cursor; fresh: readonly Message[] } {
  let offset = cursor.offset;
  const fresh: Message[] = [];
  for (const message of batch) {
    if (typeof message.offset === "number") {
      if (offset !== null && message.offset <= offset) continue;
      offset = message.offset;
    }
    fresh.push(message);
  }
  return { cursor: { logId: cursor.logId, offset }, fresh };
}

/** Parses one frame; `null` for what is no JSON object with a `type`. */
export function parseFrame(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
    return typeof (value as Record<string, unknown>).type === "string"
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
