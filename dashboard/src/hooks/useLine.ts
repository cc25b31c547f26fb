import type { Line } from "../client/model";

export interface LineView {
  readonly line: Line;
  /** Tries again at once (while the server is away). */
  readonly tryNow: () => void;
  /** True while WebSocket is blocked and another way carries the messages. */
  readonly websocketBlocked: boolean;
}

/** The state of the page's line to the server, for the header and the "away" faces. */
export function useLine(): LineView {
  return { line: { kind: "connecting" }, tryNow: () => undefined, websocketBlocked: false };
}
