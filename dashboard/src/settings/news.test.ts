import { expect, it } from "vitest";
import type { AlertLine } from "../client/api";
import { emptyState, type RunState } from "../client/state";
import { eventOf, newsOf, newsOfRules } from "./news";

const ALL = ["finished", "failed", "stalled", "rules"] as const;

function run(more: Partial<RunState>): RunState {
  return { ...emptyState("run-1"), experiment_name: "baseline", sentence: "A sentence.", ...more };
}

it("calls a run that nobody hears stalled, before and after it is given up", () => {
  expect(eventOf(run({ status: "running", condition: "lost_contact" }))).toBe("stalled");
  expect(eventOf(run({ status: "lost" }))).toBe("stalled");
  expect(eventOf(run({ status: "running", condition: "training" }))).toBeNull();
  expect(eventOf(run({ status: "cancelled" }))).toBeNull();
});

it("tells what has become of a run that was known to go on, once, and names the rule", () => {
  const failed = run({ status: "failed" });
  const news = newsOf(new Map([["run-1", null]]), [failed], ALL);
  expect(news.map((each) => each.title)).toEqual(["baseline failed"]);
  expect(news[0]?.body).toBe("A sentence.\nRule: failed (this browser's)");
  expect(newsOf(new Map([["run-1", "failed"]]), [failed], ALL)).toEqual([]);
});

it("tells nothing of a run it sees for the first time, nor of what nobody wants to hear", () => {
  const failed = run({ status: "failed" });
  expect(newsOf(new Map(), [failed], ALL)).toEqual([]);
  expect(newsOf(new Map([["run-1", null]]), [failed], ["finished"])).toEqual([]);
});

it("tells of the server's rules those about a line", () => {
  const line = (rule: string | null): AlertLine => ({
    offset: 1,
    run_id: "run-1",
    client_id: null,
    level: "info",
    title: "Validation AUROC 0.960 at epoch 3",
    text: "val_auroc is 0.96, which is > 0.95.",
    timestamp: "",
    type: "alert",
    rule,
    round: null,
    attempt: 1,
    run_name: "",
    experiment_name: "baseline",
  });
  expect(newsOfRules([line("finished"), line(null), line("val_auroc > 0.95")])).toEqual([
    {
      tag: "run-1 val_auroc > 0.95",
      title: "baseline: Validation AUROC 0.960 at epoch 3",
      body: "val_auroc is 0.96, which is > 0.95.\nRule: val_auroc > 0.95",
      runId: "run-1",
    },
  ]);
});
