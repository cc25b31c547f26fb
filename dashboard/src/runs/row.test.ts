import { describe, expect, it } from "vitest";
import { emptyClient, emptyState, type RunState } from "../client/state";
import {
  hospitals,
  latest,
  progress,
  rowState,
  secondLine,
  sentence,
  setUp,
  startedWords,
  took,
} from "./row";

const run = (more: Partial<RunState>): RunState => ({ ...emptyState("r"), ...more });

describe("progress", () => {
  it("counts the open epoch by its steps", () => {
    expect(
      progress(run({ status: "running", epoch: 7, total_epochs: 10, step: 74, total_steps: 148 })),
    ).toBeCloseTo(0.65);
  });
  it("is not drawn where nobody knows the total", () => {
    expect(progress(run({ status: "running", epoch: 7 }))).toBeNull();
  });
});

describe("the latest value", () => {
  const validated = run({
    metrics: { val_auroc: 0.979, val_loss: 0.1 },
    n: 524,
    split_sizes: { val: 524 },
    split_cases: { val: { normal: 135, pneumonia: 389 } },
  });
  it("comes with its interval", () => {
    const { value, interval } = latest(validated, "auroc");
    expect(value).toBe(0.979);
    expect(interval?.low).toBeCloseTo(0.965, 3);
  });
  it("has none without counts, and says why", () => {
    expect(latest(run({ metrics: { val_auroc: 0.9 } }), "auroc")).toEqual({
      value: 0.9,
      interval: null,
      without: "n not reported",
    });
  });
  it("has none where not all hospitals were counted: their classes are not known", () => {
    expect(latest({ ...validated, n: 492 }, "auroc").interval).toBeNull();
  });
  it("of a loss has no interval and owes none", () => {
    expect(latest(validated, "loss")).toEqual({ value: 0.1, interval: null, without: "" });
  });
});

describe("the words of a row", () => {
  it("warn of who has fallen or is waited for, and say nothing of a silence that follows from it", () => {
    const fallen = { ...emptyClient("north"), status: "failed" as const, failed: true };
    const died = run({ status: "running", sentence: "Round 3 of 5: north died.", clients: [fallen] });
    expect(rowState(died, false).tone).toBe("warn");
    expect(sentence(died, false, 40)).toBe("Round 3 of 5: north died");
    const waits = run({ status: "started", condition: "waiting_for_clients" });
    expect(rowState(waits, false).tone).toBe("warn");
  });

  it("leave out what other columns say", () => {
    const done = run({ status: "completed", sentence: "Finished in 10 min 21 s; best epoch 8 of 10." });
    expect(sentence(done, false, null)).toBe("Finished; best epoch 8 of 10");
  });
  it("say no more than was heard while the server is away", () => {
    expect(sentence(run({ status: "running", sentence: "Training epoch 7 of 10." }), true, null)).toBe(
      "Running when last heard",
    );
    expect(sentence(run({ status: "failed", sentence: "Failed: x." }), true, null)).toBe("Failed: x");
  });
  it("never call a silent run failed", () => {
    const silent = run({ status: "running", sentence: "No message for 1 min 40 s; it may still run." });
    expect(sentence(silent, false, 100)).toBe("Silent for 1 min 40 s, may still run");
    expect(rowState(silent, true)).toEqual({ tone: "warn", sign: "silent" });
  });
  it("give the time left under a running one and the result under a finished one", () => {
    expect(
      secondLine(
        run({
          status: "running",
          detail_sentence: "2 of 6 hospitals have sent. About 39 min left (90 % within 47 min).",
        }),
      ),
    ).toBe("about 39 min left (90 % within 47 min)");
    expect(
      secondLine(
        run({ status: "completed", final_metrics: { test_auroc: 0.958 }, split_sizes: { test: 624 } }),
      ),
    ).toBe("test AUROC 0.958, n 624");
    expect(secondLine(run({ status: "completed", final_metrics: { test_auroc: 0.958 } }))).toBe(
      "test AUROC 0.958, n not reported",
    );
  });
  it("tell the set-up as far as it is known", () => {
    expect(setUp(run({ mode: "federated", setup: { partition: "dirichlet", alpha: 0.3, seed: 42 } }))).toBe(
      "Federated, Dirichlet 0.3, seed 42",
    );
    expect(setUp(run({}))).toBe("Centralised");
    expect(setUp(run({ attempt: 2, setup: { model: "resnet18" } }))).toBe("Centralised, resnet18, attempt 2");
  });
});

it("counts hospitals, or says that it is central", () => {
  expect(hospitals(run({}))).toBe("central");
  expect(hospitals(run({ mode: "federated", num_clients: 6 }))).toBe("6");
});

it("measures an ended run to its end and a running one to now", () => {
  const start_time = "2026-11-24T10:00:00+00:00";
  const now = Date.parse("2026-11-24T11:00:00Z");
  expect(took(run({ status: "running", start_time }), now)).toBe(3_600_000);
  expect(took(run({ status: "failed", start_time, end_time: "2026-11-24T10:01:35+00:00" }), now)).toBe(
    95_000,
  );
  expect(took(run({}), now)).toBeNull();
});

it("says when a run started as people do", () => {
  const now = new Date(2026, 10, 24, 12, 0).getTime();
  expect(startedWords(new Date(2026, 10, 24, 9, 2).getTime(), now)).toBe("09:02");
  expect(startedWords(new Date(2026, 10, 23, 16, 40).getTime(), now)).toBe("Mon 16:40");
  expect(startedWords(new Date(2026, 10, 3, 16, 40).getTime(), now)).toBe("3 Nov 16:40");
});
