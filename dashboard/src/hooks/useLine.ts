import { useSyncExternalStore } from "react";
import { feeds } from "../client/feeds";
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
  const line = useSyncExternalStore(feeds().subscribe, feeds().line);
  return {
    line,
    tryNow: feeds().tryNow,
    websocketBlocked: (line.kind === "live" || line.kind === "catching_up") && line.via !== "websocket",
  };
}
