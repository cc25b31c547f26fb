import { screen, waitFor, within } from "@testing-library/react";
import { afterEach, expect, it, vi } from "vitest";
import { findings, renderScreen } from "../../test/render";
import { playServer } from "../../test/server";
import type { Source } from "../client/api";
import { session } from "../client/session";
import DataScreen from "./DataScreen";

const SOURCE: Source = {
  source_path: "/data/x.npz",
  name: "x",
  phantom: false,
  counts: { train: { normal: 1, pneumonia: 2 }, val: {}, test: { normal: 1, pneumonia: 1 } },
  labels: { train: "011", val: "", test: "01" },
  notes: ["cut into splits by us, seed 0"],
  digest: "abc",
  image_size: 28,
  seed: 0,
};

function play(role: string, same: boolean | null = true): readonly string[] {
  const answers: readonly [string, unknown][] = [
    ["/api/session", { name: "olga", role, tokens: true }],
    [
      "/api/data/sources",
      { sources: [{ source_path: SOURCE.source_path, name: "x", kind: "npz" }], more: false },
    ],
    ["/api/data/source?", SOURCE],
    ["/api/data/runs/", { run_id: "r", source: SOURCE, same }],
    ["/api/runs", { runs: [], total: 0, page: 1, limit: 50 }],
  ];
  return playServer((path) => answers.find(([start]) => path.startsWith(start))?.[1] ?? {}).asked;
}

afterEach(() => vi.unstubAllGlobals());

it("shows counts, and each image of a split with its place and class", async () => {
  play("operator");
  await session.ask();
  const { container } = renderScreen(<DataScreen />, "/data?split=train");
  const images = await screen.findAllByRole("img", { name: /^train \d/ }, { timeout: 10_000 });
  expect(images.map((each) => each.getAttribute("alt"))).toEqual([
    "train 0, normal",
    "train 1, pneumonia",
    "train 2, pneumonia",
  ]);
  expect(images[2]?.getAttribute("src")).toMatch(/^\/api\/data\/images\/train\/2\?/);
  expect(images.every((each) => each.getAttribute("loading") === "lazy")).toBe(true);
  expect(within(screen.getByRole("row", { name: /^train/ })).getAllByRole("cell")[2]?.textContent).toBe("3");
  expect(await findings(container)).toEqual([]);
});

it("of a run says whether the source is still what the run saw", async () => {
  play("operator", false);
  await session.ask();
  renderScreen(<DataScreen />, "/data?run=r");
  expect(await screen.findByText(/these are not the images the run saw/)).toBeTruthy();
});

it("asks for nothing without an operator's token", async () => {
  const asked = play("viewer");
  await session.ask();
  renderScreen(<DataScreen />, "/data");
  expect(await screen.findByText(/shown to an operator's token only/)).toBeTruthy();
  await waitFor(() => expect(asked.some((path) => path.includes("/api/data"))).toBe(false));
});
