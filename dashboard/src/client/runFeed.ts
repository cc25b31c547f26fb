/** One run, followed: its line to the server, its model, and the steps that were merged on the way. */

import { getRun, getRunOpening, getSeries, Problem, type RunOpening } from "./api";
import { UNKNOWN_RUN } from "./closeCodes.generated";
import { Connection, type Environment } from "./connection";
import { fold } from "./fold";
import { firstGap } from "./fold.steps";
import type { Line, Message, RunModel } from "./model";
import { emptyModel } from "./model";
import { foldSeries, type SeriesAnswer } from "./series";
import type { RunState } from "./state";
import { Store } from "./store";
import { withTold } from "./withState";

export interface RunView {
  /** `null` until the first message, or the server's own words about the run, are here. */
  readonly model: RunModel | null;
  /** What `GET /api/runs/{run_id}` said last. */
  readonly state: RunState | null;
  readonly known: "loading" | "ready" | "unknown";
  readonly line: Line;
  /** True once everything up to now has been folded in: from here on the sentence is made of the model. */
  readonly complete: boolean;
  readonly rebuilt: boolean;
}

type Input =
  | { readonly message: Message }
  | { readonly opening: RunOpening }
  | { readonly series: SeriesAnswer }
  | { readonly state: RunState }
  | { readonly line: Line }
  | { readonly restarted: true }
  | { readonly unknown: true }
  | { readonly closeRebuilt: true };

/** The facts no message carries (whether a run can hear a stop, whether one was asked for) may have changed at these. */
const ASK_AGAIN = new Set([
  "run_queued",
  "run_start",
  "run_edited",
  "alert",
  "training_complete",
  "training_error",
  "training_cancelled",
  "training_paused",
  "training_resumed",
]);
const ASK_AFTER_MS = 300;
/** When all of a run takes longer than this to come, its state is asked for alone: the sentence comes first. */
const FIRST_VIEW_MS = 200;
/** Of a run with more steps than its opening carries, about so many are asked for: each bucket's least and greatest. */
const STEPS_OF_LONG_RUN = 20_000;
/** The least time between two requests for merged steps. */
const FILL_EVERY_MS = 2_000;

export class RunFeed {
  readonly store: Store<RunView, Input>;
  private readonly connection: Connection;
  private readonly abort = new AbortController();
  private asking: unknown = null;
  private filling: unknown = null;
  private filled = false;
  /** While the steps of a long run are on their way, none is missing. */
  private thinning = false;

  constructor(
    readonly runId: string,
    private readonly environment: Environment,
  ) {
    this.store = new Store<RunView, Input>(
      {
        model: null,
        state: null,
        known: "loading",
        line: { kind: "connecting" },
        complete: false,
        rebuilt: false,
      },
      (view, batch) => reduce(view, batch, runId),
    );
    this.connection = new Connection(
      { runId, after: 0 },
      {
        messages: (batch) => this.take(batch),
        restarted: () => this.store.push([{ restarted: true }]),
        line: (line) => this.lineChanged(line),
      },
      environment,
    );
  }

  /** One request for everything there is, then live from there. */
  start(): void {
    this.asking = this.environment.setTimeout(() => {
      this.asking = null;
      this.refresh();
    }, FIRST_VIEW_MS);
    getRunOpening(this.runId, this.abort.signal).then(
      (opening) => this.opened(opening),
      () => this.openedInVain(),
    );
  }

  private opened(opening: RunOpening): void {
    if (this.abort.signal.aborted) return;
    this.dontAsk();
    this.filled = true;
    this.store.push([{ opening }]);
    if (opening.steps_left_out) this.fillThinned();
    this.connection.start({ logId: opening.log_id, offset: opening.top });
  }

  /** There is no such run, no server, or one that knows no such request: the line tells all that by itself. */
  private openedInVain(): void {
    if (this.abort.signal.aborted) return;
    this.dontAsk();
    this.refresh();
    this.connection.start();
  }

  private dontAsk(): void {
    if (this.asking !== null) this.environment.clearTimeout(this.asking);
    this.asking = null;
  }

  stop(): void {
    this.connection.stop();
    this.abort.abort();
    for (const timer of [this.asking, this.filling]) if (timer !== null) this.environment.clearTimeout(timer);
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

  closeRebuilt(): void {
    this.store.push([{ closeRebuilt: true }]);
  }

  /** Asks the server again what no message tells. */
  refresh(): void {
    getRun(this.runId, this.abort.signal).then(
      (state) => this.store.push([{ state }]),
      (error: unknown) => {
        if (error instanceof Problem && error.status === 404) this.store.push([{ unknown: true }]);
      },
    );
  }

  private take(batch: readonly Message[]): void {
    this.store.push(batch.map((message) => ({ message })));
    if (batch.some((message) => ASK_AGAIN.has(message.type))) this.refreshSoon();
    if (batch.some((message) => message.type === "step")) this.fillSoon();
  }

  private lineChanged(line: Line): void {
    this.store.push([{ line }]);
    if (line.kind === "live") {
      this.refreshSoon();
      if (!this.filled) {
        this.filled = true;
        this.fill();
      } else this.fillSoon();
    } else if (line.kind === "refused" && line.code === UNKNOWN_RUN) this.store.push([{ unknown: true }]);
  }

  private refreshSoon(): void {
    if (this.asking !== null) return;
    this.asking = this.environment.setTimeout(() => {
      this.asking = null;
      this.refresh();
    }, ASK_AFTER_MS);
  }

  private fillSoon(): void {
    if (!this.filled || this.filling !== null) return;
    this.filling = this.environment.setTimeout(() => {
      this.filling = null;
      this.fill();
    }, FILL_EVERY_MS);
  }

  /** The steps of a long run, as many as a screen can show; what comes later is added one by one. */
  private fillThinned(): void {
    this.thinning = true;
    getSeries(this.runId, { since: 0, attempt: "all", points: STEPS_OF_LONG_RUN }, this.abort.signal)
      .then(
        (series) => this.store.push([{ series: series as SeriesAnswer }]),
        () => undefined, // The line's own state tells that the server is away.
      )
      .finally(() => {
        this.thinning = false;
        this.fillSoon();
      });
  }

  /** Fetches the steps from the first one that is missing on. */
  private fill(): void {
    const { model } = this.store.get();
    // Of a hospital only the newest step is shown, and a hundred of them have many.
    if (model?.federated || this.thinning) return;
    const gaps = Object.values(model?.steps ?? {}).map(firstGap);
    const missing = gaps.filter((gap) => gap !== null);
    if (gaps.length > 0 && missing.length === 0) return;
    const since = missing.length === 0 ? 0 : Math.min(...missing);
    getSeries(this.runId, { since, attempt: "all" }, this.abort.signal).then(
      (series) => this.store.push([{ series: series as SeriesAnswer }]),
      () => undefined, // The line's own state tells that the server is away; the gap stays a gap until it is back.
    );
  }
}

function reduce(view: RunView, batch: readonly Input[], runId: string): RunView {
  let next = view;
  let messages: Message[] = [];
  const settle = (): void => {
    if (messages.length === 0) return;
    next = { ...next, model: fold(next.model ?? emptyModel(runId), messages), known: "ready" };
    messages = [];
  };
  for (const input of batch) {
    if ("message" in input) {
      messages.push(input.message);
      continue;
    }
    settle();
    next = reduceOne(next, input, runId);
  }
  settle();
  return next;
}

function reduceOne(view: RunView, input: Exclude<Input, { message: Message }>, runId: string): RunView {
  if ("line" in input) {
    return { ...view, line: input.line, complete: view.complete || input.line.kind === "live" };
  }
  if ("state" in input) {
    const model = withTold(view.model ?? emptyModel(input.state.run_id), input.state, view.complete);
    return { ...view, state: input.state, model, known: "ready" };
  }
  if ("opening" in input) {
    const { state, messages, steps } = input.opening;
    const model = fold(withTold(emptyModel(state.run_id), state, false), messages);
    return { ...view, state, model: foldSeries(model, { steps }), known: "ready", complete: true };
  }
  if ("series" in input) {
    return { ...view, model: foldSeries(view.model ?? emptyModel(runId), input.series) };
  }
  if ("restarted" in input) {
    const model = view.state === null ? null : withTold(emptyModel(runId), view.state, false);
    return { ...view, model, complete: false, rebuilt: true };
  }
  if ("unknown" in input) return { ...view, known: view.model === null ? "unknown" : view.known };
  return { ...view, rebuilt: false };
}
