import { describe, expect, it } from "vitest";
import { attemptAt, ranOf, tailsOf, tailWords } from "./attempts";
import { fold } from "./fold";
import { foldState } from "./fold.state";
import { firstGap } from "./fold.steps";
import { emptyModel, type Message, type RunModel, stepSeries } from "./model";
import { foldSeries } from "./series";
import { emptyState } from "./state";

let offset = 0;
let clock = Date.parse("2026-11-24T10:00:00Z");

/** A message one second after the one before. */
function say(type: string, fields: Record<string, unknown> = {}): Message {
  clock += 1000;
  const place = type === "step" ? {} : { offset: ++offset };
  return { type, timestamp: new Date(clock).toISOString(), run_id: "r", ...place, ...fields };
}

function folded(messages: readonly Message[], from: RunModel = emptyModel("r")): RunModel {
  return fold(from, messages);
}

function epoch(n: number, auroc: number, loss = 1 / n): Message[] {
  return [
    say("epoch_start", { epoch: n, total_epochs: 10 }),
    say("epoch_end", { epoch: n, total_epochs: 10, phase: "train", metrics: { train_loss: loss } }),
    say("epoch_end", {
      epoch: n,
      total_epochs: 10,
      phase: "val",
      metrics: { val_loss: loss, val_auroc: auroc },
    }),
  ];
}

const start = () =>
  say("run_start", {
    experiment_name: "first",
    mode: "centralized",
    total_epochs: 10,
    config: { epochs: 10, seed: 42 },
    data: {
      name: "PneumoniaMNIST",
      digest: "b455",
      phantom: false,
      splits: {
        train: { n: 4708, normal: 1214, pneumonia: 3494 },
        val: { n: 524, normal: 135, pneumonia: 389 },
      },
    },
    software: { torch: "2.15" },
    attempt: 1,
  });

const again = (more: Record<string, unknown>): Message =>
  say("run_start", { experiment_name: "first", mode: "centralized", attempt: 2, total_epochs: 10, ...more });

describe("a centralised run", () => {
  it("is known from its first message on", () => {
    const model = folded([start()]);
    expect(model).toMatchObject({
      experimentName: "first",
      name: "first",
      status: "started",
      totalEpochs: 10,
      attempt: 1,
    });
    expect(model.data.splits.val).toEqual({ n: 524, normal: 135, pneumonia: 389 });
    expect(model.config.seed).toBe(42);
  });

  it("keeps epochs by number, whatever order their phases come in", () => {
    const [one, train, val] = epoch(1, 0.9);
    const model = folded([
      start(),
      ...[one, val, train].filter((each) => each !== undefined).map((m, i) => ({ ...m, offset: 100 + i })),
    ]);
    expect(model.epochs).toHaveLength(1);
    expect(model.epochs[0]?.train?.metrics.train_loss).toBe(1);
    expect(model.epochs[0]?.val?.metrics.val_auroc).toBe(0.9);
    expect(model.status).toBe("running");
  });

  it("finds the best epoch; of two equal ones the first", () => {
    const model = folded([start(), ...epoch(1, 0.9), ...epoch(2, 0.95), ...epoch(3, 0.95)]);
    expect(model.best).toEqual({ metric: "val_auroc", value: 0.95, at: 2 });
  });

  it("takes a value that is null as a gap", () => {
    const model = folded([
      start(),
      say("epoch_end", { epoch: 1, phase: "val", metrics: { val_auroc: null, val_loss: "nan" } }),
    ]);
    expect(model.epochs[0]?.val?.metrics).toEqual({ val_auroc: null, val_loss: null });
  });

  it("folds a message that comes twice once", () => {
    const messages = [start(), ...epoch(1, 0.9)];
    const once = folded(messages);
    const twice = folded(messages, once);
    expect(twice.events).toHaveLength(once.events.length);
    expect(twice.epochs).toEqual(once.epochs);
  });

  it("ends with its first end, and later messages do not reopen it", () => {
    const model = folded([
      start(),
      ...epoch(1, 0.9),
      say("training_error", { error: "loss became NaN", detail: "line 1" }),
      say("epoch_end", { epoch: 1, phase: "test", metrics: { test_auroc: 0.8 } }),
      say("training_complete", { final_metrics: {} }),
    ]);
    expect(model.status).toBe("failed");
    expect(model.end).toMatchObject({ status: "failed", error: "loss became NaN", detail: "line 1" });
    expect(model.epochs[0]?.test?.metrics.test_auroc).toBe(0.8);
  });

  it("goes on with a new attempt, whose epochs take the place of the old one's, which are kept aside", () => {
    const model = folded([
      start(),
      ...epoch(1, 0.8),
      ...epoch(2, 0.85),
      ...epoch(3, 0.7),
      say("training_cancelled", { by: "an operator", reason: "stopped" }),
      again({ from_epoch: 2 }),
      ...epoch(3, 0.9).map((each) => ({ ...each, attempt: 2 })),
    ]);
    expect(model.status).toBe("running");
    expect(model.attempt).toBe(2);
    expect(model.end).toBeNull();
    expect(model.epochs.map((each) => [each.epoch, each.val?.metrics.val_auroc])).toEqual([
      [1, 0.8],
      [2, 0.85],
      [3, 0.9],
    ]);
    expect(tailsOf(model)).toEqual([{ attempt: 1, first: 3, last: 3, kept: 2 }]);
    expect(tailWords(model, { attempt: 1, first: 3, last: 3, kept: 2 })).toBe("attempt 1 · epoch 3");
    expect(model.attempts[0]?.epochs.map((each) => each.val?.metrics.val_auroc)).toEqual([0.8, 0.85, 0.7]);
    expect([1, 2, 3].map((at) => attemptAt(model, at))).toEqual([1, 1, 2]);
  });

  it("begins afresh where an attempt does not say what it goes on from", () => {
    const model = folded([start(), ...epoch(1, 0.8), again({}), ...epoch(1, 0.9)]);
    expect(model.epochs.map((each) => [each.epoch, each.val?.metrics.val_auroc])).toEqual([[1, 0.9]]);
    expect(tailsOf(model)).toEqual([{ attempt: 1, first: 1, last: 1, kept: 0 }]);
  });

  it("puts what comes late of an earlier attempt where it belongs, and stands where the newest does", () => {
    const second = (each: Message): Message => ({ ...each, attempt: 2 });
    const first = [start(), ...epoch(1, 0.8)];
    const late = [
      ...epoch(2, 0.85),
      ...epoch(3, 0.7),
      say("test_curves", { fpr: [0], tpr: [1], threshold: [0] }),
      say("training_complete", { final_metrics: { test_auroc: 0.5 } }),
    ];
    const newer = [again({ from_epoch: 2 }), ...epoch(3, 0.9).map(second)];
    const read = (messages: readonly Message[]) => folded(messages.map((m, i) => ({ ...m, offset: i + 1 })));
    const inOrder = read([...first, ...late, ...newer]);
    const model = read([...first, ...newer, ...late]);
    expect(model.epochs.map((each) => [each.epoch, each.val?.metrics.val_auroc])).toEqual([
      [1, 0.8],
      [2, 0.85],
      [3, 0.9],
    ]);
    expect([model.epoch, model.end, model.finalMetrics, model.testCurves]).toEqual([3, null, null, null]);
    expect(model.best).toEqual(inOrder.best);
    expect(model.state.attempts).toEqual(inOrder.state.attempts);
  });

  it("draws time as one line over its attempts", () => {
    const at = (s: number): string => new Date(Date.parse("2026-11-24T10:00:00Z") + s * 1000).toISOString();
    const val = (n: number, s: number, attempt: number): Message =>
      say("epoch_end", { epoch: n, phase: "val", metrics: { val_loss: 1 }, attempt, timestamp: at(s) });
    const model = folded([
      { ...start(), timestamp: at(0) },
      val(1, 10, 1),
      val(2, 20, 1),
      val(3, 30, 1),
      { ...again({ from_epoch: 2 }), timestamp: at(1000) },
      val(3, 1012, 2),
    ]);
    expect(ranOf(model)(1, Date.parse(at(30)))).toBe(30);
    expect(ranOf(model)(2, Date.parse(at(1012)))).toBe(32);
  });

  it("keeps a stop that was asked of the new attempt and read before its first message", () => {
    const begins = say("run_start", { experiment_name: "first", attempt: 2, total_epochs: 10 });
    const asked = say("alert", { level: "info", title: "Stop", text: "asked", about: "cancel" });
    const state = [start(), asked, begins].reduce(foldState, emptyState("r"));
    expect(state.cancel_asked).toBe(asked.timestamp);
    const before = [asked, say("run_start", { attempt: 2 })].reduce(foldState, emptyState("r"));
    expect(before.cancel_asked).toBeNull();
  });

  it("holds the end of an attempt that is read before its beginning, or dated before it", () => {
    const death = say("training_error", { error: "killed", about: "death:w", attempt: 2 });
    const again = say("run_start", { experiment_name: "first", attempt: 2 });
    for (const order of [
      [again, death],
      [death, again],
    ]) {
      const state = [start(), ...order].reduce(foldState, emptyState("r"));
      expect([state.attempt, state.status, state.error, state.begun]).toEqual([
        2,
        "failed",
        "killed",
        again.timestamp,
      ]);
    }
    const late = { ...death, attempt: 1 };
    expect([start(), again, late].reduce(foldState, emptyState("r")).status).toBe("started");
  });

  it("shares what did not change with the model before", () => {
    const first = folded([start(), ...epoch(1, 0.9)]);
    const second = folded([say("alert", { level: "warning", title: "t", text: "x" })], first);
    expect(second.epochs).toBe(first.epochs);
    expect(second.alerts).toHaveLength(1);
    expect(first.alerts).toHaveLength(0);
  });
});

describe("steps", () => {
  const step = (row: number, loss: number | null) =>
    say("step", {
      row,
      epoch: 1,
      step: row,
      total_steps: 100,
      phase: "train",
      metrics: { train_loss: loss },
    });

  it("become columns", () => {
    const model = folded([start(), step(1, 0.5), step(2, null), step(3, 0.4)]);
    const series = stepSeries(model, "train");
    expect(series?.length).toBe(3);
    expect(series?.metrics.train_loss).toEqual([0.5, null, 0.4]);
    expect(model.step?.step).toBe(3);
    expect(series && firstGap(series)).toBeNull();
  });

  it("that were merged on the wire are told as missing, and put in where they belong", () => {
    const live = folded([start(), step(1, 0.5), step(4, 0.2)]);
    const series = stepSeries(live, "train");
    expect(series && firstGap(series)).toBe(1);
    const filled = foldSeries(live, {
      steps: [
        {
          client_id: null,
          phase: "train",
          row: [2, 3, 4, 5],
          epoch: [1, 1, 1, 1],
          step: [2, 3, 4, 5],
          total_steps: [100, 100, 100, 100],
          timestamp: ["", "", "", ""],
          metrics: { train_loss: [0.4, 0.3, 9, 0.1] },
        },
      ],
    });
    const all = stepSeries(filled, "train");
    expect(all?.row).toEqual([1, 2, 3, 4, 5]);
    expect(all?.metrics.train_loss).toEqual([0.5, 0.4, 0.3, 0.2, 0.1]);
    expect(series?.row.slice(0, series.length)).toEqual([1, 4]);
  });

  it("begin at a later row where the first were merged", () => {
    const model = folded([start(), step(7, 0.5)]);
    const series = stepSeries(model, "train");
    expect(series && firstGap(series)).toBe(0);
  });

  it("make a column for a metric that appears late", () => {
    const model = folded([
      start(),
      step(1, 0.5),
      say("step", { row: 2, epoch: 1, step: 2, phase: "train", metrics: { train_loss: 0.4, lr: 0.1 } }),
    ]);
    expect(stepSeries(model, "train")?.metrics).toEqual({ train_loss: [0.5, 0.4], lr: [null, 0.1] });
  });
});

describe("a federated run", () => {
  const fedStart = () =>
    say("run_start", {
      experiment_name: "six",
      mode: "federated",
      total_rounds: 3,
      config: { num_clients: 3, local_epochs: 2, epochs: 24 },
    });
  const client = (id: string, round: number, auroc = 0.9): Message[] => [
    say("round_start", { round, total_rounds: 3, client_id: id }),
    say("local_epoch", { round, local_epoch: 1, client_id: id, metrics: { train_loss: 0.5 } }),
    say("step", {
      round,
      epoch: 2,
      step: 3,
      total_steps: 9,
      phase: "train",
      client_id: id,
      row: round * 10,
      metrics: {},
    }),
    say("round_end", {
      round,
      client_id: id,
      fit_metrics: { train_loss: 0.4 },
      eval_metrics: { val_auroc: auroc, num_samples: 100 },
    }),
  ];

  it("is a board of clients by rounds, in the order of their names", () => {
    const model = folded([
      fedStart(),
      say("round_start", { round: 1, total_rounds: 3 }),
      ...client("b", 1),
      ...client("a", 1),
      say("round_aggregated", {
        round: 1,
        num_clients: 2,
        failed_clients: ["c"],
        metrics: { val_auroc: 0.9 },
      }),
    ]);
    expect(model.federated).toBe(true);
    expect(model.totalEpochs).toBeNull();
    expect(model.expectedClients).toBe(3);
    expect(model.localEpochs).toBe(2);
    expect(model.clients.map((each) => [each.clientId, each.index])).toEqual([
      ["a", 0],
      ["b", 1],
    ]);
    const cell = model.rounds[0]?.clients.b;
    expect(cell).toMatchObject({
      duration: 3000,
      fit: { train_loss: 0.4 },
      step: { step: 3, totalSteps: 9 },
    });
    expect(cell?.localEpochs.map((each) => each.localEpoch)).toEqual([1]);
    expect(model.rounds[0]?.aggregated).toMatchObject({
      numSamples: 200,
      numSamplesSummed: true,
      failedClients: ["c"],
    });
    expect(model.best).toEqual({ metric: "val_auroc", value: 0.9, at: 1 });
  });

  it("keeps what a client trained when its evaluation is told after that", () => {
    const model = folded([
      fedStart(),
      say("round_start", { round: 1, total_rounds: 3, client_id: "a" }),
      say("round_end", { round: 1, client_id: "a", fit_metrics: { train_loss: 0.4 }, eval_metrics: {} }),
      say("round_end", { round: 1, client_id: "a", fit_metrics: {}, eval_metrics: { val_loss: 0.3 } }),
    ]);
    expect(model.rounds[0]?.clients.a).toMatchObject({
      duration: 1000,
      fit: { train_loss: 0.4 },
      evaluation: { val_loss: 0.3 },
    });
  });

  it("sums what a client received and sent in a round, and what all of them did", () => {
    const model = folded([
      fedStart(),
      say("round_start", { round: 1, total_rounds: 3, client_id: "a" }),
      say("round_end", { round: 1, client_id: "a", bytes_down: 1000, bytes_up: 900 }),
      say("round_end", { round: 1, client_id: "a", bytes_down: 10, bytes_up: 9 }),
      say("client_failed", { round: 1, client_id: "b", error: "gone", bytes_down: 1000 }),
    ]);
    expect(model.rounds[0]?.clients.a).toMatchObject({ bytesDown: 1010, bytesUp: 909 });
    expect(model.rounds[0]?.clients.b).toMatchObject({ bytesDown: 1000, bytesUp: null });
    expect(model.state).toMatchObject({ bytes_down: 2010, bytes_up: 909 });
    expect(model.state.clients.map((each) => each.bytes_up)).toEqual([909, null]);
  });

  it("says what a hospital withholds, in which round and over all", () => {
    const model = folded([
      fedStart(),
      say("round_start", { round: 1, total_rounds: 3, client_id: "a" }),
      say("round_end", { round: 1, client_id: "a", withheld: { val_auroc: "n 7 < 20", odd: 7 } }),
      say("withheld", { client_id: "a", withheld: { "events of its own": "free text" } }),
      say("withheld", { withheld: { steps: "none leaves" } }),
    ]);
    expect(model.rounds[0]?.clients.a?.withheld).toEqual({ val_auroc: "n 7 < 20" });
    expect(model.state.clients[0]?.withheld).toEqual([
      { what: "events of its own", why: "free text", at: 0 },
      { what: "val_auroc", why: "n 7 < 20", at: 1 },
    ]);
    expect(model.state.withheld).toEqual([{ what: "steps", why: "none leaves", at: 0 }]);
  });

  it("says who failed and why, and forgives a client that comes back", () => {
    const failed = folded([
      fedStart(),
      ...client("a", 1),
      say("round_start", { round: 2, total_rounds: 3, client_id: "a" }),
      say("client_failed", { round: 2, client_id: "a", error: "GPU memory full" }),
    ]);
    expect(failed.clients[0]?.failed?.error).toBe("GPU memory full");
    expect(failed.rounds[1]?.clients.a).toMatchObject({
      failed: { error: "GPU memory full" },
      duration: 0,
    });
    const back = folded(client("a", 3), failed);
    expect(back.clients[0]?.failed).toBeNull();
    expect(back.rounds[1]?.clients.a?.failed?.error).toBe("GPU memory full");
  });

  it("has ended once each of its clients has, where only clients log", () => {
    const only = (id: string, round: number) =>
      ["round_start", "round_end"].map((type) => say(type, { round, total_rounds: 1, client_id: id }));
    const one = folded([...only("a", 1), say("round_start", { round: 1, total_rounds: 1, client_id: "b" })]);
    expect(one.status).toBe("running");
    expect(folded([say("round_end", { round: 1, client_id: "b" })], one).status).toBe("completed");
  });

  it("is the same whichever client is read first", () => {
    const messages = [fedStart(), ...client("a", 1), ...client("b", 1, 0.8)];
    const before = offset;
    const swapped = [...messages.slice(0, 1), ...messages.slice(5), ...messages.slice(1, 5)].map((each, i) =>
      each.type === "step" ? each : { ...each, offset: before + 1 + i },
    );
    const one = folded(messages);
    const other = folded(swapped);
    const facts = (model: RunModel) =>
      Object.values(model.rounds[0]?.clients ?? {})
        .map((c) => [c.clientId, c.duration, c.fit, c.evaluation])
        .sort();
    expect(facts(other)).toEqual(facts(one));
    expect(other.state).toEqual(one.state);
  });
});
