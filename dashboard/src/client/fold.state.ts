/** The fold of a run's state: `hub/fold.py` in TypeScript, function by function. */

import {
  apart,
  asAttempt,
  attemptOf,
  beginsFrom,
  bestOf,
  KEY_METRICS,
  measured,
  ownOf,
  takeLate,
  together,
} from "./fold.attempts";
import { foldClient, HUB_SAYS, more, newest, paced } from "./fold.clients";
import { endOf } from "./fold.part";
import { withheldAfter } from "./fold.withheld";
import type { KnownMessage } from "./messages.generated";
import type { Said } from "./model";
import { list, namesOf, number, record, textOrEmpty, whole } from "./reading";
import type { EndState, RunState, Seen, Span, StageState, Values } from "./state";
import { emptyState, isLost } from "./state";
import { before, earlier, later, seconds } from "./times";
import { withWait } from "./waits";

type Handler = (state: RunState, message: Said, clientId: string | null, time: string) => RunState;

export { KEY_METRICS };

/** Messages that only whoever leads a run writes: seen without a client, they prove that not only clients log. */
const LEADS: ReadonlySet<string> = new Set<KnownMessage["type"]>([
  "run_start",
  "epoch_start",
  "epoch_end",
  "step",
  "round_start",
  "round_end",
  "round_aggregated",
  "stage",
  "test_curves",
]);
const KEPT_SPANS = 20;
const SETUP = ["model", "seed", "partition", "alpha", "strategy"] as const;

/** Whether nothing more is expected of the run. */
export function ended(state: RunState): boolean {
  return ["completed", "failed", "cancelled", "lost"].includes(state.status);
}

/** The state after one more message; what is not of the type it should be counts as not told. */
export function foldState(before_: RunState, message: Said): RunState {
  const type = textOrEmpty(message.type);
  // The machine is said by a thread of its own, which goes on while the training hangs.
  if (type === "step" && message.phase === "system") return before_;
  const time = textOrEmpty(message.timestamp);
  const clientId = clientOf(message);
  const about = textOrEmpty(message.about);
  const told = about === "" || before_.told.includes(about) ? before_.told : [...before_.told, about].sort();
  let state: RunState = { ...apart(before_), updated_at: later(before_.updated_at, time), told };
  const attempt = attemptOf(state, type, message.attempt, time);
  if (attempt < state.attempt) {
    // Superseded or not, it went over the line.
    const line = clientId !== null && (type === "round_end" || type === "client_failed");
    if (line) state = { ...state, ...moved(state, message) };
    return together(takeLate(state, attempt, type, message, clientId, time));
  }
  // Its end may be read before its beginning: what the hub says stands in a journal of its own.
  if (attempt > state.attempt) state = goneOn(state, attempt, type, message, time);
  if (clientId !== null) state = foldClient(state, type, clientId, message, time);
  else if (LEADS.has(type) && !state.led) state = { ...state, led: true };
  if (clientId === null && "withheld" in message) {
    state = { ...state, withheld: withheldAfter(state.withheld, message) };
  }
  const handler = HANDLERS[type as KnownMessage["type"]];
  if (handler !== undefined) state = handler(state, message, clientId, time);
  const byHub = message.about != null || HUB_SAYS.has(type);
  if (clientId === null && !byHub) state = { ...state, pace: paced(state.pace, time, type) };
  if (!byHub) {
    state = { ...state, heard: later(state.heard, textOrEmpty(message.received) || time) };
  }
  const start_time = state.begun ?? (byHub ? state.start_time : earlier(state.start_time, time));
  return settled(together({ ...state, start_time }));
}

/** The next attempt begins; what the one before it has measured is kept. */
function goneOn(state: RunState, attempt: number, type: string, message: Said, time: string): RunState {
  const byTheClock = type === "run_start" && beginsFrom(message, null) === null;
  const others = state.attempts.filter((each) => each.attempt !== state.attempt);
  return { ...afresh(state, byTheClock ? time : null), attempt, attempts: [...others, asAttempt(state)] };
}

/**
 * The same run before its next attempt: what people gave it stays, and where messages do not name their attempt what
 * was said since it began (`begun`).
 */
function afresh(state: RunState, begun: string | null): RunState {
  return {
    ...emptyState(state.run_id),
    experiment_name: state.experiment_name,
    mode: state.mode,
    name: state.name,
    tags: state.tags,
    notes: state.notes,
    edited: state.edited,
    told: state.told,
    bytes_down: state.bytes_down,
    bytes_up: state.bytes_up,
    updated_at: state.updated_at,
    cancel_asked: begun === null || before(state.cancel_asked, begun) ? null : state.cancel_asked,
    lost: begun === null || state.lost === null || before(state.lost[0], begun) ? null : state.lost,
    hears_cancel: state.hears_cancel,
    hears_pause: state.hears_pause,
    pid: state.pid,
  };
}

/** The status that follows from what is known, and the fields that follow from the status. */
function settled(state: RunState): RunState {
  const end = state.end ?? (state.led ? null : endOfClients(state));
  if (end !== null) {
    return {
      ...state,
      status: end.status,
      end_time: end.time,
      error: end.error,
      detail: end.detail,
      stopped_by: end.by,
      reason: end.reason,
    };
  }
  if (state.lost !== null && isLost(state)) {
    return { ...state, status: "lost", end_time: null, error: state.lost[1], detail: null };
  }
  // To have come to the epoch or round that an attempt goes on from is no sign that it runs.
  const kept = ownOf(state).from ?? 0;
  const running = state.epoch > kept || state.round > kept || state.step !== null || state.spans.length > 0;
  const status = running ? "running" : state.led || state.clients.length > 0 ? "started" : "queued";
  return { ...state, status, end_time: null, error: null, detail: null, stopped_by: null, reason: null };
}

/** The end of a run in which only clients log: each has ended its last round, or failed. */
function endOfClients(state: RunState): EndState | null {
  const known: EndState[] = [];
  for (const client of state.clients) {
    if (client.end === null) return null;
    known.push(client.end);
  }
  const [first] = known;
  if (first === undefined) return null;
  const at = (end: EndState): number => seconds(end.time) ?? 0;
  const latest = known.reduce((a, b) => (at(b) > at(a) ? b : a), first);
  if (known.every((end) => end.status === "failed")) {
    const oldest = known.reduce((a, b) => (at(b) < at(a) ? b : a), first);
    return { ...oldest, status: "failed", time: latest.time, by: null, reason: null };
  }
  if (known.every((end) => end.status === "failed" || end.status === "cancelled")) {
    const stop = known.find((end) => end.status === "cancelled") ?? first;
    return { ...stop, status: "cancelled", time: latest.time, error: null, detail: null };
  }
  const nothing = { error: null, detail: null, by: null, reason: null, died: false };
  return { ...nothing, status: "completed", time: latest.time };
}

/* One function for each type. */

const runQueued: Handler = (state, message) => {
  const after: RunState = {
    ...state,
    experiment_name: state.experiment_name || textOrEmpty(message.experiment_name),
    mode: textOrEmpty(message.mode) || state.mode,
    total_epochs: state.total_epochs || whole(message.total_epochs),
    total_rounds: state.total_rounds || whole(message.total_rounds),
  };
  return after.attempt > 1 ? goingOn(after, message) : after;
};

const runStart: Handler = (state, message, clientId, time) => {
  const data = record(message.data);
  const config = record(message.config);
  const sizes: Record<string, number> = {};
  const cases: Record<string, { normal?: number; pneumonia?: number }> = {};
  for (const [name, split] of Object.entries(record(data.splits))) {
    const counts = record(split);
    const [size, normal, pneumonia] = [whole(counts.n), whole(counts.normal), whole(counts.pneumonia)];
    if (size !== null) sizes[name] = size;
    cases[name] = { ...(normal === null ? {} : { normal }), ...(pneumonia === null ? {} : { pneumonia }) };
  }
  const setup = Object.fromEntries(
    SETUP.flatMap((name) =>
      ["string", "number", "boolean"].includes(typeof config[name]) ? [[name, config[name]]] : [],
    ),
  );
  const after: RunState = {
    ...state,
    experiment_name: textOrEmpty(message.experiment_name) || state.experiment_name,
    mode: textOrEmpty(message.mode) || state.mode,
    begun: clientId === null ? earlier(state.begun, time) : state.begun,
    total_epochs: whole(message.total_epochs) || state.total_epochs,
    total_rounds: whole(message.total_rounds) || state.total_rounds,
    num_clients: whole(config.num_clients) || state.num_clients,
    phantom: state.phantom || data.phantom === true,
    split_sizes: Object.keys(sizes).length > 0 ? sizes : state.split_sizes,
    split_cases: Object.keys(cases).length > 0 ? cases : state.split_cases,
    setup: Object.keys(setup).length > 0 ? setup : state.setup,
    patience: whole(config.early_stopping_patience) || state.patience,
    n: state.n ?? sizes.val ?? null,
  };
  return clientId === null && after.attempt > 1 ? goingOn(after, message) : after;
};

/** An attempt that goes on stands where it does so. */
function goingOn(state: RunState, message: Said): RunState {
  const own = ownOf(state);
  const from = beginsFrom(message, own.from);
  const kept = from ?? 0;
  const others = state.attempts.filter((each) => each.attempt !== own.attempt);
  const after = { ...state, attempts: [...others, { ...own, from }] };
  if (after.mode !== "federated") return { ...after, epoch: Math.max(after.epoch, kept) };
  const aggregated_round = Math.max(after.aggregated_round, kept);
  return { ...after, round: Math.max(after.round, kept), aggregated_round };
}

const epochStart: Handler = (state, message, clientId, time) => {
  const epoch = whole(message.epoch);
  if (clientId !== null || epoch === null) return state;
  const newer = epoch > state.epoch;
  return {
    ...state,
    epoch: Math.max(state.epoch, epoch),
    total_epochs: whole(message.total_epochs) || state.total_epochs,
    step: newer ? null : state.step,
    total_steps: newer ? null : state.total_steps,
    spans: opened(state.spans, epoch, time),
  };
};

const epochEnd: Handler = (state, message, clientId, time) => {
  const epoch = whole(message.epoch);
  if (clientId !== null || epoch === null) return state;
  const after: RunState = {
    ...state,
    epoch: Math.max(state.epoch, epoch),
    total_epochs: whole(message.total_epochs) || state.total_epochs,
    spans: closed(state.spans, epoch, time),
  };
  if (message.phase !== "val") return after;
  const metrics = record(message.metrics);
  return withMeasured(withLoss(after, epoch, metrics), metrics, epoch, null);
};

const step: Handler = (state, message, clientId) => {
  if (clientId !== null) return state;
  const epoch = whole(message.epoch) || state.epoch;
  if (epoch < state.epoch) return state;
  return {
    ...state,
    epoch,
    step: whole(message.step),
    total_steps: whole(message.total_steps) || state.total_steps,
  };
};

const roundStart: Handler = (state, message, _clientId, time) => {
  const round = whole(message.round);
  if (round === null) return state;
  return {
    ...state,
    mode: "federated",
    round: Math.max(state.round, round),
    total_rounds: whole(message.total_rounds) || state.total_rounds,
    spans: opened(state.spans, round, time),
  };
};

const roundEnd: Handler = (state, message, clientId, time) => {
  const round = whole(message.round);
  if (round === null) return state;
  const after: RunState = { ...state, mode: "federated", round: Math.max(state.round, round) };
  if (clientId === null) return after;
  return {
    ...after,
    ...moved(after, message),
    spans: spanned(after.spans, round, (span) => ({ ...span, sent: later(span.sent, time) })),
  };
};

const roundAggregated: Handler = (state, message, _clientId, time) => {
  const round = whole(message.round);
  if (round === null) return state;
  let after: RunState = {
    ...state,
    mode: "federated",
    round: Math.max(state.round, round),
    aggregated_round: Math.max(state.aggregated_round, round),
    spans: closed(state.spans, round, time, true),
  };
  if (list(message.failed_clients).length > 0) after = withFailure(after, round);
  const metrics = record(message.metrics);
  return withMeasured(withLoss(after, round, metrics), metrics, round, whole(metrics.num_samples));
};

const stageSaid: Handler = (state, message, clientId, time) => {
  const stage: StageState = {
    name: textOrEmpty(message.stage),
    time,
    since: textOrEmpty(message.received) || time,
    round: whole(message.round),
    epoch: whole(message.epoch),
    expected: whole(message.expected),
    connected: namesOf(message.connected),
    answered: namesOf(message.answered),
  };
  return clientId === null && !isBeyond(state.stage, stage) ? { ...state, stage } : state;
};

const clientFailed: Handler = (state, message, clientId) => {
  const round = whole(message.round) || state.clients.find((each) => each.client_id === clientId)?.round || 0;
  const after = { ...state, ...moved(state, message) };
  return round > 0 ? withFailure(after, round) : after;
};

const end: Handler = (state, message, clientId, time) => {
  if (clientId !== null) return state;
  // Of two ends the earlier one holds, in whichever order they came.
  const after =
    state.end === null || before(time, state.end.time) ? { ...state, end: endOf(message, time) } : state;
  if (message.type !== "training_complete") return after;
  const final = record(message.final_metrics);
  return { ...after, final_metrics: final, total_epochs: after.total_epochs || whole(final.total_epochs) };
};

const paused: Handler = (before_, message, clientId, time) => {
  if (clientId !== null) return before_;
  const state: RunState = { ...before_, waits: withWait(before_.waits, time, false) };
  const isLate = state.resumed !== null && !before(state.resumed, time);
  if (isLate || (state.paused !== null && !before(state.paused, time))) return state;
  return { ...state, paused: time || null, paused_by: textOrEmpty(message.by) || null };
};

const resumed: Handler = (state, _message, clientId, time) => {
  if (clientId !== null) return state;
  const after: RunState = {
    ...state,
    resumed: later(state.resumed, time),
    waits: withWait(state.waits, time, true),
  };
  return before(time, state.paused) ? after : { ...after, paused: null, paused_by: null };
};

const alert: Handler = (state, message, clientId, time) => {
  const about = textOrEmpty(message.about);
  const seen: Seen = [time, textOrEmpty(message.text)];
  if (about === "cancel") return { ...state, cancel_asked: later(state.cancel_asked, time) };
  if (about.startsWith("disk:")) return { ...state, disk_full: newest(state.disk_full, seen) };
  if (about.startsWith("room:")) {
    const still = state.disk_full !== null && before(time, state.disk_full[0]);
    return still ? state : { ...state, disk_full: null };
  }
  if (clientId !== null) return state;
  if (about.startsWith("heard:")) return { ...state, heard: later(state.heard, time) };
  if (about.startsWith("halted:")) return { ...state, halted: newest(state.halted, seen) };
  if (about === "lost" || about.startsWith("lost:")) return { ...state, lost: newest(state.lost, seen) };
  return state;
};

const runEdited: Handler = (state, message, _clientId, time) => {
  if (before(time, state.edited)) return state;
  return {
    ...state,
    edited: time,
    name: "name" in message ? textOrEmpty(message.name) : state.name,
    notes: "notes" in message ? textOrEmpty(message.notes) : state.notes,
    tags: Array.isArray(message.tags) ? message.tags.filter((tag) => typeof tag === "string") : state.tags,
  };
};

const HANDLERS: { readonly [Type in KnownMessage["type"]]?: Handler } = {
  run_queued: runQueued,
  run_start: runStart,
  epoch_start: epochStart,
  epoch_end: epochEnd,
  step,
  round_start: roundStart,
  round_end: roundEnd,
  round_aggregated: roundAggregated,
  stage: stageSaid,
  client_failed: clientFailed,
  training_complete: end,
  training_error: end,
  training_cancelled: end,
  training_paused: paused,
  training_resumed: resumed,
  alert,
  run_edited: runEdited,
};

/* Small things. */

function withMeasured(state: RunState, metrics: Values, at: number, n: number | null): RunState {
  const after = measured(state, metrics, at, n);
  const { key_metric, key_series } = after;
  return key_series === state.key_series
    ? after
    : { ...after, best: key_metric === null ? null : bestOf(key_metric, key_series) };
}

function moved(state: RunState, message: Said): Pick<RunState, "bytes_down" | "bytes_up"> {
  return {
    bytes_down: more(state.bytes_down, message.bytes_down),
    bytes_up: more(state.bytes_up, message.bytes_up),
  };
}

/** Whether one stage comes after another: by what is done, then by the time. */
function isBeyond(one: StageState | null, other: StageState): boolean {
  if (one === null) return false;
  const by = (one.round || one.epoch || 0) - (other.round || other.epoch || 0);
  const later = by || (seconds(one.time) ?? 0) - (seconds(other.time) ?? 0);
  return later > 0 || (later === 0 && one.name > other.name);
}

function withFailure(state: RunState, round: number): RunState {
  const rounds = [...new Set([...state.rounds_with_failures, round])].sort((a, b) => a - b);
  return { ...state, rounds_with_failures: rounds };
}

function withLoss(state: RunState, at: number, metrics: Values): RunState {
  const loss = number(metrics.val_loss);
  return { ...state, spans: spanned(state.spans, at, (span) => ({ ...span, loss })) };
}

function opened(spans: readonly Span[], at: number, time: string): readonly Span[] {
  return spanned(spans, at, (span) => ({ ...span, opened: earlier(span.opened, time) }));
}

function closed(spans: readonly Span[], at: number, time: string, exactly = false): readonly Span[] {
  return spanned(spans, at, (span) => ({ ...span, closed: exactly ? time : later(span.closed, time) }));
}

function spanned(spans: readonly Span[], at: number, change: (span: Span) => Span): readonly Span[] {
  const known = new Map(spans.map((span) => [span.number, span]));
  known.set(at, change(known.get(at) ?? { number: at, opened: null, closed: null, sent: null, loss: null }));
  return [...known.values()].sort((a, b) => a.number - b.number).slice(-KEPT_SPANS);
}

function clientOf(message: Said): string | null {
  return message.client_id === null || message.client_id === undefined ? null : String(message.client_id);
}
