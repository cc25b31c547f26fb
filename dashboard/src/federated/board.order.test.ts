import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { fold } from "../client/fold";
import { emptyModel, type Message } from "../client/model";
import { boardOf } from "./board";
import { globalCurve, smallMultiples } from "./curves";

/** Sites that were away: whatever order their journals come in, the board and the curves are the same. */

const HERE = resolve(import.meta.dirname, "../../../tests/recordings");
/** Of one attempt each. */
const NAMES = readdirSync(HERE).filter((name) => /^federated-(?!goes-on).*\.jsonl$/.test(name));
const NOW = Date.parse("2026-12-01T00:00:00Z");
const HOUR = 3_600_000;

function recorded(name: string): Message[] {
  const lines = readFileSync(resolve(HERE, name), "utf-8").trim().split("\n");
  return lines.map((line) => JSON.parse(line) as Message);
}

/** Small and seeded (mulberry32), so that what fails can be tried again. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Each writer's messages in its order, by a clock of its own that is hours wrong. */
function byWriter(messages: readonly Message[], random: () => number): Message[][] {
  const writers = new Map<string, Message[]>();
  const skews = new Map<string, number>();
  for (const message of messages) {
    const byHub = "about" in message || message.type === "client_failed";
    const writer = byHub ? "hub" : (message.client_id ?? "leader");
    const own = writer !== "hub" && writer !== "leader";
    const skew = skews.get(writer) ?? (own ? Math.round((random() - 0.5) * 20) * HOUR : 0);
    skews.set(writer, skew);
    const timestamp = new Date(Date.parse(message.timestamp) + skew).toISOString();
    const { offset: _, ...said } = message;
    writers.set(writer, [...(writers.get(writer) ?? []), { ...said, timestamp } as Message]);
  }
  return [...writers.values()];
}

function interleaved(writers: readonly Message[][], random: () => number): Message[] {
  const rest = writers.map((messages) => [...messages]);
  const found: Message[] = [];
  for (;;) {
    const open = rest.filter((messages) => messages.length > 0);
    const message = open[Math.floor(random() * open.length)]?.shift();
    if (message === undefined) break;
    found.push(message);
  }
  let offset = 0;
  return found.map((message) => (message.type === "step" ? message : { ...message, offset: ++offset }));
}

/** All that is drawn, without the numbers that a log gave. */
function drawn(messages: readonly Message[], pieces: number): unknown {
  let model = emptyModel(messages[0]?.run_id ?? "run");
  const size = Math.ceil(messages.length / pieces);
  for (let at = 0; at < messages.length; at += size) model = fold(model, messages.slice(at, at + size));
  const board = boardOf(model, NOW);
  const cells = board.rows.map((_, r) => board.columns.map((_column, c) => board.cell(r, c)));
  const { spec } = globalCurve(model, board.columns.length, 600, null);
  const small = smallMultiples(model, "loss", model.clients, new Set()).map((one) => one.spec.series);
  const told = JSON.stringify({ rows: board.rows, columns: board.columns, cells, spec, small });
  return JSON.parse(told, (key, value) => (key === "offset" ? undefined : value));
}

describe.each(NAMES)("%s", (name) => {
  it.each([1, 2, 3, 4, 5, 6])("is one board and one set of curves in any order (%i)", (seed) => {
    const random = randomOf(seed);
    const writers = byWriter(recorded(name), random);
    const inOrder = interleaved(writers, () => 0);
    const mixed = interleaved(writers, random);
    expect(drawn(mixed, 1 + Math.floor(random() * 20))).toEqual(drawn(inOrder, 1));
  });
});
