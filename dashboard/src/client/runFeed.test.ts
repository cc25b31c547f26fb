import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { playServer, Refusal, TestSocket } from "../../test/server";
import { UNKNOWN_RUN } from "./closeCodes.generated";
import { browserEnvironment } from "./environment";
import { stepSeries } from "./model";
import { RunFeed } from "./runFeed";
import { setScheduler } from "./schedule";
import { emptyState, type RunState } from "./state";

const at = (s: number): string => new Date(Date.parse("2026-11-24T10:00:00Z") + s * 1000).toISOString();
const told: RunState = {
  ...emptyState("r"),
  status: "running",
  experiment_name: "first",
  sentence: "Training epoch 2 of 3.",
  hears_cancel: true,
  epoch: 2,
  total_epochs: 3,
};
const subscribed = (top: number, recovered = true) => ({ type: "subscribed", log_id: "l", top, recovered });
const start = {
  type: "run_start",
  run_id: "r",
  timestamp: at(0),
  offset: 1,
  mode: "centralized",
  experiment_name: "first",
  total_epochs: 3,
};
const step = (row: number) => ({
  type: "step",
  run_id: "r",
  timestamp: at(row),
  row,
  epoch: 1,
  step: row,
  total_steps: 9,
  phase: "train",
  metrics: { train_loss: row / 10 },
});

let feed: RunFeed;

async function follow(answers: Parameters<typeof playServer>[0]) {
  const server = playServer(answers);
  feed = new RunFeed("r", browserEnvironment());
  feed.start();
  await vi.advanceTimersByTimeAsync(0);
  return server;
}

beforeEach(() => {
  vi.useFakeTimers();
  setScheduler((flush) => queueMicrotask(flush));
});
afterEach(() => {
  feed.stop();
  setScheduler();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

it("has the server's own words before any message is here, and the model's afterwards", async () => {
  await follow(() => told);
  expect(feed.store.get()).toMatchObject({
    known: "ready",
    complete: false,
    state: { sentence: "Training epoch 2 of 3." },
  });
  expect(feed.store.get().model).toMatchObject({
    name: "first",
    status: "running",
    totalEpochs: 3,
    epoch: 2,
    hearsCancel: true,
  });
  TestSocket.newest.give(subscribed(1), start);
  await vi.advanceTimersByTimeAsync(0);
  expect(feed.store.get()).toMatchObject({ complete: true, line: { kind: "live" } });
  expect(feed.store.get().model?.hearsCancel).toBe(true);
});

const columns = (row: readonly number[]) => ({
  client_id: null,
  phase: "train",
  row,
  epoch: row,
  step: row,
  total_steps: row,
  timestamp: row.map(at),
  metrics: { train_loss: row.map((n) => n / 10) },
});

it("opens a run with one request, and goes on live from there", async () => {
  const epoch = { ...start, type: "epoch_start", epoch: 1, offset: 5 };
  const page = { log_id: "l", top: 9, state: told, messages: [start, epoch], steps: [columns([1, 2])] };
  const { asked } = await follow((path) => (path.endsWith("/page") ? page : told));
  expect(asked).toEqual(["GET /api/runs/r/page"]);
  expect(TestSocket.newest.url).toContain("after=9&log_id=l");
  expect(feed.store.get()).toMatchObject({ known: "ready", complete: true });
  const model = feed.store.get().model;
  expect(model?.events).toHaveLength(2);
  expect(model && stepSeries(model, "train")?.row).toEqual([1, 2]);
  TestSocket.newest.give(subscribed(9), { ...epoch, epoch: 2, offset: 10 });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(feed.store.get().model?.epoch).toBe(2);
  expect(asked.filter((each) => each.includes("/series"))).toEqual([]);
});

it("asks for the state alone while all of a long run is on its way", async () => {
  let give: (page: object) => void = () => undefined;
  const { asked } = await follow((path) =>
    path.endsWith("/page") ? new Promise((resolve) => (give = resolve)) : told,
  );
  await vi.advanceTimersByTimeAsync(250);
  expect(asked).toEqual(["GET /api/runs/r/page", "GET /api/runs/r"]);
  expect(feed.store.get()).toMatchObject({ known: "ready", complete: false });
  give({ log_id: "l", top: 1, state: told, messages: [start], steps: [] });
  await vi.advanceTimersByTimeAsync(0);
  expect(feed.store.get()).toMatchObject({ complete: true });
});

it("fetches the steps that were merged on the wire, and has every row once", async () => {
  const { asked } = await follow((path) =>
    path.includes("/series") ? { steps: [columns([1, 2, 3, 4])] } : told,
  );
  TestSocket.newest.give(subscribed(1), start);
  await vi.advanceTimersByTimeAsync(0);
  expect(asked.filter((each) => each.includes("/series"))).toEqual([
    "GET /api/runs/r/series?since=0&attempt=all",
  ]);
  TestSocket.newest.give(step(4), step(7));
  await vi.advanceTimersByTimeAsync(2_100);
  expect(asked.filter((each) => each.includes("/series")).at(-1)).toBe(
    "GET /api/runs/r/series?since=4&attempt=all",
  );
  const model = feed.store.get().model;
  expect(model && stepSeries(model, "train")?.row).toEqual([1, 2, 3, 4, 7]);
});

it("knows a run that nobody knows", async () => {
  await follow(() => new Refusal(404, { title: "There is no run 'r'.", status: 404 }));
  TestSocket.newest.onclose?.({ code: UNKNOWN_RUN, reason: "" });
  await vi.advanceTimersByTimeAsync(0);
  expect(feed.store.get()).toMatchObject({ known: "unknown", model: null, line: { kind: "refused" } });
});

it("begins afresh when the server's log was rebuilt, and says so until that is closed", async () => {
  await follow(() => told);
  TestSocket.newest.give(subscribed(1), start, { ...start, type: "epoch_start", epoch: 1, offset: 2 });
  await vi.advanceTimersByTimeAsync(0);
  TestSocket.newest.onclose?.({ code: 1012, reason: "" });
  await vi.advanceTimersByTimeAsync(600);
  TestSocket.newest.give(subscribed(1, false), start);
  await vi.advanceTimersByTimeAsync(0);
  expect(feed.store.get().rebuilt).toBe(true);
  expect(feed.store.get().model?.events).toHaveLength(1);
  feed.closeRebuilt();
  await vi.advanceTimersByTimeAsync(0);
  expect(feed.store.get().rebuilt).toBe(false);
});

it("asks for the steps of a long run thinned, and adds what comes later behind them", async () => {
  const page = { log_id: "l", top: 1, state: told, messages: [start], steps: [], steps_left_out: true };
  const thin = { ...columns([1, 400, 900]), thinned: 1000 };
  const { asked } = await follow((path) =>
    path.includes("/page")
      ? page
      : path.includes("points=")
        ? { steps: [thin] }
        : path.includes("/series")
          ? { steps: [columns([1002])] }
          : told,
  );
  await vi.advanceTimersByTimeAsync(10);
  TestSocket.newest.give(subscribed(1), step(1001), step(1003));
  await vi.advanceTimersByTimeAsync(3000);
  const model = feed.store.get().model;
  const series = model && stepSeries(model, "train");
  expect(series?.row.slice(0, series.length)).toEqual([1, 400, 900, 1001, 1002, 1003]);
  const gaps = asked.filter((each) => each.includes("/series") && !each.includes("points="));
  expect(gaps).toHaveLength(1);
  expect(gaps[0]).toContain("since=1001");
});
