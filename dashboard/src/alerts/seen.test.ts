import { expect, it } from "vitest";
import type { AlertLine, AlertPage } from "../client/api";
import { needsAttention, readSeen, unseen, writeSeen } from "./seen";

const NOW = Date.parse("2026-01-02T12:00:00Z");

function line(offset: number, more: Partial<AlertLine> = {}): AlertLine {
  return {
    offset,
    run_id: "run-1",
    client_id: null,
    level: "error",
    title: "The training failed",
    text: "out of memory",
    timestamp: "2026-01-02T11:00:00+00:00",
    type: "training_error",
    rule: null,
    round: null,
    attempt: 1,
    run_name: "",
    experiment_name: "baseline",
    ...more,
  };
}

const page = (...alerts: readonly AlertLine[]): AlertPage => ({ alerts, log_id: "a", top: 9 });

it("counts what needs attention above what was shown", () => {
  const found = page(line(9), line(8, { level: "info" }), line(7, { level: "warning" }), line(3));
  expect(unseen(found, { logId: "a", offset: 3 }, NOW)).toBe(2);
});

it("counts a failure once where a rule has told it too", () => {
  expect(needsAttention(line(1, { type: "alert", rule: "failed" }))).toBe(false);
  expect(needsAttention(line(1, { type: "alert", rule: "stalled", level: "warning" }))).toBe(true);
});

it("counts the last day only where nothing was ever shown, or the log is another one", () => {
  const found = page(line(9), line(2, { timestamp: "2026-01-01T11:00:00+00:00" }));
  expect(unseen(found, null, NOW)).toBe(1);
  expect(unseen(found, { logId: "b", offset: 100 }, NOW)).toBe(1);
});

it("remembers what was shown, and begins anew where that cannot be read", () => {
  const kept = new Map<string, string>();
  const storage = {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
  };
  expect(readSeen(storage)).toBeNull();
  writeSeen(storage, { logId: "a", offset: 4 });
  expect(readSeen(storage)).toEqual({ logId: "a", offset: 4 });
  expect(readSeen({ getItem: () => "{" })).toBeNull();
  expect(readSeen(null)).toBeNull();
});
