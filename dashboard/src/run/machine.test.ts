import { expect, it } from "vitest";
import { fold } from "../client/fold";
import { emptyModel, type Message, stepSeries } from "../client/model";
import { machineLines } from "./machine";

function message(type: string, second: number, more: object): Message {
  const timestamp = new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
  return { type, timestamp, run_id: "r", ...more } as unknown as Message;
}

function machine(row: number, second: number, metrics: object): Message {
  return message("step", second, {
    row,
    phase: "system",
    epoch: null,
    step: null,
    total_steps: null,
    metrics,
  });
}

it("is kept as columns and says nothing of the training", () => {
  const before = fold(emptyModel("r"), [message("epoch_start", 0, { offset: 1, epoch: 1, total_epochs: 3 })]);
  const after = fold(before, [machine(1, 10, { cpu_percent: 50 }), machine(2, 20, { cpu_percent: 70 })]);
  expect([after.state, after.lastHeard, after.step, after.epoch]).toEqual([
    before.state,
    before.lastHeard,
    null,
    1,
  ]);
  expect(stepSeries(after, "system")?.metrics.cpu_percent).toEqual([50, 70]);
});

it("has a line for each part that was told, with the training's own share, and no peak hidden", () => {
  const said = Array.from({ length: 1000 }, (_, i) =>
    machine(i + 1, i * 10, {
      cpu_percent: i === 501 ? 99 : 10,
      process_cpu_percent: 180,
      memory_percent: 40,
      process_memory_mb: 1234,
    }),
  );
  const series = stepSeries(fold(emptyModel("r"), said), "system");
  if (!series) throw new Error("no series");
  const [cpu, memory, ...rest] = machineLines(series);
  expect(rest).toEqual([]);
  expect(cpu).toMatchObject({ name: "Processor", latest: 10, most: 99, beside: "; the training 180 %" });
  expect(memory).toMatchObject({ name: "Memory", latest: 40, beside: "; the training 1,234 MB" });
  const heights = cpu?.path(300, 100).match(/ [0-9.]+/g) ?? [];
  expect(heights).toContain(" 1.0");
  expect(heights.length).toBeLessThanOrEqual(300);
});
