/** All runs, followed: which of them have news, so that their rows are asked for again. */

import { Connection, type Environment } from "./connection";
import type { Line, Message } from "./model";
import { integer, text, timeOf } from "./reading";
import { Store } from "./store";

/** What a `step` changes in a row, without asking the server. */
export interface StepNews {
  readonly step: number;
  readonly totalSteps: number | null;
  readonly epoch: number | null;
  readonly clientId: string | null;
  readonly at: number;
}

export interface RunsView {
  readonly line: Line;
  /** The newest step of each run. */
  readonly steps: Readonly<Record<string, StepNews>>;
  /** How often each run has had news that are no step; a higher number means: ask again. */
  readonly news: Readonly<Record<string, number>>;
  /** Grows when the server's log was rebuilt: everything is to be asked for again. */
  readonly restarts: number;
}

type Input = { readonly message: Message } | { readonly line: Line } | { readonly restarted: true };

export class RunsFeed {
  readonly store = new Store<RunsView, Input>(
    { line: { kind: "connecting" }, steps: {}, news: {}, restarts: 0 },
    reduce,
  );
  private readonly connection: Connection;

  constructor(environment: Environment) {
    this.connection = new Connection(
      { runId: null, after: null },
      {
        messages: (batch) => this.store.push(batch.map((message) => ({ message }))),
        restarted: () => this.store.push([{ restarted: true }]),
        line: (line) => this.store.push([{ line }]),
      },
      environment,
    );
  }

  start(): void {
    this.connection.start();
  }

  stop(): void {
    this.connection.stop();
  }

  get line(): Line {
    return this.connection.line;
  }

  tryNow(): void {
    this.connection.tryNow();
  }

  networkChanged(online: boolean): void {
    this.connection.networkChanged(online);
  }
}

function reduce(view: RunsView, batch: readonly Input[]): RunsView {
  let { line, restarts } = view;
  const steps = { ...view.steps };
  const news = { ...view.news };
  for (const input of batch) {
    if ("line" in input) line = input.line;
    else if ("restarted" in input) restarts += 1;
    else take(input.message, steps, news);
  }
  return { line, steps, news, restarts };
}

function take(message: Message, steps: Record<string, StepNews>, news: Record<string, number>): void {
  const runId = text(message.run_id);
  if (runId === null) return;
  if (message.type !== "step") {
    news[runId] = (news[runId] ?? 0) + 1;
    return;
  }
  const step = integer(message.step);
  if (step === null) return;
  steps[runId] = {
    step,
    totalSteps: integer(message.total_steps),
    epoch: integer(message.epoch),
    clientId: text(message.client_id),
    at: timeOf(message),
  };
}
