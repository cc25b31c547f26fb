/** The three ways of the same messages. Each is a thin edge: it opens, hands frames over and says why it closed. */

import type { Environment } from "./connection";
import { asSubscribed, type Cursor, cursorQuery, parseFrame, type Subscribed } from "./cursor";
import type { Message } from "./model";
import { record } from "./reading";

export interface LinkEvents {
  /** The first frame (of each answer, where there are many). */
  subscribed(frame: Subscribed): void;
  messages(batch: readonly Message[]): void;
  /** Everything up to this offset has been given. Only an answer of a poll can tell. */
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

/** `/api/events`, `/api/runs/{run_id}/events`: a long poll, answered at the first message or after two seconds. */
export const openPoll: Opener = (environment, runId, cursor, events) => {
  let open = true;
  const closed = (code: number, reason: string): void => {
    if (!open) return;
    open = false;
    events.closed(code, reason);
  };
  const ask = async (first: boolean): Promise<void> => {
    const query = new URLSearchParams({
      ...cursorQuery(cursor()),
      limit: `${POLL_LIMIT}`,
      wait: first ? "0" : `${POLL_WAIT_S}`,
    });
    const answer = await environment.fetch(`${environment.origin}${scope(runId)}/events${withQuery(query)}`, {
      cache: "no-store",
    });
    if (!open) return;
    if (answer.status === 404 && runId !== null) return closed(4404, "");
    if (answer.status === 401 || answer.status === 403)
      return closed(answer.status === 401 ? 4401 : 4403, "");
    if (!answer.ok) return closed(LOST, "");
    const page = (await answer.json()) as Record<string, unknown>;
    if (!open) return;
    const opening = asSubscribed({ type: "subscribed", ...page });
    if (opening !== null && (first || !opening.recovered)) events.subscribed(opening);
    const batch = Array.isArray(page.messages) ? page.messages.filter(isMessage) : [];
    if (batch.length > 0) events.messages(batch);
    if (opening !== null && batch.filter((each) => each.type !== "step").length < POLL_LIMIT)
      events.upTo(opening.top);
    if (open) environment.setTimeout(() => void ask(false).catch(() => closed(LOST, "")), POLL_PAUSE_MS);
  };
  void ask(true).catch(() => closed(LOST, ""));
  return {
    close() {
      open = false;
    },
  };
};

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
