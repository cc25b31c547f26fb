import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { fold } from "./fold";
import { emptyModel, type Message, type Phase, type RunModel, stepKey } from "./model";
import { digestOf, Replay, recordingOf, ticksOf } from "./replay";

const HERE = join(import.meta.dirname, "../../../tests/recordings");
const NAMES = readdirSync(HERE)
  .filter((name) => name.endsWith(".jsonl"))
  .map((name) => name.replace(".jsonl", ""));

function messagesOf(name: string): Message[] {
  const lines = readFileSync(join(HERE, `${name}.jsonl`), "utf8")
    .trim()
    .split("\n");
  return lines.map((line) => JSON.parse(line) as Message);
}

/** The steps of a recording as `series` gives them. */
function columnsOf(messages: readonly Message[]): unknown[] {
  const series = new Map<string, Message[]>();
  for (const message of messages) {
    if (message.type !== "step") continue;
    const key = `${message.client_id ?? ""}/${message.phase}`;
    series.set(key, [...(series.get(key) ?? []), message]);
  }
  const told = live(messages).steps;
  return [...series.values()].map((steps) => {
    const known = told[stepKey(steps[0]?.client_id ?? null, steps[0]?.phase as Phase)];
    const names = new Set(steps.flatMap((step) => Object.keys(step.metrics as object)));
    const column = (name: keyof Message) => steps.map((step) => step[name] ?? null);
    return {
      client_id: steps[0]?.client_id ?? null,
      phase: steps[0]?.phase,
      row: column("row"),
      attempt: steps.map((step) => known?.attempt[known.row.indexOf(step.row ?? 0)] ?? 1),
      epoch: column("epoch"),
      round: column("round"),
      step: column("step"),
      total_steps: column("total_steps"),
      timestamp: column("timestamp"),
      metrics: Object.fromEntries(
        [...names].map((name) => [
          name,
          steps.map((step) => (step.metrics as Record<string, number | null>)[name] ?? null),
        ]),
      ),
    };
  });
}

/** As a page that watched from the beginning has it. */
function live(messages: readonly Message[]): RunModel {
  let model = emptyModel(messages[0]?.run_id ?? "");
  for (const message of messages) model = fold(model, [message]);
  return model;
}

function replayOf(messages: readonly Message[]): Replay {
  const opening = {
    state: { run_id: messages[0]?.run_id ?? "" },
    messages: messages.filter((each) => each.type !== "step"),
    steps: columnsOf(messages),
  };
  return new Replay(recordingOf(opening));
}

describe.each(NAMES)("%s", (name) => {
  const messages = messagesOf(name);
  const end = digestOf(live(messages));

  it("ends as it did live, played message by message", () => {
    const replay = replayOf(messages);
    let model = replay.modelAfter(0);
    for (let count = 1; count <= replay.recording.frames.length; count++) model = replay.modelAfter(count);
    expect(replay.recording.frames).toHaveLength(messages.length);
    expect(digestOf(model)).toBe(end);
  });

  it("ends so at 100 times the speed, a frame sixty times a second", () => {
    const replay = replayOf(messages);
    const { length } = replay.recording;
    for (let place = 0; place < length; place += (100 * 1000) / 60) replay.modelAfter(replay.countAt(place));
    expect(digestOf(replay.modelAfter(replay.countAt(length)))).toBe(end);
  });

  it("is the same at every place, wherever one comes from", () => {
    const forwards = replayOf(messages);
    const count = forwards.recording.frames.length;
    const digests = Array.from({ length: count + 1 }, (_, i) => digestOf(forwards.modelAfter(i)));
    const seeking = replayOf(messages);
    let seed = 7;
    for (let turn = 0; turn < 60; turn++) {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      const at = seed % (count + 1);
      expect(digestOf(seeking.modelAfter(at))).toBe(digests[at]);
    }
    expect(digestOf(seeking.modelAfter(count))).toBe(end);
    // Models that were given out stay as they were, though what comes later shares their columns.
    expect(digestOf(forwards.modelAfter(0))).toBe(digests[0]);
  });
});

it("holds ten recorded runs or more", () => {
  expect(NAMES.length).toBeGreaterThanOrEqual(10);
});

it("tells models apart that differ in one figure", () => {
  const messages = messagesOf("centralised-finishes");
  const other = messages.map((each) =>
    each.type === "epoch_end" ? { ...each, metrics: { ...(each.metrics as object), val_auroc: 0.5 } } : each,
  );
  expect(digestOf(live(other))).not.toBe(digestOf(live(messages)));
});

describe("an instant", () => {
  const replay = replayOf(messagesOf("centralised-finishes"));

  it("is named by an offset or a time, and a link names it so", () => {
    for (const { place, message } of replay.recording.frames) {
      const again = replay.placeOf(replay.linkTo(place));
      expect(again).not.toBeNull();
      expect(replay.countAt(again ?? -1)).toBe(replay.countAt(place));
      if (message.offset !== undefined) expect(replay.placeOf(String(message.offset))).toBe(place);
    }
    expect(replay.placeOf("yesterday")).toBeNull();
  });

  it("lies between the epochs that are marked", () => {
    expect(ticksOf(replay.recording).map((tick) => tick.number)).toEqual([1, 2, 3]);
  });
});

it("plays a silence of hours as a minute", () => {
  const at = (hours: number) => new Date(Date.UTC(2026, 0, 1, hours)).toISOString();
  const messages = [0, 5].map((hours, i) => ({
    type: "alert",
    run_id: "r",
    timestamp: at(hours),
    offset: i + 1,
  }));
  const replay = replayOf(messages);
  expect(replay.recording.length).toBe(60_000);
  expect(new Date(replay.timeAt(60_000)).toISOString()).toBe(at(5));
});

it("seeks in a long run without folding it from its beginning", () => {
  const start = Date.UTC(2026, 0, 1);
  const messages = Array.from({ length: 4_000 }, (_, i) => ({
    type: i % 10 === 0 ? "epoch_start" : "note",
    epoch: i / 10,
    run_id: "r",
    timestamp: new Date(start + i * 1000).toISOString(),
    offset: i + 1,
  }));
  const replay = replayOf(messages);
  replay.modelAfter(4_000);
  const before = performance.now();
  for (const at of [3, 3_800, 2_001, 100, 3_999]) expect(replay.modelAfter(at).offset).toBe(at);
  // Five seeks, of some hundred messages each; the whole fold takes many times as long.
  expect(performance.now() - before).toBeLessThan(1_000);
});
