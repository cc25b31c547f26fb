/** The four ways of the same messages. Each is a thin edge: it opens, hands frames over and says why it closed. */

import type { Environment } from "./connection";
import { asSubscribed, type Cursor, cursorQuery, parseFrame, type Subscribed } from "./cursor";
import type { Message, Via } from "./model";
import { record } from "./reading";

export interface LinkEvents {
  /** The first frame (of each answer, where there are many). */
  subscribed(frame: Subscribed): void;
  messages(batch: readonly Message[]): void;
  /** Everything up to this offset has been given. Only an answer that was asked for can tell. */
  upTo(offset: number): void;
  /** Called once, never after `close()`. `code` is one of closeCodes; 1006 for whatever broke. */
  closed(code: number, reason: string): void;
}

export interface Link {
  close(): void;
}

type Opener = (
  environment: Environment,
  runId: string | null,
  cursor: () => Cursor,
  events: LinkEvents,
) => Link;

const LOST = 1006;

/** `/ws/training-progress` */
export const openWebSocket: Opener = (environment, runId, cursor, events) => {
  const query = new URLSearchParams({
    ...(runId === null ? {} : { run_id: runId }),
    ...cursorQuery(cursor()),
  });
  const socket = new environment.WebSocket(
    `${environment.origin.replace(/^http/, "ws")}/ws/training-progress${withQuery(query)}`,
  );
  let open = true;
  socket.onmessage = (event: MessageEvent<unknown>) => {
    if (open && typeof event.data === "string") take(event.data, events);
  };
  socket.onclose = (event: CloseEvent) => {
    if (!open) return;
    open = false;
    events.closed(event.code || LOST, event.reason);
  };
  return {
    close() {
      open = false;
      socket.close();
    },
  };
};

/** `/api/stream`, `/api/runs/{run_id}/stream`. Its own reconnecting is not used: the cursor is ours. */
export const openSse: Opener = (environment, runId, cursor, events) => {
  const query = new URLSearchParams(cursorQuery(cursor()));
  const source = new environment.EventSource(
    `${environment.origin}${scope(runId)}/stream${withQuery(query)}`,
  );
  let open = true;
  const frame = (event: MessageEvent<unknown>): void => {
    if (open && typeof event.data === "string") take(event.data, events);
  };
  source.onmessage = frame;
  source.addEventListener("subscribed", frame as EventListener);
  source.onerror = () => {
    if (!open) return;
    open = false;
    source.close();
    events.closed(LOST, "");
  };
  return {
    close() {
      open = false;
      source.close();
    },
  };
};

/** How long the server may hold an answer back, in seconds; and the least pause between two questions. */
const POLL_WAIT_S = 2;
const POLL_LIMIT = 1000;
const POLL_PAUSE_MS = 250;
/** How often the document is asked for. */
const DOCUMENT_EVERY_MS = 2_000;

export interface Question {
  readonly cursor: Cursor;
  readonly limit: number;
  /** How long the server may hold the answer back where it has nothing to tell. */
  readonly waitS: number;
}

/** Asks `/api/events` or `/api/runs/{run_id}/events` once. */
export function askFor(environment: Environment, runId: string | null, asked: Question): Promise<Response> {
  const query = new URLSearchParams({
    ...cursorQuery(asked.cursor),
    limit: `${asked.limit}`,
    wait: `${asked.waitS}`,
  });
  return environment.fetch(`${environment.origin}${scope(runId)}/events${withQuery(query)}`, {
    cache: "no-store",
  });
}

/** `/api/events`, `/api/runs/{run_id}/events`: a long poll, answered at the first message or after two seconds. */
export const openPoll: Opener = (environment, runId, cursor, events) =>
  asking(environment, events, POLL_PAUSE_MS, async (first) => {
    const asked = { cursor: cursor(), limit: POLL_LIMIT, waitS: first ? 0 : POLL_WAIT_S };
    const answer = await askFor(environment, runId, asked);
    if (!answer.ok) return refusal(answer);
    const page = record(await answer.json());
    return {
      opening: asSubscribed({ type: "subscribed", ...page }),
      batch: messagesOf(page.messages),
      isCut: (batch) => batch.filter((each) => each.type !== "step").length >= POLL_LIMIT,
    };
  });

/** `/api/runs/{run_id}/document`: all of a run, as often as it has changed. Steps do not stand in it. */
export const openDocument: Opener = (environment, runId, cursor, events) => {
  let etag: string | null = null;
  return asking(environment, events, DOCUMENT_EVERY_MS, async () => {
    const answer = await environment.fetch(`${environment.origin}${scope(runId)}/document`, {
      cache: "no-store",
      headers: etag === null ? {} : { "if-none-match": etag },
    });
    if (answer.status === 304) return null;
    if (!answer.ok) return refusal(answer);
    const document = record(await answer.json());
    etag = answer.headers.get("etag");
    const { logId, offset } = cursor();
    const told = asSubscribed({ type: "subscribed", ...document });
    const recovered = logId === null || told === null || (told.logId === logId && (offset ?? 0) <= told.top);
    return {
      opening: told && { ...told, recovered },
      batch: messagesOf(document.epochs),
      isCut: () => false,
    };
  });
};

export const OPENERS: Readonly<Record<Via, Opener>> = {
  websocket: openWebSocket,
  sse: openSse,
  poll: openPoll,
  document: openDocument,
};

/** What one question brought: messages, a reason to end, or (`null`) nothing new. */
type Brought =
  | {
      readonly opening: Subscribed | null;
      readonly batch: readonly Message[];
      /** Whether there is more to ask for. */
      readonly isCut: (batch: readonly Message[]) => boolean;
    }
  | { readonly refused: number }
  | null;

/** A link that asks again and again. */
function asking(
  environment: Environment,
  events: LinkEvents,
  pauseMs: number,
  question: (first: boolean) => Promise<Brought>,
): Link {
  let open = true;
  const closed = (code: number): void => {
    if (!open) return;
    open = false;
    events.closed(code, "");
  };
  const ask = async (first: boolean): Promise<void> => {
    const brought = await question(first);
    if (!open) return;
    if (brought !== null) {
      if ("refused" in brought) return closed(brought.refused);
      const { opening, batch } = brought;
      if (opening !== null && (first || !opening.recovered)) events.subscribed(opening);
      if (batch.length > 0) events.messages(batch);
      if (opening !== null && !brought.isCut(batch)) events.upTo(opening.top);
    }
    if (open) environment.setTimeout(() => void ask(false).catch(() => closed(LOST)), pauseMs);
  };
  void ask(true).catch(() => closed(LOST));
  return {
    close() {
      open = false;
    },
  };
}

const REFUSALS: Readonly<Record<number, number>> = { 401: 4401, 403: 4403, 404: 4404 };

/** Only the server's own word is a refusal: what stands between may answer 403 to one way and let another through. */
function refusal(answer: Response): { readonly refused: number } {
  const ours = answer.headers.get("content-type")?.startsWith("application/problem+json") ?? false;
  return { refused: (ours ? REFUSALS[answer.status] : undefined) ?? LOST };
}

function messagesOf(value: unknown): readonly Message[] {
  return Array.isArray(value) ? value.filter(isMessage) : [];
}

function scope(runId: string | null): string {
  return runId === null ? "/api" : `/api/runs/${encodeURIComponent(runId)}`;
}

function withQuery(query: URLSearchParams): string {
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}

function take(text: string, events: LinkEvents): void {
  const frame = parseFrame(text);
  if (frame === null) return;
  const opening = asSubscribed(frame);
  if (opening !== null) events.subscribed(opening);
  else if (isMessage(frame)) events.messages([frame]);
}

/** What has no run or no time is nobody's message: an app of its own may broadcast anything on its socket. */
function isMessage(value: unknown): value is Message {
  const { type, run_id, timestamp } = record(value);
  return typeof type === "string" && typeof run_id === "string" && typeof timestamp === "string";
}
