import { afterEach, expect, it, vi } from "vitest";
import { cancelRun, exportUrl, getRun, listRuns, type Problem } from "./api";

function answer(body: string, status = 200): { asked: string[] } {
  const asked: string[] = [];
  vi.stubGlobal("fetch", async (path: string) => {
    asked.push(path);
    return new Response(body, { status });
  });
  return { asked };
}

const problem = (call: Promise<unknown>): Promise<Problem> =>
  call.then(
    () => {
      throw new Error("it should have failed");
    },
    (error: Problem) => error,
  );

afterEach(() => vi.unstubAllGlobals());

it("gives a problem document as it was written", async () => {
  const fault = { where: "epochs", wrong: "got 'ten'", right: "a whole number" };
  answer(JSON.stringify({ title: "epochs: got 'ten'.", detail: "A whole number.", errors: [fault, 3] }), 422);
  expect(await problem(getRun("r"))).toMatchObject({
    status: 422,
    title: "epochs: got 'ten'.",
    detail: "A whole number.",
    errors: [fault],
  });
});

it("says what it can of an answer that is no problem document", async () => {
  answer("<html>", 502);
  expect(await problem(getRun("r"))).toMatchObject({ status: 502, errors: [] });
});

it("tells no answer from a bad one", async () => {
  vi.stubGlobal("fetch", async () => {
    throw new TypeError("Failed to fetch");
  });
  expect(await problem(getRun("r"))).toMatchObject({ status: 0, title: "The server does not answer." });
});

it("takes an answer that is no JSON for what it is", async () => {
  answer("hello");
  expect((await problem(getRun("r"))).title).toContain("not JSON");
});

it("writes names and filters so that they arrive as they are", async () => {
  const { asked } = answer("{}");
  await getRun("a/b c");
  await listRuns({ q: "x&y", status: ["queued", "running"], mode: "", page: 2 });
  await cancelRun("ü");
  expect(asked).toEqual([
    "/api/runs/a%2Fb%20c",
    "/api/runs?q=x%26y&status=queued&status=running&page=2",
    "/api/runs/%C3%BC/cancel",
  ]);
  expect(exportUrl("a?b", "csv")).toBe("/api/runs/a%3Fb/export?format=csv");
});
