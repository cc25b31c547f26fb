/** All runs, followed: the rows that the server listed, and what messages have changed in them since. */

import { Connection, type Environment } from "./connection";
import { foldState } from "./fold.state";
import type { Line, Message } from "./model";
import type { RunState } from "./state";
import { Store } from "./store";
import { before } from "./times";

export interface RunsView {
  readonly line: Line;
  /** Every run that was listed, by id, as of its newest message. */
  readonly runs: Readonly<Record<string, RunState>>;
  /** Grows when the list itself has changed: a run nobody listed yet has spoken, or one has ended. */
  readonly changes: number;
}

type Input =
  | { readonly message: Message }
  | { readonly listed: readonly RunState[] }
  | { readonly line: Line }
  | { readonly restarted: true };

const CHANGES_LIST: ReadonlySet<string> = new Set([
  "run_queued",
  "run_start",
  "training_complete",
  "training_error",
  "training_cancelled",
  "training_paused",
  "training_resumed",
]);

export class RunsFeed {
  readonly store = new Store<RunsView, Input>({ line: { kind: "connecting" }, runs: {}, changes: 0 }, reduce);
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

  wake(): void {
    this.connection.wake();
  }

  /** Takes what the server listed; from here on messages go on from there. */
  listed(runs: readonly RunState[]): void {
    this.store.push([{ listed: runs }]);
  }
}

function reduce(view: RunsView, batch: readonly Input[]): RunsView {
  let { line, changes } = view;
  const runs = { ...view.runs };
  for (const input of batch) {
    if ("line" in input) line = input.line;
    else if ("restarted" in input) changes += 1;
    else if ("listed" in input)
      for (const run of input.listed) runs[run.run_id] = newer(runs[run.run_id], run);
    else {
      const { message } = input;
      const known = runs[message.run_id];
      if (known !== undefined) runs[message.run_id] = foldState(known, message);
      const ends = message.client_id === undefined && CHANGES_LIST.has(message.type);
      if (known === undefined || (ends && runs[message.run_id]?.status !== known.status)) changes += 1;
    }
  }
  return { line, runs, changes };
}

/** An answer that was on its way while messages came is the older one of the two. */
function newer(known: RunState | undefined, told: RunState): RunState {
  return known !== undefined && before(told.updated_at, known.updated_at) ? known : told;
}
