/**
 * What the page knows of one run: the fold of its messages (`fold.ts`), never anything else.
 *
 * A model is a value. A batch of messages gives a new one that shares what did not change, so
 * `model.epochs !== before.epochs` means that an epoch changed. The one exception are the columns in
 * `StepSeries`: they are append-only and shared; read them up to `length`, and compare the series object.
 *
 * All times are milliseconds since 1970 (UTC) by the clock of whoever wrote the message.
 */

import type { KnownMessage } from "./messages.generated";
import { emptyState, type RunState } from "./state";

/** Flat metrics; `null` is what could not be told (NaN, infinity): a gap, never a zero. */
export type Metrics = Readonly<Record<string, number | null>>;

export type Phase = "train" | "val" | "test";

export type RunStatus = "queued" | "started" | "running" | "completed" | "failed" | "cancelled" | "lost";

/** Every field that a message of ours can have, by the server's own definition. */
export type MessageField = KnownMessage extends infer Each
  ? Each extends KnownMessage
    ? keyof Each
    : never
  : never;

/** What a message says: any of those fields, none of them trusted to have the type it should have (`reading.ts`). */
export type Said = { readonly [Field in MessageField]?: unknown };

/** A message as it comes over the line: flat, with `type`, `timestamp`, `run_id`, and `offset` (or `row`). */
export interface Message
  extends Omit<Said, "type" | "timestamp" | "run_id" | "offset" | "row" | "client_id"> {
  readonly type: string;
  readonly timestamp: string;
  readonly run_id: string;
  readonly offset?: number;
  readonly row?: number;
  readonly client_id?: string;
}

export interface SplitCounts {
  readonly n: number;
  /** Cases by class; `null` where nobody said. */
  readonly normal: number | null;
  readonly pneumonia: number | null;
}

export interface DataFacts {
  readonly name: string | null;
  readonly digest: string | null;
  /** True: these are generated pictures. Say "phantoms, not X-rays" beside the run's name, in every view. */
  readonly phantom: boolean;
  readonly splits: Readonly<Partial<Record<Phase, SplitCounts>>>;
  /** Per hospital, where `run_start` or the client itself told it. */
  readonly clients: Readonly<Record<string, Readonly<Partial<Record<Phase, SplitCounts>>>>>;
  readonly notes: readonly string[];
}

export interface PhaseResult {
  readonly metrics: Metrics;
  readonly offset: number;
  readonly at: number;
}

export interface Epoch {
  readonly epoch: number;
  /** `epoch_start`; `null` where it was never said. */
  readonly started: number | null;
  readonly train: PhaseResult | null;
  readonly val: PhaseResult | null;
  readonly test: PhaseResult | null;
}

/** What steps are of: a phase of the training, or the machine beside it. */
export type StepPhase = Phase | "system";

/** All steps of one client and phase as columns (uPlot's form). Read up to `length`; never write. */
export interface StepSeries {
  readonly clientId: string | null;
  readonly phase: StepPhase;
  readonly length: number;
  /** Up to this row only each bucket's least and greatest are here: a long run was opened. 0: all are. */
  readonly thinned: number;
  /** Dense from 1 where nothing is missing; a jump is what was merged on the wire and not fetched yet. */
  readonly row: readonly number[];
  /** Which attempt of the run each is of. */
  readonly attempt: readonly number[];
  /** The epoch; inside a round the local epoch. 0 where nobody said. */
  readonly epoch: readonly number[];
  readonly round: readonly (number | null)[];
  readonly step: readonly number[];
  readonly totalSteps: readonly (number | null)[];
  readonly at: readonly number[];
  /** One column per metric, all as long as `row`; `null` is a gap. */
  readonly metrics: Readonly<Record<string, readonly (number | null)[]>>;
}

/** The newest step of a client (or of the run, `clientId` null). */
export interface Step {
  readonly epoch: number | null;
  readonly round: number | null;
  readonly step: number;
  readonly totalSteps: number | null;
  readonly phase: Phase;
  readonly metrics: Metrics;
  readonly at: number;
}

export interface LocalEpoch {
  readonly localEpoch: number;
  readonly metrics: Metrics;
  readonly at: number;
  readonly offset: number;
}

export interface ClientFailure {
  /** The hospital's own word, not somebody else's. */
  readonly own: boolean;
  readonly error: string;
  readonly detail: string | null;
  readonly at: number;
  readonly offset: number;
}

/** One cell of the board: one hospital in one round. */
export interface ClientRound {
  readonly clientId: string;
  readonly round: number;
  /** Its `round_start`. */
  readonly started: number | null;
  /** Its `round_end`. */
  readonly sent: number | null;
  /** It has said something of this round itself; else it is only known that it failed. */
  readonly heard: boolean;
  /** First and last message of this client in this round, whatever it was, by its own clock. */
  readonly firstHeard: number;
  readonly lastHeard: number;
  /**
   * Milliseconds from `started` to `sent`, or to its last word where it failed; `null` while it trains or where the
   * start is unknown. All of it by the client's own clock.
   */
  readonly duration: number | null;
  readonly localEpochs: readonly LocalEpoch[];
  readonly step: Step | null;
  /** `round_end.fit_metrics` and `.eval_metrics`; `null` until sent. */
  readonly fit: Metrics | null;
  readonly evaluation: Metrics | null;
  /** What it received and sent for the round, where that was measured. */
  readonly bytesDown: number | null;
  readonly bytesUp: number | null;
  readonly failed: ClientFailure | null;
  /** What of this round's messages its site did not send, by name, and why. */
  readonly withheld: Readonly<Record<string, string>>;
}

export interface Aggregate {
  /** The global model's, e.g. `val_auroc`, with `num_samples`. */
  readonly metrics: Metrics;
  readonly numClients: number | null;
  readonly failedClients: readonly string[];
  /** `metrics.num_samples`, else the sum of the round's `eval_metrics.num_samples`, else `null`. */
  readonly numSamples: number | null;
  /** True when `numSamples` is that sum: say so on hover. */
  readonly numSamplesSummed: boolean;
  readonly at: number;
  readonly offset: number;
}

export interface Round {
  readonly round: number;
  /** The first `round_start` of the round, the server's or a client's. */
  readonly started: number | null;
  readonly aggregated: Aggregate | null;
  readonly clients: Readonly<Record<string, ClientRound>>;
}

/** One attempt of a run that was begun more than once: all it has said, also what is no part of the curve any more. */
export interface AttemptModel {
  readonly attempt: number;
  /** The last epoch or round that is kept of the attempts before it; 0 for a fresh start. */
  readonly from: number;
  /** The last epoch or round it has begun. */
  readonly reached: number;
  /** The last of these that is part of the run's curve: what lies above it is superseded. */
  readonly kept: number;
  readonly started: number | null;
  readonly ended: number | null;
  readonly how: RunStatus | null;
  readonly epochs: readonly Epoch[];
  readonly rounds: readonly Round[];
}

export interface Client {
  readonly clientId: string;
  /** Place as the run names them, else by name, from 0: its row, its colour and its mark, whoever is heard first. */
  readonly index: number;
  /** A terminal message of its own, or a failure in a round that was its last word. */
  readonly failed: ClientFailure | null;
  readonly finished: boolean;
}

export interface Alert {
  readonly level: string;
  readonly title: string;
  readonly text: string;
  readonly clientId: string | null;
  readonly at: number;
  readonly offset: number;
}

export interface TestCurves {
  readonly fpr: readonly number[];
  readonly tpr: readonly number[];
  readonly threshold: readonly (number | null)[];
  /** Counts at the run's threshold, where the trainer told them. */
  readonly confusion: Confusion | null;
  /** That threshold. */
  readonly chosen: number | null;
  readonly precisionRecall: PrecisionRecall | null;
  readonly averagePrecision: number | null;
  readonly calibration: Calibration | null;
  readonly brier: number | null;
  readonly calibrationError: number | null;
  /** Places in the test split, the worst judged first. */
  readonly hardest: readonly number[];
}

export interface PrecisionRecall {
  readonly recall: readonly number[];
  readonly precision: readonly number[];
  readonly threshold: readonly (number | null)[];
}

/** The predicted probabilities, counted in bins of equal width from 0 to 1. */
export interface Calibration {
  readonly n: readonly number[];
  readonly pneumonia: readonly number[];
  /** The mean in each bin; `null` in an empty one. */
  readonly predicted: readonly (number | null)[];
}

export interface Confusion {
  readonly truePositive: number;
  readonly falsePositive: number;
  readonly trueNegative: number;
  readonly falseNegative: number;
}

export interface Best {
  /** e.g. `val_auroc`. */
  readonly metric: string;
  readonly value: number;
  /** The epoch, or the round. */
  readonly at: number;
}

/** How and when a run ended. */
export interface End {
  readonly status: "completed" | "failed" | "cancelled" | "lost";
  readonly at: number;
  readonly offset: number;
  /** `training_error.error`, one clear line, and its `detail` (lines of output, a traceback). */
  readonly error: string | null;
  readonly detail: string | null;
  /** `training_cancelled`. */
  readonly by: string | null;
  readonly reason: string | null;
}

/** A lifecycle message as the list of events shows it; alerts are among them. */
export interface RunEvent {
  readonly offset: number;
  readonly at: number;
  readonly type: string;
  readonly clientId: string | null;
  readonly message: Message;
}

export interface RunModel {
  readonly runId: string;
  readonly experimentName: string;
  /** The name to show: `run_edited.name`, else `experimentName`. */
  readonly name: string;
  readonly tags: readonly string[];
  readonly notes: string;
  readonly federated: boolean;
  readonly mode: string;
  readonly status: RunStatus;
  readonly attempt: number;
  readonly started: number | null;
  /** The newest message of anybody in this run. */
  readonly lastHeard: number | null;

  /** `run_start`: `{}` and nulls for what nobody told. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly data: DataFacts;
  readonly software: Readonly<Record<string, string>>;

  readonly totalEpochs: number | null;
  readonly totalRounds: number | null;
  /** How many hospitals are expected (`config.num_clients`), or have been heard where nobody said. */
  readonly expectedClients: number | null;
  readonly localEpochs: number | null;

  /** Where the run was begun more than once: its attempts, oldest first, the present one among them. */
  readonly attempts: readonly AttemptModel[];

  /** By number, ascending; a missing number is a gap. Of a run that went back: its curve, of all attempts together. */
  readonly epochs: readonly Epoch[];
  /** The epoch that is open now, 0 before the first. */
  readonly epoch: number;
  /** The newest step without a client. */
  readonly step: Step | null;
  /** Key: `${clientId ?? ""}/${phase}`; see `stepSeries(model, phase, clientId)`. */
  readonly steps: Readonly<Record<string, StepSeries>>;

  readonly clients: readonly Client[];
  readonly rounds: readonly Round[];
  /** The round that is open or the last one there was; 0 before the first. */
  readonly round: number;

  readonly best: Best | null;
  readonly finalMetrics: Readonly<Record<string, number | string | null>> | null;
  readonly testCurves: TestCurves | null;
  readonly alerts: readonly Alert[];
  /** In order of arrival, oldest first. */
  readonly events: readonly RunEvent[];
  readonly end: End | null;

  /** True: the trainer looks at cancel requests. `null`: nobody said (old server). */
  readonly hearsCancel: boolean | null;
  /** When a stop was asked for and by whom, until the run has ended. */
  readonly cancelAsked: { readonly at: number; readonly by: string | null } | null;
  readonly hearsPause: boolean | null;
  /** Since when it waits because somebody asked it to, and who did. */
  readonly paused: { readonly at: number; readonly by: string | null } | null;

  /** The newest `offset` folded in (0: none). */
  readonly offset: number;

  /** The same run as the server and the terminal know it: the words for its state are made of this. */
  readonly state: RunState;
}

/** The status sentence: what is happening and why; then the counts and the time left. */
export interface Sentence {
  readonly first: string;
  readonly second: string;
}

export type Via = "websocket" | "sse" | "poll" | "document";

/** The state of the line between page and server. Never the state of a run. */
export type Line =
  | { readonly kind: "connecting" }
  | { readonly kind: "live"; readonly via: Via }
  /** No line at all: the run lies in the page's own file, as it was then. */
  | { readonly kind: "file"; readonly savedAt: number }
  | {
      readonly kind: "catching_up";
      readonly via: Via;
      readonly offset: number;
      readonly from: number;
      readonly top: number;
    }
  | {
      readonly kind: "away";
      /** When the line broke, the number of tries since, and the time of the next one. */
      readonly since: number;
      readonly tries: number;
      readonly nextTry: number;
      /** The cursor the page goes on from. */
      readonly offset: number | null;
    }
  | { readonly kind: "refused"; readonly code: number; readonly reason: string };

/** The key of a step series. */
export function stepKey(clientId: string | null, phase: StepPhase): string {
  return `${clientId ?? ""}/${phase}`;
}

/** The steps of one client (or of the run) in one phase. */
export function stepSeries(
  model: RunModel,
  phase: StepPhase,
  clientId: string | null = null,
): StepSeries | null {
  return model.steps[stepKey(clientId, phase)] ?? null;
}

/** A run of which nothing has been heard yet. */
export function emptyModel(runId: string): RunModel {
  return {
    runId,
    experimentName: runId,
    name: runId,
    tags: [],
    notes: "",
    federated: false,
    mode: "centralized",
    status: "queued",
    attempt: 0,
    started: null,
    lastHeard: null,
    config: {},
    data: { name: null, digest: null, phantom: false, splits: {}, clients: {}, notes: [] },
    software: {},
    totalEpochs: null,
    totalRounds: null,
    expectedClients: null,
    localEpochs: null,
    attempts: [],
    epochs: [],
    epoch: 0,
    step: null,
    steps: {},
    clients: [],
    rounds: [],
    round: 0,
    best: null,
    finalMetrics: null,
    testCurves: null,
    alerts: [],
    events: [],
    end: null,
    hearsCancel: null,
    cancelAsked: null,
    hearsPause: null,
    paused: null,
    offset: 0,
    state: emptyState(runId),
  };
}
