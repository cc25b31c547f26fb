import { existsSync, readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { foldState } from "./fold.state";
import { silentFor } from "./lateness";
import type { Said } from "./model";
import { emptyState, type RunState } from "./state";
import { durationWords, metricWords } from "./wording";
import { described } from "./words";

/** Recorded runs that the Python fold is tested on too (`tests/recordings`). */
const RECORDINGS = resolve(import.meta.dirname, "../../../tests/recordings");

interface Expected {
  /** How many lines of the recording have been said. */
  readonly after: number;
  readonly now: string;
  readonly status: string;
  readonly condition: string;
  readonly sentence: string;
  readonly detail_sentence: string;
  readonly clients?: readonly {
    readonly client_id: string;
    readonly status: string;
    readonly words: string;
  }[];
  /** Of a run that was begun more than once: fields of its state. */
  readonly numbers?: Readonly<Record<string, unknown>>;
}

const names = existsSync(RECORDINGS)
  ? readdirSync(RECORDINGS).flatMap((file) =>
      file.endsWith(".expected.json") ? [file.replace(".expected.json", "")] : [],
    )
  : [];

it("has recorded runs to be held to", () => {
  expect(names.length).toBeGreaterThan(0);
});

it.each(names)("tells the recorded run %s in the same words as Python", (name) => {
  const lines = readFileSync(`${RECORDINGS}/${name}.jsonl`, "utf-8").trim().split("\n");
  const messages = lines.map((line) => JSON.parse(line) as Said);
  const expected = JSON.parse(
    readFileSync(`${RECORDINGS}/${name}.expected.json`, "utf-8"),
  ) as readonly Expected[];
  let state = emptyState(runIdOf(messages));
  let folded = 0;
  for (const moment of expected) {
    for (const message of messages.slice(folded, moment.after)) state = foldState(state, message);
    folded = moment.after;
    const { status, condition, sentence, detail_sentence, clients } = described(
      state,
      Date.parse(moment.now),
    );
    for (const [field, value] of Object.entries(moment.numbers ?? {})) {
      expect({ after: folded, [field]: Reflect.get(state, field) }).toEqual({
        after: folded,
        [field]: value,
      });
    }
    const words = clients.map((each) => ({
      client_id: each.client_id,
      status: each.status,
      words: each.words,
    }));
    expect({ after: folded, status, condition, sentence, detail_sentence, clients: words }).toEqual({
      after: moment.after,
      status: moment.status,
      condition: moment.condition,
      sentence: moment.sentence,
      detail_sentence: moment.detail_sentence,
      clients: moment.clients ?? [],
    });
  }
});

function runIdOf(messages: readonly Said[]): string {
  return String(messages.find((message) => typeof message.run_id === "string")?.run_id ?? "run");
}

const T0 = Date.parse("2026-11-24T10:00:00Z");
const at = (s: number): string => new Date(T0 + s * 1000).toISOString();

function folded(messages: readonly Record<string, unknown>[]): RunState {
  return messages.reduce<RunState>((state, message) => foldState(state, message), emptyState("r"));
}

describe("the sentence of a centralised run", () => {
  const start = { type: "run_start", timestamp: at(0), mode: "centralized", total_epochs: 3 };
  const epoch = (n: number, from: number, auroc: number) => [
    { type: "epoch_start", timestamp: at(from), epoch: n, total_epochs: 3 },
    { type: "epoch_end", timestamp: at(from + 59), epoch: n, phase: "val", metrics: { val_auroc: auroc } },
  ];

  it("says what it trains, and that the time left comes after the first epoch", () => {
    const state = folded([start, { type: "epoch_start", timestamp: at(1), epoch: 1, total_epochs: 3 }]);
    expect(described(state, T0 + 5_000)).toMatchObject({
      sentence: "Training epoch 1 of 3.",
      detail_sentence: "Time left after the first epoch.",
    });
  });

  it("gives the time left in whole minutes, changing at most every five seconds", () => {
    const state = folded([
      start,
      ...epoch(1, 0, 0.9),
      { type: "epoch_start", timestamp: at(60), epoch: 2, total_epochs: 3 },
    ]);
    const left = (s: number) => described(state, T0 + s * 1000).detail_sentence;
    expect(left(60)).toBe(
      "About 2 min left (90 % within 3 min). Best validation AUROC so far 0.900 at epoch 1.",
    );
    expect(left(95)).toBe(
      "About 1 min left (90 % within 2 min). Best validation AUROC so far 0.900 at epoch 1.",
    );
    expect(left(91)).toBe(left(94));
  });

  it("is a failure's reason, in one line", () => {
    const state = folded([
      start,
      ...epoch(1, 0, 0.9),
      { type: "training_error", timestamp: at(70), error: "loss became NaN." },
    ]);
    expect(described(state, T0 + 99_000)).toMatchObject({
      sentence: "Failed in epoch 1: loss became NaN.",
      detail_sentence: "Last good: epoch 1, validation AUROC 0.900.",
    });
  });

  it("says who stopped it", () => {
    const state = folded([
      start,
      ...epoch(1, 0, 0.9),
      { type: "training_cancelled", timestamp: at(70), by: "an operator", reason: "too slow" },
    ]);
    expect(described(state, T0).sentence).toBe("Stopped by an operator in epoch 1 of 3.");
  });

  it("calls a trainer silent only after ten usual gaps and thirty seconds, and never failed", () => {
    const steps = Array.from({ length: 10 }, (_, i) => ({
      type: "step",
      timestamp: at(i),
      epoch: 1,
      step: i,
      phase: "train",
    }));
    const state = folded([start, ...steps]);
    expect(silentFor(state, T0 + 30_000)).toBeNull();
    expect(silentFor(state, T0 + 39_000)).toBe(30);
    expect(described(state, T0 + 109_000)).toMatchObject({
      status: "running",
      sentence: "No message for 1 min 40 s (usually one every 1.0 s); it may still run.",
      detail_sentence: "Last: epoch 1, step 9.",
    });
  });
});

describe("the words for hospitals", () => {
  const round = (n: number, id: string, from: number, took: number | null) => [
    { type: "round_start", timestamp: at(from), round: n, total_rounds: 5, client_id: id },
    ...(took === null
      ? []
      : [
          {
            type: "round_end",
            timestamp: at(from + took),
            round: n,
            client_id: id,
            fit_metrics: {},
            eval_metrics: {},
          },
        ]),
  ];
  const start = {
    type: "run_start",
    timestamp: at(0),
    mode: "federated",
    total_rounds: 5,
    config: { num_clients: 3 },
  };
  const aggregated = (n: number, s: number) => ({
    type: "round_aggregated",
    timestamp: at(s),
    round: n,
    metrics: {},
    num_clients: 2,
  });
  const before = [
    start,
    ...round(1, "north", 0, 60),
    ...round(1, "south", 0, 60),
    aggregated(1, 99),
    ...round(2, "north", 100, 60),
    ...round(2, "south", 100, 60),
    aggregated(2, 199),
  ];

  it("call a straggler late by how much, and the round's sentence waits for it", () => {
    const state = folded([...before, ...round(3, "north", 200, 55), ...round(3, "south", 200, null)]);
    const told = described(state, T0 + 308_000);
    expect(told.sentence).toBe(
      "Round 3 of 5 is waiting for south, late by 48 s; its rounds usually take 1 min.",
    );
    expect(told.detail_sentence).toMatch(
      /^1 of 3 hospitals has sent, 1 is training, 1 has not started\. About \d+ min left/,
    );
    expect(told.clients.map((client) => client.words)).toEqual(["Sent, waiting for 2", "Late by 48 s"]);
  });

  it("never call a hospital late before it has finished two rounds", () => {
    const state = folded([start, ...round(1, "north", 0, null)]);
    expect(described(state, T0 + 250_000).clients[0]?.words).toBe("Training, in time");
  });

  it("cut a failure's reason to 28 characters", () => {
    const failed = {
      type: "client_failed",
      timestamp: at(230),
      round: 3,
      client_id: "south",
      error: "GPU memory full: 1.2 GB wanted, 0.4 GB free",
    };
    const state = folded([...before, ...round(3, "south", 200, null), failed]);
    expect(described(state, T0 + 231_000).clients.find((each) => each.client_id === "south")?.words).toBe(
      "Failed: GPU memory full: 1.2 GB want…",
    );
  });
});

it.each([
  [0, "0 s"],
  [48.9, "48 s"],
  [60, "1 min"],
  [100, "1 min 40 s"],
  [3600, "1 h"],
  [7500, "2 h 5 min"],
])("%d seconds are %s", (seconds, words) => {
  expect(durationWords(seconds)).toBe(words);
});

it("names metrics as people do", () => {
  expect(metricWords("val_auroc")).toBe("validation AUROC");
  expect(metricWords("test_f1")).toBe("test F1");
  expect(metricWords("dice")).toBe("dice");
});
