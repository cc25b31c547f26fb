import { act, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { findings, renderScreen } from "../../test/render";
import { playServer, Refusal, TestSocket } from "../../test/server";
import { setScheduler } from "../client/schedule";
import { emptyState, type RunState } from "../client/state";
import { RunsScreen } from "./RunsScreen";

const HOUR = 3_600_000;
const ago = (ms: number): string => new Date(Date.now() - ms).toISOString();

function run(run_id: string, more: Partial<RunState> = {}): RunState {
  return {
    ...emptyState(run_id),
    experiment_name: run_id,
    led: true,
    begun: ago(HOUR),
    start_time: ago(HOUR),
    updated_at: ago(1_000),
    total_epochs: 10,
    pace: { last: ago(1_000), gaps: [1, 1, 1], longest: 1 },
    ...more,
  };
}

const live = run("live-one", {
  status: "running",
  epoch: 3,
  metrics: { val_auroc: 0.979 },
  metrics_at: 2,
  n: 524,
  split_sizes: { val: 524 },
  split_cases: { val: { normal: 135, pneumonia: 389 } },
  key_metric: "val_auroc",
  key_series: [
    [1, 0.9],
    [2, 0.979],
  ],
});
const ended = run("ended-one", {
  status: "completed",
  phantom: true,
  epoch: 10,
  end: {
    status: "completed",
    time: ago(HOUR / 2),
    error: null,
    detail: null,
    by: null,
    reason: null,
    died: false,
  },
  end_time: ago(HOUR / 2),
  final_metrics: { test_auroc: 0.958 },
});

let runs: readonly RunState[];

function list(path: string) {
  const status = new URL(path, "http://x").searchParams.getAll("status");
  const found = runs.filter((each) => status.length === 0 || status.includes(each.status));
  return { runs: found, total: found.length, page: 1, limit: 11 };
}

beforeEach(() => {
  runs = [live, ended];
  setScheduler((flush) => queueMicrotask(flush));
  window.scrollTo = () => undefined;
});
afterEach(() => {
  setScheduler();
  vi.unstubAllGlobals();
});

async function tell(...frames: readonly object[]): Promise<void> {
  await act(async () => {
    TestSocket.newest.give(...frames);
    await Promise.resolve();
  });
}

it("lists live runs on top, each with its sentence, value, interval and n", async () => {
  playServer(list);
  renderScreen(<RunsScreen />);
  await screen.findByRole("link", { name: "live-one" });
  const table = screen.getByRole("table", { name: "Runs" });
  expect(within(table).getByText("Live now, 1")).toBeTruthy();
  const row = within(table).getByRole("link", { name: "live-one" }).closest("tr") as HTMLElement;
  expect(row.textContent).toContain("Training epoch 3 of 10");
  expect(row.textContent).toContain("0.979");
  expect(row.textContent).toContain("0.965 to 0.987");
  expect(row.textContent).toContain("524");
  expect(screen.getByText("test AUROC 0.958, n not reported")).toBeTruthy();
});

it("marks a run on phantoms beside its name", async () => {
  playServer(list);
  renderScreen(<RunsScreen />);
  const row = (await screen.findByRole("link", { name: "ended-one" })).closest("tr");
  expect(row?.textContent).toContain("phantoms, not X-rays");
});

it("changes a live row in place as its messages come, without asking the server", async () => {
  const { asked } = playServer(list);
  renderScreen(<RunsScreen />);
  await screen.findByRole("link", { name: "live-one" });
  const before = asked.length;
  await tell(
    { type: "subscribed", log_id: "l", top: 5, recovered: true },
    { type: "epoch_start", run_id: "live-one", timestamp: ago(0), epoch: 4, total_epochs: 10, offset: 6 },
    {
      type: "epoch_end",
      run_id: "live-one",
      timestamp: ago(0),
      epoch: 4,
      phase: "val",
      metrics: { val_auroc: 0.99 },
      offset: 7,
    },
  );
  await screen.findByText("Training epoch 4 of 10");
  expect(screen.getByText("0.990")).toBeTruthy();
  expect(asked).toHaveLength(before);
});

it("keeps a run that has ended in its place while the pointer is in the table, and moves it afterwards", async () => {
  playServer(list);
  renderScreen(<RunsScreen />);
  const link = await screen.findByRole("link", { name: "live-one" });
  fireEvent(link, new MouseEvent("pointerover", { bubbles: true }));
  Object.defineProperty(MouseEvent.prototype, "pointerType", { value: "mouse", configurable: true });
  fireEvent(link, new MouseEvent("pointerover", { bubbles: true }));
  const failed = {
    type: "training_error",
    run_id: "live-one",
    timestamp: ago(0),
    error: "disk full",
    offset: 8,
  };
  runs = [run("new-one", { status: "running" }), { ...live, status: "failed" }, ended];
  await tell({ type: "subscribed", log_id: "l", top: 5, recovered: true }, failed);
  await screen.findByText("Failed in epoch 3: disk full");
  expect(screen.getByRole("status").textContent).toContain("disk full");
  await screen.findByRole("button", { name: "1 new run, show" });
  expect(screen.queryByRole("link", { name: "new-one" })).toBeNull();
  fireEvent.click(screen.getByRole("button", { name: "1 new run, show" }));
  const links = await screen.findAllByRole("link", { name: /-one$/ });
  expect(links.map((each) => each.textContent)).toEqual(["new-one", "live-one", "ended-one"]);
  Reflect.deleteProperty(MouseEvent.prototype, "pointerType");
});

it("shows three things to do where there is no run yet", async () => {
  runs = [];
  const { asked } = playServer((path, init) => (init?.method === "POST" ? { run_id: "demo-1" } : list(path)));
  const { history } = renderScreen(<RunsScreen />);
  await screen.findByRole("heading", { name: "No runs yet" });
  fireEvent.click(screen.getByRole("button", { name: "Start the demo run" }));
  await waitFor(() => expect(history?.at(-1)).toBe("/runs/demo-1"));
  expect(asked).toContain("POST /api/centralized/train");
});

it("says what is wrong when the list cannot be had, and what would be right", async () => {
  playServer(
    () =>
      new Refusal(500, {
        title: "The server made a mistake of its own.",
        detail: "Its output tells more.",
        status: 500,
      }),
  );
  renderScreen(<RunsScreen />);
  await screen.findAllByText("The server made a mistake of its own.");
  expect(screen.getByRole("status").textContent).toBe("The server made a mistake of its own.");
  expect(screen.getByText(/Its output tells more/)).toBeTruthy();
  expect(screen.getByRole("button", { name: "Try again" })).toBeTruthy();
});

it("asks before it stops a run", async () => {
  const { asked } = playServer((path, init) => (init?.method === "POST" ? {} : list(path)));
  renderScreen(<RunsScreen />);
  fireEvent.click(await screen.findByRole("button", { name: "More for live-one" }));
  fireEvent.click(await screen.findByText("Stop run…"));
  const dialog = await screen.findByRole("dialog");
  expect(asked.some((each) => each.startsWith("POST"))).toBe(false);
  fireEvent.click(within(dialog).getByRole("button", { name: "Stop run" }));
  await waitFor(() => expect(asked).toContain("POST /api/runs/live-one/cancel"));
});

it("goes from row to row with j and k, and to the filter with /", async () => {
  playServer(list);
  renderScreen(<RunsScreen />);
  const first = await screen.findByRole("link", { name: "live-one" });
  fireEvent.keyDown(document.body, { key: "j" });
  expect(document.activeElement).toBe(first);
  fireEvent.keyDown(first, { key: "j" });
  expect(document.activeElement?.textContent).toBe("ended-one");
  fireEvent.keyDown(document.activeElement as Element, { key: "k" });
  expect(document.activeElement).toBe(first);
  fireEvent.keyDown(first, { key: "/" });
  expect(document.activeElement).toBe(screen.getByRole("textbox", { name: /Filter/ }));
});

it("has nothing that axe finds, and one live region", async () => {
  playServer(list);
  const { container } = renderScreen(<RunsScreen />);
  await screen.findByRole("link", { name: "live-one" });
  expect(await findings(container)).toEqual([]);
  expect(container.ownerDocument.querySelectorAll("[aria-live], [role=status], [role=alert]")).toHaveLength(
    1,
  );
});
