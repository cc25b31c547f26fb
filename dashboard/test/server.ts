/** A server that the test plays: its answers, and the other end of its WebSockets. */

import { vi } from "vitest";
import { resetFeeds } from "../src/client/feeds";

/** A WebSocket whose other end is the test. */
export class TestSocket {
  static all: TestSocket[] = [];
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  constructor(readonly url: string) {
    TestSocket.all.push(this);
  }
  close(): void {}
  give(...frames: readonly object[]): void {
    for (const frame of frames) this.onmessage?.({ data: JSON.stringify(frame) });
  }
  static get newest(): TestSocket {
    const last = TestSocket.all.at(-1);
    if (last === undefined) throw new Error("no socket was opened");
    return last;
  }
}

class DeadStream {
  addEventListener(): void {}
  close(): void {}
}

export type Answers = (path: string, init: RequestInit | undefined) => unknown;

/** An answer that is a problem document. */
export class Refusal {
  constructor(
    readonly status: number,
    readonly document: object,
  ) {}
}

export function playServer(answers: Answers): { readonly asked: string[] } {
  const asked: string[] = [];
  TestSocket.all = [];
  resetFeeds();
  vi.stubGlobal("WebSocket", TestSocket);
  vi.stubGlobal("EventSource", DeadStream);
  vi.stubGlobal("fetch", async (path: string, init?: RequestInit) => {
    asked.push(`${init?.method ?? "GET"} ${path}`);
    const answer = await answers(path, init);
    if (answer === undefined) throw new TypeError("no answer");
    return answer instanceof Refusal
      ? new Response(JSON.stringify(answer.document), { status: answer.status })
      : new Response(JSON.stringify(answer));
  });
  return { asked };
}
