import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { findings, renderScreen } from "../../test/render";
import { playServer } from "../../test/server";
import AlertsScreen from "./AlertsScreen";

const FAILED = {
  offset: 12,
  run_id: "run-1",
  client_id: "hospital_2",
  level: "error",
  title: "A hospital failed",
  text: "disk full",
  timestamp: new Date(Date.now() - 60_000).toISOString(),
  type: "client_failed",
  rule: null,
  round: 3,
  attempt: 1,
  run_name: "",
  experiment_name: "six-sites",
};
const TOLD = {
  ...FAILED,
  offset: 11,
  client_id: null,
  level: "info",
  title: "Validation AUROC 0.960 at epoch 3",
  text: "val_auroc is 0.96, which is > 0.95.",
  type: "alert",
  rule: "val_auroc > 0.95",
  round: null,
};
const RULE = { id: "1a", when: "failed", runs: "*", to: [], source: "file", since: "", by: "" };
const MADE = { ...RULE, id: "2b", when: "val_auroc > 0.95", source: "page", by: "Ada" };
const TARGET = {
  name: "mail",
  service: "mailtos",
  waiting: 2,
  told: 5,
  trouble: "refused",
  trouble_since: 1,
};

let asked: string[];

function answer(path: string): unknown {
  asked.push(path);
  if (path.startsWith("/api/alerts")) return { alerts: [FAILED, TOLD], log_id: "a", top: 12 };
  if (path.startsWith("/api/rules")) {
    const quiet = { begins: "22:00", ends: "07:00", zone: null, failures: "through" };
    return { rules: [RULE, MADE], targets: [TARGET], quiet, file: true };
  }
  return { runs: [], total: 0, page: 1, limit: 100 };
}

beforeEach(() => {
  asked = [];
});
afterEach(() => vi.unstubAllGlobals());

it("lists what happened with the run at that moment, and who is told", async () => {
  playServer(answer);
  const { container } = renderScreen(<AlertsScreen />, "/alerts");
  const line = (await screen.findByText("A hospital failed")).closest("li") as HTMLElement;
  expect(within(line).getByRole("link", { name: "six-sites" }).getAttribute("href")).toBe(
    "/runs/run-1?tab=events&at=3",
  );
  expect(screen.getByText(/by the rule val_auroc > 0.95/)).toBeTruthy();
  expect(await screen.findByText(/Does not take messages: refused/)).toBeTruthy();
  expect(screen.getByText(/Quiet from 22:00 to 07:00/)).toBeTruthy();
  // A rule of the operator's file is the operator's to change.
  expect(screen.getByRole("button", { name: "Remove the rule val_auroc > 0.95" })).toBeTruthy();
  expect(screen.queryByRole("button", { name: "Remove the rule failed" })).toBeNull();
  expect(await findings(container)).toEqual([]);
});

it("asks the server for warnings and failures alone, and keeps that in the address", async () => {
  playServer(answer);
  const { history } = renderScreen(<AlertsScreen />, "/alerts");
  fireEvent.click(await screen.findByRole("radio", { name: "Warnings and failures" }));
  await waitFor(() =>
    expect(asked.some((path) => path.includes("level=warning&level=error&limit=50"))).toBe(true),
  );
  expect(history.at(-1)).toBe("/alerts?level=attention");
});
