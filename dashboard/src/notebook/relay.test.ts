import { expect, test, vi } from "vitest";
import type { Message } from "../client/model";
import { Relay } from "./relay";
import { scoped } from "./scoped";

function said(n: number): Message {
  return { type: "alert", timestamp: `${n}`, run_id: "a" };
}

function cell(told: readonly Message[]) {
  const heard = new Map<string, (content: unknown) => void>();
  const send = vi.fn();
  const taken: string[] = [];
  const relay = new Relay(
    { get: () => told, on: (event, act) => heard.set(event, act), off: (event) => heard.delete(event), send },
    (batch) => taken.push(...batch.map((each) => each.timestamp)),
  );
  relay.start();
  const piece = (from: number, ...messages: Message[]) => heard.get("msg:custom")?.({ from, messages });
  return { piece, taken, send, heard, relay };
}

test("what the kernel repeats is taken once", () => {
  const { piece, taken } = cell([said(0)]);
  piece(0, said(0), said(1));
  piece(1, said(1), said(2));
  piece(1, said(1));
  expect(taken).toEqual(["0", "1", "2"]);
});

test("a gap is asked for once, and nothing behind it is taken before it is filled", () => {
  const { piece, taken, send } = cell([]);
  expect(send).toHaveBeenLastCalledWith({ have: 0 });
  piece(0, said(0));
  piece(2, said(2));
  piece(3, said(3));
  expect(send.mock.calls).toEqual([[{ have: 0 }], [{ have: 1 }]]);
  piece(1, said(1), said(2), said(3));
  expect(taken).toEqual(["0", "1", "2", "3"]);
});

test("a cell that is gone hears nothing any more", () => {
  const { relay, heard } = cell([]);
  relay.stop();
  expect(heard.size).toBe(0);
});

test("the page's styles are said of the shadow tree's host", () => {
  expect(scoped('@import "x";\n:root {a: b}\n:root[data-x="dark"] {a: c}\nbody {d: e}\n.body {f: g}')).toBe(
    '\n:host {a: b}\n:host([data-x="dark"]) {a: c}\n:host {d: e}\n.body {f: g}',
  );
});
