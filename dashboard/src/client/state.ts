/**
 * A run's state, the same value as the server's (`hub/state.py`), made by the same fold; recorded runs hold the two
 * together. `GET /api/runs` gives it as JSON, and messages go on from there.
 *
 * The fold knows no clock and no order between writers: it compares the messages' own times and numbers, never the
 * order in which they came. What needs a clock (late, silent, time left) is made of the state by `words.ts`.
 */

import type { Forecast } from "./forecast";
import type { RunStatus } from "./model";
import { before } from "./times";
import type { Waits } from "./waits";

export type Values = Readonly<Record<string, unknown>>;

export interface BestState {
  readonly metric: string;
  readonly value: number;
  readonly at: number;
}

export interface EndState {
  readonly status: RunStatus;
  readonly time: string;
  readonly error: string | null;
  readonly detail: string | null;
  readonly by: string | null;
  readonly reason: string | null;
  /** Nobody of it said so: its process is gone, as the hub saw. */
  readonly died: boolean;
}

/** When something was seen, and in which words that is told. */
export type Seen = readonly [string, string];

/** When an epoch (or a round) began, and when its last result came. */
export interface Span {
  readonly number: number;
  readonly opened: string | null;
  /** The last result of an epoch; a round's aggregate. */
  readonly closed: string | null;
  /** When the last client of a round sent. */
  readonly sent: string | null;
  /** Its validation loss. */
  readonly loss: number | null;
}

export interface StageState {
  /** `waiting_for_clients`, `training`, `aggregating`, `evaluating` or `testing`. */
  readonly name: string;
  /** When, by the clock of whoever said it. */
  readonly time: string;
  /** When, by the clock of this side: when that came, where it was shipped. */
  readonly since: string;
  readonly round: number | null;
  readonly epoch: number | null;
  /** How many clients it waits for; while a round trains or evaluates, how many were asked. */
  readonly expected: number | null;
  /** Which clients are there; while a round trains or evaluates, which were asked. */
  readonly connected: readonly string[] | null;
  /** Which of them have answered, where somebody counts. */
  readonly answered: readonly string[] | null;
}

/** How often one client (or whoever leads the run) is heard; seconds. */
export interface Pace {
  readonly last: string | null;
  readonly gaps: readonly number[];
  readonly longest: number;
}

/** One attempt of a run that was begun more than once, and what of it is still part of the run's curve. */
export interface AttemptState {
  readonly attempt: number;
  /** The last epoch or round that is kept of the attempts before it; `null`: nobody told, none is. */
  readonly from: number | null;
  /** The last epoch or round it has begun. */
  readonly reached: number;
  /** The last of these that is part of the run's curve: what lies above it is superseded. */
  readonly kept: number;
  readonly started: string | null;
  readonly ended: string | null;
  readonly how: RunStatus | null;
  readonly key_metric: string | null;
  readonly key_series: readonly (readonly [number, number | null])[];
  readonly metrics: Values;
  readonly metrics_at: number | null;
  readonly n: number | null;
  readonly rounds_with_failures: readonly number[];
}

/** What a run does or waits for, or how it ended; `status` says it more coarsely. */
export type Condition =
  | "queued"
  | "starting"
  | "waiting_for_clients"
  | "training"
  | "waiting_for_straggler"
  | "aggregating"
  | "evaluating"
  | "paused"
  | "stopping"
  | "lost_contact"
  | "dead"
  | "finished"
  | "failed"
  | "stopped";

export type ClientStatus =
  | "waiting"
  | "training"
  | "late"
  | "silent"
  | "lost"
  | "sent"
  | "failed"
  | "finished";

export interface ClientState {
  readonly client_id: string;
  /** In the open round; set by `described`. */
  readonly status: ClientStatus;
  /** The same in words, such as `Late by 48 s`; set by `described`. */
  readonly words: string;
  readonly round: number;
  readonly sent_round: number;
  readonly failed_round: number;
  readonly local_epoch: number;
  readonly step: number | null;
  readonly total_steps: number | null;
  /** Set by `described`, as `failed` is: both are of the open round. */
  readonly sent: boolean;
  readonly failed: boolean;
  readonly error: string | null;
  readonly started: string | null;
  /** When it started its newest round, by the clock of this side: when that came, where it was shipped. */
  readonly began: string | null;
  readonly first_seen: string | null;
  readonly last_seen: string | null;
  /** Seconds its last finished rounds took, at most five, oldest first. */
  readonly durations: readonly number[];
  readonly end: EndState | null;
  readonly pace: Pace;
  readonly total_rounds: number | null;
  readonly num_samples: number | null;
  /** What it has received and sent in all rounds, where that was measured. */
  readonly bytes_down: number | null;
  readonly bytes_up: number | null;
  /** Its newest sign of life: when a message came (by the server's clock where it was shipped), or it was heard again. */
  readonly heard: string | null;
  /** When the hub gave up hearing from it, and in which words; a later sign of life makes it void. */
  readonly lost: Seen | null;
  /** Since when it waits because somebody asked it to; `null` while it does not. */
  readonly paused: string | null;
  /** When it last went on. */
  readonly resumed: string | null;
  /** When it began to wait (`false`) and went on (`true`), oldest first. */
  readonly waits: Waits;
  /** When the hub saw that its process is gone, and how that is told; a later sign of life makes it void. */
  readonly died: Seen | null;
  /** When the hub saw that its process is stopped by a signal; a later sign of life makes it void. */
  readonly halted: Seen | null;
  /** When it failed in `failed_round`, by the clock of this side. */
  readonly failed_at: string | null;
  /** The newest round in which the server counted it as failed. */
  readonly given_up: number;
  /** The newest alert of the level `error` that somebody gave about it. */
  readonly trouble: Seen | null;
  /** What its site does not send, by name. */
  readonly withheld: readonly WithheldState[];
  /** The newest rounds it has begun or ended, at most six, oldest first. */
  readonly rounds: readonly ClientRoundState[];
  readonly failures: readonly FailureState[];
  /** How its part ended, where it said so itself and did not fail. */
  readonly said_end: EndState | null;
}

/** Something that a site does not send, and why; `at` is the round (or epoch) it was last told in. */
export interface WithheldState {
  readonly what: string;
  readonly why: string;
  readonly at: number;
}

/** When a client began and ended a round, by its own clock, and over how many images it evaluated. */
export interface ClientRoundState {
  readonly number: number;
  readonly started: string | null;
  /** When it began it by the clock of this side: when that came, where it was shipped. */
  readonly began: string | null;
  readonly sent: string | null;
  readonly samples: number | null;
}

/** That a client failed, as it said itself (`own`) or somebody else did. */
export interface FailureState {
  readonly round: number | null;
  readonly own: boolean;
  readonly time: string;
  readonly error: string;
  readonly detail: string | null;
  /** When, by the clock of this side. */
  readonly seen: string;
  /** The hub has seen that its process is gone. */
  readonly died: boolean;
}

export interface RunState {
  readonly run_id: string;
  readonly experiment_name: string;
  readonly mode: string;
  readonly status: RunStatus;
  /** What is happening and why; set by `described`. */
  readonly sentence: string;
  /** Counts, and the time left; set by `described`. */
  readonly detail_sentence: string;
  /** What it does or waits for, or how it ended; set by `described`. */
  readonly condition: Condition | "";
  readonly attempt: number;
  readonly start_time: string | null;
  readonly end_time: string | null;
  readonly updated_at: string | null;
  readonly epoch: number;
  readonly total_epochs: number | null;
  readonly step: number | null;
  readonly total_steps: number | null;
  readonly round: number;
  readonly total_rounds: number | null;
  readonly num_clients: number | null;
  readonly clients: readonly ClientState[];
  readonly metrics: Values;
  readonly metrics_at: number | null;
  readonly best: BestState | null;
  readonly final_metrics: Values | null;
  readonly error: string | null;
  readonly detail: string | null;
  readonly stopped_by: string | null;
  readonly reason: string | null;
  readonly phantom: boolean;
  readonly name: string;
  readonly tags: readonly string[];
  readonly notes: string;
  /** Set by the server, which knows who is alive. */
  readonly hears_cancel: boolean;
  /** Set by the server, too: whether it would wait if it were asked to. */
  readonly hears_pause: boolean;
  readonly cancel_asked: string | null;
  /** Since when it waits because somebody asked it to; `null` while it does not. */
  readonly paused: string | null;
  readonly paused_by: string | null;
  /** When it last went on after waiting. */
  readonly resumed: string | null;
  /** When it began to wait (`false`) and went on (`true`), oldest first. */
  readonly waits: Waits;
  readonly key_metric: string | null;
  readonly key_series: readonly (readonly [number, number | null])[];
  readonly n: number | null;
  readonly split_sizes: Readonly<Record<string, number>>;
  /** Cases by class of each split, where they were told: an interval needs them. */
  readonly split_cases: Readonly<Record<string, { readonly normal?: number; readonly pneumonia?: number }>>;
  /** The few settings that tell runs apart in a list. */
  readonly setup: Values;
  /** What whoever leads it said last that it does. */
  readonly stage: StageState | null;
  /** When it will end, from what was seen of it; set by `described`. */
  readonly eta: Forecast | null;
  /** After how many epochs (or rounds) without a lower validation loss it stops early. */
  readonly patience: number | null;
  readonly aggregated_round: number;
  readonly rounds_with_failures: readonly number[];
  readonly spans: readonly Span[];
  /** What all hospitals have received and sent, where that was measured. */
  readonly bytes_down: number | null;
  readonly bytes_up: number | null;
  /** Of whoever leads the run. */
  readonly pace: Pace;
  /** The process that leads the run (or its newest client); set by the server, which read who writes. */
  readonly pid: number | null;
  /** When whoever leads the run began this attempt. */
  readonly begun: string | null;
  /** Not only clients log: the run ends when who leads it says so. */
  readonly led: boolean;
  readonly end: EndState | null;
  /** When the hub gave up hearing from it, and in which words. */
  readonly lost: Seen | null;
  /** The newest sign of life of anybody in it. */
  readonly heard: string | null;
  readonly edited: string | null;
  /** When the hub saw that the process that leads it is stopped by a signal; a later sign of life makes it void. */
  readonly halted: Seen | null;
  /** When the hub saw that the disk of its journals is full, and which; void once it saw room there. */
  readonly disk_full: Seen | null;
  /** Runs that go first, while it is queued, in their order; set by the server, which keeps them. */
  readonly waits_behind: readonly string[];
  /** What the hub has said about it already, so that it says it once. */
  readonly told: readonly string[];
  /**
   * Of a run that was begun more than once: its attempts, oldest first, the present one among them. The curve
   * (`key_series`, `best`, `metrics`) is of all of them together, without what is superseded.
   */
  readonly attempts: readonly AttemptState[];
  /** What its machine does not send of what is no client's, by name. */
  readonly withheld: readonly WithheldState[];
}

const NO_PACE: Pace = { last: null, gaps: [], longest: 0 };

/** Whether the hub has given up hearing from a run or a client, and nothing was heard since. */
export function isLost(of: Pick<RunState, "lost" | "heard">): boolean {
  return stands(of.lost, of.heard);
}

/** Whether the process of a run or a client is stopped by a signal, and nothing was heard since. */
export function isHalted(of: Pick<RunState, "halted" | "heard">): boolean {
  return stands(of.halted, of.heard);
}

/** Whether a client's process is gone, and nothing was heard of that client since. */
export function isDead(client: ClientState): boolean {
  return stands(client.died, client.heard);
}

function stands(seen: Seen | null, heard: string | null): boolean {
  return seen !== null && !before(seen[0], heard);
}

export function emptyState(runId: string): RunState {
  return {
    run_id: runId,
    experiment_name: "",
    mode: "centralized",
    status: "queued",
    sentence: "",
    detail_sentence: "",
    condition: "",
    attempt: 1,
    start_time: null,
    end_time: null,
    updated_at: null,
    epoch: 0,
    total_epochs: null,
    step: null,
    total_steps: null,
    round: 0,
    total_rounds: null,
    num_clients: null,
    clients: [],
    metrics: {},
    metrics_at: null,
    best: null,
    final_metrics: null,
    error: null,
    detail: null,
    stopped_by: null,
    reason: null,
    phantom: false,
    name: "",
    tags: [],
    notes: "",
    hears_cancel: false,
    hears_pause: false,
    cancel_asked: null,
    paused: null,
    paused_by: null,
    resumed: null,
    waits: [],
    key_metric: null,
    key_series: [],
    n: null,
    split_sizes: {},
    split_cases: {},
    setup: {},
    stage: null,
    eta: null,
    patience: null,
    aggregated_round: 0,
    rounds_with_failures: [],
    spans: [],
    bytes_down: null,
    bytes_up: null,
    pace: NO_PACE,
    pid: null,
    begun: null,
    led: false,
    end: null,
    lost: null,
    heard: null,
    edited: null,
    halted: null,
    disk_full: null,
    waits_behind: [],
    told: [],
    attempts: [],
    withheld: [],
  };
}

export function emptyAttempt(attempt: number): AttemptState {
  return {
    attempt,
    from: null,
    reached: 0,
    kept: 0,
    started: null,
    ended: null,
    how: null,
    key_metric: null,
    key_series: [],
    metrics: {},
    metrics_at: null,
    n: null,
    rounds_with_failures: [],
  };
}

export function emptyClient(clientId: string): ClientState {
  return {
    client_id: clientId,
    status: "waiting",
    words: "",
    round: 0,
    sent_round: 0,
    failed_round: 0,
    local_epoch: 0,
    step: null,
    total_steps: null,
    sent: false,
    failed: false,
    error: null,
    started: null,
    began: null,
    first_seen: null,
    last_seen: null,
    durations: [],
    end: null,
    pace: NO_PACE,
    total_rounds: null,
    num_samples: null,
    bytes_down: null,
    bytes_up: null,
    heard: null,
    lost: null,
    paused: null,
    resumed: null,
    waits: [],
    withheld: [],
    rounds: [],
    failures: [],
    said_end: null,
    died: null,
    halted: null,
    failed_at: null,
    given_up: 0,
    trouble: null,
  };
}
