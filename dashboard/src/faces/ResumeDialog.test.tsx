import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, expect, it, vi } from "vitest";
import type { RunModel } from "../client/model";
import { pauseState } from "../run/pause";
import { ResumeDialog } from "./ResumeDialog";

vi.setConfig({ testTimeout: 30_000 });

afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
});

/** The dialog over a server that offers these checkpoints; what was asked of it, and whether the dialog closed. */
function show(found: object, answer: { status: number; body: object } = { status: 202, body: {} }) {
  const asked: unknown[] = [];
  const closed = vi.fn();
  vi.spyOn(globalThis, "fetch").mockImplementation(async (_, init) => {
    if (init?.method !== "POST") return new Response(JSON.stringify(found), { status: 200 });
    asked.push(JSON.parse(String(init.body)));
    return new Response(JSON.stringify(answer.body), { status: answer.status });
  });
  render(
    <MantineProvider env="test">
      <QueryClientProvider client={new QueryClient()}>
        <ResumeDialog
          runId="r"
          name="baseline"
          attempt={1}
          opened
          onClose={closed}
          onAsked={() => undefined}
        />
      </QueryClientProvider>
    </MantineProvider>,
  );
  return { asked, closed };
}

const THREE = { unit: "epoch", points: [5, 6, 7], total: 10, why_not: null };

it("goes on from the newest checkpoint unless another is chosen", async () => {
  const { asked, closed } = show(THREE);
  fireEvent.click(await screen.findByRole("button", { name: "Go on from epoch 7" }));
  await waitFor(() => expect(closed).toHaveBeenCalled());
  expect(asked).toEqual([{ from: 7 }]);
});

it("goes on from the one that is chosen, or from the very beginning", async () => {
  const { asked } = show(THREE);
  fireEvent.click(await screen.findByLabelText("Epoch 5"));
  fireEvent.click(screen.getByRole("button", { name: "Go on from epoch 5" }));
  await waitFor(() => expect(asked).toEqual([{ from: 5 }]));
  fireEvent.click(screen.getByLabelText("The very beginning"));
  expect(screen.getByRole("button", { name: "Start over" })).toBeTruthy();
});

it("says why a run cannot go on, and offers nothing then", async () => {
  show({ ...THREE, points: [], why_not: "Its images at /data/x.npz are gone." });
  expect((await screen.findByRole("alert")).textContent).toBe("Its images at /data/x.npz are gone.");
  expect(screen.queryByRole("radio")).toBeNull();
  expect(screen.queryByRole("button", { name: /Go on|Start over/ })).toBeNull();
});

it("says what the server refused, in its words", async () => {
  const refused = { title: "Somebody has let run 'r' go on already.", detail: "Watch it." };
  show(THREE, { status: 409, body: refused });
  fireEvent.click(await screen.findByRole("button", { name: "Go on from epoch 7" }));
  expect((await screen.findByRole("alert")).textContent).toBe(`${refused.title} ${refused.detail}`);
});

it("offers to pause what trains and listens, to go on what waits, and nothing else", () => {
  const model = { end: null, cancelAsked: null, started: 1, paused: null, hearsPause: true } as RunModel;
  expect(pauseState(model, null)).toEqual({ kind: "pause", words: "Pause", why: "" });
  expect(pauseState(model, "pause").words).toBe("Pausing");
  expect(pauseState({ ...model, hearsPause: false }, null).why).toMatch(/does not listen/);
  expect(pauseState({ ...model, paused: { at: 1, by: "Ada" } }, null).kind).toBe("go_on");
  expect(pauseState({ ...model, cancelAsked: { at: 1, by: null } }, null).kind).toBe("none");
  expect(pauseState({ ...model, started: null }, null).kind).toBe("none");
});
