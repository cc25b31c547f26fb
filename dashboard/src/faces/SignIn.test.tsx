import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Router } from "wouter";
import { memoryLocation } from "wouter/memory-location";
import { findings } from "../../test/render";
import { type Answers, playServer, Refusal, TestSocket } from "../../test/server";
import { Page } from "../app/App";
import { setScheduler } from "../client/schedule";
import { session } from "../client/session";
import { emptyState } from "../client/state";

const TOKEN = `fpd_${"a".repeat(43)}`;
const RUN = {
  ...emptyState("a-run"),
  experiment_name: "A run",
  status: "running",
  led: true,
  start_time: new Date().toISOString(),
};

/** A server that demands tokens: who is signed in, and what it answers. */
function demanding(role: string | null) {
  let holder = role;
  const refusal = (title: string) => new Refusal(401, { title, detail: "It has expired.", status: 401 });
  const answers: Answers = (path, init) => {
    if (path === "/api/session" && init?.method === "POST") {
      if (JSON.parse(String(init.body)).token !== TOKEN) return refusal("This token is not valid.");
      holder = "viewer";
    }
    if (path === "/api/session" && init?.method === "DELETE") {
      holder = null;
      return {};
    }
    if (holder === null) return refusal("This server needs a token.");
    if (path === "/api/session") return { name: "alice", role: holder, tokens: true };
    return { runs: [RUN], total: 1, page: 1, limit: 11, series: [] };
  };
  return {
    ...playServer(answers),
    revoke: () => {
      holder = null;
    },
  };
}

function show(path = "/") {
  const { hook, searchHook } = memoryLocation({ path });
  return render(
    <MantineProvider env="test">
      <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
        <Router hook={hook} searchHook={searchHook}>
          <Page />
        </Router>
      </QueryClientProvider>
    </MantineProvider>,
  );
}

beforeEach(() => {
  setScheduler((flush) => queueMicrotask(flush));
  window.scrollTo = () => undefined;
});
afterEach(() => {
  act(() => session.reset());
  setScheduler();
  vi.unstubAllGlobals();
});

it("asks for a token where the server needs one, and shows the runs once it is taken", async () => {
  const server = demanding(null);
  await session.ask();
  const { container } = show();
  expect(screen.getByRole("heading", { name: "Sign in" })).toBeTruthy();
  expect(TestSocket.all).toHaveLength(0);
  expect(await findings(container)).toEqual([]);

  const field = screen.getByLabelText("Token");
  expect(field.getAttribute("type")).toBe("password");
  await userEvent.type(field, "fpd_wrong");
  await userEvent.click(screen.getByRole("button", { name: "Sign in" }));
  expect(await screen.findByRole("note", { name: "This token is not valid." })).toBeTruthy();

  await userEvent.clear(field);
  await userEvent.type(field, `${TOKEN} `);
  await userEvent.click(screen.getByRole("button", { name: "Sign in" }));
  expect(await screen.findByRole("heading", { name: "Runs" })).toBeTruthy();
  expect(await screen.findByRole("link", { name: "A run" })).toBeTruthy();
  // The token goes where it is taken for a cookie, and nowhere else: into no address and no storage.
  expect(server.asked.join(" ")).not.toContain(TOKEN);
  expect(TestSocket.all.map((socket) => socket.url).join(" ")).not.toContain("fpd_");
  expect(JSON.stringify({ ...localStorage, ...sessionStorage })).not.toContain("fpd_");
});

it("asks for nothing where the server needs no token", async () => {
  playServer((path) =>
    path === "/api/session"
      ? { name: "local", role: "operator", tokens: false }
      : { runs: [RUN], total: 1, page: 1, limit: 11, series: [] },
  );
  await session.ask();
  show();
  expect(await screen.findByRole("link", { name: "A run" })).toBeTruthy();
  expect(screen.queryByRole("button", { name: /Signed in/ })).toBeNull();
  expect(screen.getAllByRole("link", { name: "New run" }).length).toBeGreaterThan(0);
});

it("shows the runs where the server does not say who one is", async () => {
  playServer((path) =>
    path === "/api/session"
      ? new Refusal(404, { title: "There is nothing." })
      : { runs: [RUN], total: 1, page: 1, limit: 11, series: [] },
  );
  await session.ask();
  show();
  expect(await screen.findByRole("link", { name: "A run" })).toBeTruthy();
});

it("offers a viewer nothing that starts, stops or deletes", async () => {
  demanding("viewer");
  await session.ask();
  show();
  await screen.findByRole("link", { name: "A run" });
  expect(screen.queryByRole("link", { name: "New run" })).toBeNull();
  await userEvent.click(screen.getAllByRole("button", { name: "More for A run" })[0] as HTMLElement);
  await screen.findByRole("menuitem", { name: "Copy link" });
  expect(screen.queryByRole("menuitem", { name: /Stop|Delete/ })).toBeNull();
});

it("offers an operator all of it", async () => {
  demanding("operator");
  await session.ask();
  show();
  await screen.findByRole("link", { name: "A run" });
  expect(screen.getAllByRole("link", { name: "New run" }).length).toBeGreaterThan(0);
  await userEvent.click(screen.getAllByRole("button", { name: "More for A run" })[0] as HTMLElement);
  expect(await screen.findByRole("menuitem", { name: /Stop run/ })).toBeTruthy();
});

it("tells a viewer who opens the form that it starts nothing", async () => {
  demanding("viewer");
  await session.ask();
  show("/new");
  expect(await screen.findByText(/an operator's token starts runs/)).toBeTruthy();
});

it("asks again when the line is closed because the token has ended", async () => {
  const server = demanding("viewer");
  await session.ask();
  show();
  await screen.findByRole("link", { name: "A run" });
  server.revoke();
  await act(async () => {
    TestSocket.newest.onclose?.({ code: 4401, reason: "this token has ended" });
    await Promise.resolve();
  });
  expect(await screen.findByRole("heading", { name: "Your token has ended" })).toBeTruthy();
  expect(screen.queryByRole("link", { name: "A run" })).toBeNull();
});

it("asks again when a request is answered 401", async () => {
  const server = demanding("viewer");
  await session.ask();
  show();
  await screen.findByRole("link", { name: "A run" });
  server.revoke();
  const filter = screen.getByRole("textbox", { name: /Filter/ });
  await userEvent.type(filter, "x");
  expect(await screen.findByRole("heading", { name: "Your token has ended" })).toBeTruthy();
});

it("signs out", async () => {
  const server = demanding("viewer");
  await session.ask();
  show();
  await userEvent.click(await screen.findByRole("button", { name: "Signed in as alice, viewer" }));
  await userEvent.click(await screen.findByRole("menuitem", { name: "Sign out" }));
  expect(await screen.findByRole("heading", { name: "Sign in" })).toBeTruthy();
  await waitFor(() => expect(server.asked).toContain("DELETE /api/session"));
});
