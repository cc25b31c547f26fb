import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, within } from "@testing-library/react";
import { beforeEach, expect, it, vi } from "vitest";
import { Router } from "wouter";
import { memoryLocation } from "wouter/memory-location";
import { SCENES } from "../../gallery/scenes";
import { findings } from "../../test/render";
import { RunScreen } from "./RunScreen";

// jsdom has no canvas: what is drawn is looked at in a browser; the words around it are tested here.
vi.mock("../charts/LineChart", () => ({
  LineChart: ({ label }: { label: string }) => <div>{`chart: ${label}`}</div>,
}));

/** The screen of a recorded run, without the page around it and without a line to a server. */
function show(name: string) {
  const scene = SCENES[name]?.();
  if (!scene?.view.model) throw new Error(`no scene ${name}`);
  const { hook, searchHook } = memoryLocation({ path: "/runs/r" });
  return render(
    <MantineProvider env="test">
      <QueryClientProvider client={new QueryClient()}>
        <Router hook={hook} searchHook={searchHook}>
          <main>
            <RunScreen
              view={scene.view}
              model={scene.view.model}
              now={scene.now}
              tryNow={() => undefined}
              websocketBlocked={false}
            />
          </main>
        </Router>
      </QueryClientProvider>
    </MantineProvider>,
  );
}

function asPhone(phone: boolean) {
  vi.spyOn(window, "matchMedia").mockImplementation((query) => ({
    matches: phone && query.includes("max-width: 719"),
    media: query,
    onchange: null,
    addListener: () => undefined,
    removeListener: () => undefined,
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
    dispatchEvent: () => false,
  }));
}

// Whole screens in jsdom, and axe over them, take seconds on a busy machine.
vi.setConfig({ testTimeout: 30_000 });

beforeEach(() => {
  asPhone(false);
  vi.spyOn(window, "scrollTo").mockImplementation(() => undefined);
});

it("says beside the name of every view that phantoms are no X-rays", () => {
  for (const phone of [false, true]) {
    asPhone(phone);
    for (const name of ["phantom", "fedthree"]) {
      show(name);
      expect(screen.getByText("phantoms, not X-rays")).toBeTruthy();
      cleanup();
    }
  }
  show("live");
  expect(screen.queryByText("phantoms, not X-rays")).toBeNull();
});

it("shows the sentence, the numbers with n, and what happened", () => {
  show("live");
  expect(screen.getByText(/^Training epoch 7 of 10\./)).toBeTruthy();
  expect(screen.getByText("378 of 389 pneumonia found")).toBeTruthy();
  expect(
    within(screen.getByRole("region", { name: "Events, newest first" })).getByText(/Best so far/i, {
      selector: "li:nth-child(2) span",
    }),
  ).toBeTruthy();
  expect(screen.getByText("They stand here after the last epoch.")).toBeTruthy();
});

it("tells a failed run's reason once, then what is safe; the detail is folded", () => {
  show("failed");
  expect(screen.getAllByText(/^Failed in epoch 2: The training loss became NaN/)).toHaveLength(1);
  expect(screen.getByText(/Best so far: epoch 1 \(validation AUROC 0\.958\)/)).toBeTruthy();
  const detail = screen.getByRole("button", { name: /Detail/ });
  expect(screen.queryByText(/FloatingPointError/)).toBeNull();
  fireEvent.click(detail);
  expect(screen.getByText(/FloatingPointError/)).toBeTruthy();
});

it("keeps the numbers while the server is away, with their age, and says nothing new of the run", () => {
  show("away");
  expect(screen.getByText("Running when last heard")).toBeTruthy();
  expect(screen.getByText(/^Training epoch 7 of 10\./)).toBeTruthy();
  expect(screen.getAllByText("42 s old")).toHaveLength(5);
  expect(screen.getByText(/next try in 3 s/)).toBeTruthy();
  expect(screen.getByRole("button", { name: "Try now" })).toBeTruthy();
});

it("says that a silent trainer may still run", () => {
  show("silent");
  expect(screen.getByText("Silent")).toBeTruthy();
  expect(screen.getByText(/It may still run\./)).toBeTruthy();
});

it("says of each hospital of the open round what it does", () => {
  show("federated");
  const table = screen.getByRole("table");
  expect(within(table).getByText(/^Late by \d+ s$/)).toBeTruthy();
  expect(within(table).getAllByText("Sent, waiting for 3")).toHaveLength(2);
  expect(within(table).getByText(/^Failed: GPU memory full/)).toBeTruthy();
  const grid = screen.getByRole("grid", { name: "Hospitals by rounds" });
  expect(
    within(grid).getByLabelText("Queen Anne, round 8: failed, GPU memory full: 1.2 GB wanted, 0.4 GB free."),
  ).toBeTruthy();
});

it("walks over the board with arrows, tells the cell, and opens all of it with Enter", () => {
  show("federated");
  const grid = screen.getByRole("grid", { name: "Hospitals by rounds" });
  fireEvent.focus(grid);
  for (let i = 0; i < 4; i++) fireEvent.keyDown(grid, { key: "ArrowDown" });
  expect(grid.getAttribute("aria-activedescendant")).toBe("cell-4-7");
  expect(screen.getByText("Queen Anne, round 8")).toBeTruthy();
  fireEvent.keyDown(grid, { key: "Enter" });
  fireEvent.click(screen.getByRole("button", { name: "Full detail" }));
  expect(screen.getByText(/CUDA out of memory/)).toBeTruthy();
});

it("asks before it stops, and says what is kept", async () => {
  show("live");
  fireEvent.click(screen.getByRole("button", { name: "Stop run" }));
  expect(
    await screen.findByText(/The best so far \(epoch 6\) is kept\. What epoch 7 has done is lost\./),
  ).toBeTruthy();
  fireEvent.click(screen.getByRole("button", { name: "Keep training" }));
});

it("turns a chart into its table", () => {
  show("live");
  const card = screen.getByRole("region", { name: "Recall and specificity" });
  fireEvent.click(within(card).getByRole("button", { name: "Show the table" }));
  const rows = within(card).getAllByRole("row");
  expect(rows).toHaveLength(7);
  expect(rows[6]?.textContent).toContain("0.9717");
});

it("has four tabs on a phone, and the board becomes a list", () => {
  asPhone(true);
  show("federated");
  expect(screen.queryByRole("grid")).toBeNull();
  expect(screen.getByText("GPU memory full: 1.2 GB wanted, 0.4 GB free.")).toBeTruthy();
  const tabs = screen.getByRole("navigation", { name: "Parts of this run" });
  fireEvent.click(within(tabs).getByRole("button", { name: "Events" }));
  expect(screen.getByText(/sent round 8/, { selector: "li:first-child span" })).toBeTruthy();
  fireEvent.click(within(tabs).getByRole("button", { name: "Set-up" }));
  expect(screen.getByText("by patient")).toBeTruthy();
});

it("tells which attempt it is and its history, and shows on demand what is superseded", async () => {
  show("resumed");
  expect(screen.getByText(/^Training epoch 9 of 10\./)).toBeTruthy();
  const tail = () => screen.getAllByRole("button", { name: /attempt 1 · epochs 6–8/ })[0] as HTMLElement;
  expect(tail().getAttribute("aria-pressed")).toBe("false");
  const card = screen.getByRole("region", { name: "AUROC" });
  fireEvent.click(within(card).getByRole("button", { name: "Show the table" }));
  expect(within(card).queryByText("validation, attempt 1")).toBeNull();
  fireEvent.click(tail());
  expect(tail().getAttribute("aria-pressed")).toBe("true");
  expect(within(card).getByText("validation, attempt 1")).toBeTruthy();
  expect(within(card).getAllByRole("row")).toHaveLength(9);
  fireEvent.click(screen.getByRole("button", { name: "attempt 2" }));
  const history = await screen.findByRole("table", { name: /The attempts of this run/ });
  expect(within(history).getByText("epoch 8, kept to 5")).toBeTruthy();
});

it.each(["finished", "federated", "failed", "away", "resumed"])(
  "gives axe nothing to find: %s",
  async (name) => {
    const { container } = show(name);
    expect(await findings(container)).toEqual([]);
  },
);
