import { expect, it } from "vitest";
import { emptyState, type RunState } from "../client/state";
import { place } from "./placement";

const run = (run_id: string, status: RunState["status"]): RunState => ({ ...emptyState(run_id), status });
const before = { live: ["a"], earlier: ["b"] };

it("puts live runs on top", () => {
  const { placement } = place(null, [run("b", "completed"), run("a", "running"), run("q", "queued")], false);
  expect(placement).toEqual({ live: ["a", "q"], earlier: ["b"] });
});

it("keeps rows where they are while somebody reads, and counts what waits", () => {
  const rows = [run("new", "running"), run("a", "completed"), run("b", "completed")];
  expect(place(before, rows, false)).toEqual({ placement: before, waiting: 1 });
});

it("moves what has ended, and shows what is new, once nobody reads", () => {
  const rows = [run("new", "running"), run("a", "completed"), run("b", "completed")];
  expect(place(before, rows, true)).toEqual({
    placement: { live: ["new"], earlier: ["a", "b"] },
    waiting: 0,
  });
});

it("is the same object when nothing has moved", () => {
  expect(place(before, [run("a", "running"), run("b", "failed")], true).placement).toBe(before);
});
