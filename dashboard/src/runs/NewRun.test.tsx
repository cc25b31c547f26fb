import { fireEvent, screen, waitFor } from "@testing-library/react";
import { afterEach, expect, it, vi } from "vitest";
import { schemaOf } from "../../test/fakeSchema";
import { findings, renderScreen } from "../../test/render";
import { playServer, Refusal } from "../../test/server";
import NewRun from "./NewRun";

afterEach(() => vi.unstubAllGlobals());

function play(refusal?: Refusal) {
  const bodies: unknown[] = [];
  const server = playServer((path, init) => {
    if (init?.method === "POST") {
      bodies.push(JSON.parse(String(init.body)));
      return refusal ?? { run_id: "new-1" };
    }
    if (path.includes("/events")) {
      const start = {
        type: "run_start",
        mode: "federated",
        experiment_name: "earlier",
        config: { num_rounds: 7, seed: 0 },
      };
      return { log_id: "l", top: 1, recovered: true, messages: [start] };
    }
    if (path.includes("schema")) return schemaOf(new URL(path, "http://x").searchParams.get("kind") ?? "");
    return { runs: [], total: 0, page: 1, limit: 1 };
  });
  return { ...server, bodies };
}

it("starts a run by the button alone, and goes to it", async () => {
  const { bodies, asked } = play();
  const { history } = renderScreen(<NewRun />, "/new");
  fireEvent.click(await screen.findByRole("button", { name: "Start centralised run" }));
  await waitFor(() => expect(history?.at(-1)).toBe("/runs/new-1"));
  expect(asked).toContain("POST /api/centralized/train");
  expect(bodies).toEqual([{}]);
});

it("sends what was changed, and shows the same as a command", async () => {
  const { bodies, asked } = play();
  renderScreen(<NewRun />, "/new");
  fireEvent.click(await screen.findByRole("radio", { name: "Federated" }));
  fireEvent.change(await screen.findByLabelText("Rounds"), { target: { value: "5" } });
  fireEvent.change(screen.getByLabelText("Name"), { target: { value: " it's mine " } });
  expect(
    screen.getByText(/-d '\{"experiment_name":"it'\\''s mine","config":\{"num_rounds":5\}\}'/),
  ).toBeTruthy();
  fireEvent.click(screen.getByRole("button", { name: "Start federated run" }));
  await waitFor(() => expect(bodies).toEqual([{ experiment_name: "it's mine", config: { num_rounds: 5 } }]));
  expect(asked).toContain("POST /api/federated/train");
});

it("asks for a strategy's own settings when it is chosen, and forgets those of another", async () => {
  const { bodies } = play();
  renderScreen(<NewRun />, "/new");
  fireEvent.click(await screen.findByRole("radio", { name: "Federated" }));
  const choose = async (name: string) => {
    fireEvent.click(await screen.findByRole("combobox", { name: "Strategy" }));
    fireEvent.click(await screen.findByRole("option", { name }));
  };
  expect(screen.queryByLabelText("Proximal mu")).toBeNull();
  await choose("fedprox");
  fireEvent.change(await screen.findByLabelText("Proximal mu"), { target: { value: "0.3" } });
  await choose("krum");
  expect(screen.queryByLabelText("Proximal mu")).toBeNull();
  fireEvent.change(screen.getByLabelText("Malicious hospitals"), { target: { value: "1" } });
  fireEvent.click(screen.getByRole("button", { name: "Start federated run" }));
  await waitFor(() => expect(bodies).toEqual([{ config: { strategy: "krum", malicious_clients: 1 } }]));
});

it("says at the field what was wrong and what would be right", async () => {
  const fault = { where: "config.epochs", wrong: "got 0", right: "a whole number from 1 to 100000" };
  play(
    new Refusal(422, {
      title: "config.epochs: got 0.",
      detail: "A whole number from 1 to 100000.",
      status: 422,
      errors: [fault],
    }),
  );
  renderScreen(<NewRun />, "/new");
  fireEvent.change(await screen.findByLabelText("Epochs"), { target: { value: "0" } });
  fireEvent.click(screen.getByRole("button", { name: "Start centralised run" }));
  await screen.findByText("got 0; a whole number from 1 to 100000");
  expect(screen.getByLabelText("Epochs").getAttribute("aria-invalid")).toBe("true");
});

it.each(["-1", "1.5"])("sends %s as it was typed, for the server to refuse", async (typed) => {
  const { bodies } = play();
  renderScreen(<NewRun />, "/new");
  fireEvent.change(await screen.findByLabelText("Epochs"), { target: { value: typed } });
  fireEvent.click(screen.getByRole("button", { name: "Start centralised run" }));
  await waitFor(() => expect(bodies).toEqual([{ config: { epochs: Number(typed) } }]));
});

it("begins from another run's configuration", async () => {
  play();
  renderScreen(<NewRun />, "/new?from=earlier-1");
  const rounds = await screen.findByLabelText<HTMLInputElement>("Rounds");
  await waitFor(() => expect(rounds.value).toBe("7"));
  expect(screen.getByLabelText<HTMLInputElement>("Name").value).toBe("earlier");
});

it("has nothing that axe finds, all settings open", async () => {
  play();
  const { container } = renderScreen(<NewRun />, "/new");
  await screen.findByLabelText("Epochs");
  fireEvent.click(screen.getByRole("button", { name: /All settings/ }));
  expect(await findings(container)).toEqual([]);
});
