/** What one more message tells of one client (`hub/fold_client.py`). */

import type { KnownMessage } from "./messages.generated";
import type { RunStatus, Said } from "./model";
import { record, textOrEmpty, whole } from "./reading";
import type { ClientState, EndState, Pace, RunState } from "./state";
import { emptyClient } from "./state";
import { before, later, seconds } from "./times";

const ENDS: Readonly<Record<string, RunStatus>> = {
  training_complete: "completed",
  training_error: "failed",
  training_cancelled: "cancelled",
};
/** Said by the hub (or a server through it) about a run: signs of a hub's life, not of the run's. */
export const HUB_SAYS: ReadonlySet<string> = new Set<KnownMessage["type"]>([
  "run_queued",
  "run_edited",
  "alert",
  "client_failed",
]);
const KEPT_GAPS = 20;
const KEPT_DURATIONS = 5;

type Changes = { -readonly [Key in keyof ClientState]?: ClientState[Key] };

export function foldClient(
  state: RunState,
  type: string,
  clientId: string,
  message: Said,
  time: string,
): RunState {
  const place = state.clients.findIndex((client) => client.client_id === clientId);
  const before_ = state.clients[place] ?? emptyClient(clientId, time);
  const client = clientAfter(before_, type, message, time);
  const clients = [...state.clients];
  if (place < 0) clients.push(client);
  else clients[place] = client;
  // By first appearance in the writers' own time, so that the order does not depend on who was read first.
  if (place < 0 || client.first_seen !== before_.first_seen) clients.sort(byFirstAppearance);
  return { ...state, clients };
}

function byFirstAppearance(a: ClientState, b: ClientState): number {
  return (seconds(a.first_seen) ?? 0) - (seconds(b.first_seen) ?? 0) || (a.client_id < b.client_id ? -1 : 1);
}

function clientAfter(client: ClientState, type: string, message: Said, time: string): ClientState {
  const round = whole(message.round);
  const changes: Changes = {};
  if (!HUB_SAYS.has(type)) {
    changes.pace = paced(client.pace, time, type);
    changes.last_seen = later(client.last_seen, time);
    if (before(time, client.first_seen)) changes.first_seen = time;
    changes.heard = later(client.heard, textOrEmpty(message.received) || time);
  } else if (type === "alert") {
    const about = textOrEmpty(message.about);
    if (about.startsWith("heard:")) changes.heard = later(client.heard, time);
    else if (about.startsWith("lost:") && (client.lost === null || before(client.lost[0], time))) {
      changes.lost = [time, textOrEmpty(message.text)];
    }
  }
  if (round !== null && round > client.round && type !== "client_failed") {
    Object.assign(changes, { round, local_epoch: 0, step: null, total_steps: null, started: null });
  }
  if (type === "round_end" || type === "client_failed") {
    changes.bytes_down = more(client.bytes_down, message.bytes_down);
    changes.bytes_up = more(client.bytes_up, message.bytes_up);
  }
  const current = Math.max(client.round, round ?? 0);
  const here = round === null || round === current;
  if (type === "round_start" && round === current) {
    changes.started = time;
    changes.total_rounds = whole(message.total_rounds) || client.total_rounds;
  } else if (type === "local_epoch" && here) {
    changes.local_epoch = Math.max(
      changes.local_epoch ?? client.local_epoch,
      whole(message.local_epoch) || 0,
    );
  } else if (type === "step" && here) {
    changes.step = whole(message.step);
    changes.total_steps = whole(message.total_steps);
  } else if (type === "round_end" && round !== null) {
    Object.assign(changes, afterRoundEnd(client, message, round, time));
  } else if (type === "client_failed" || type === "training_error") {
    Object.assign(changes, afterFailure(client, message, round, time));
  } else if (type in ENDS && client.end === null) {
    changes.end = endOf(message, time);
  } else if (type === "training_paused" && (client.resumed === null || before(client.resumed, time))) {
    changes.paused = later(client.paused, time);
  } else if (type === "training_resumed") {
    changes.resumed = later(client.resumed, time);
    if (!before(time, client.paused)) changes.paused = null;
  }
  const cameBack = type === "round_start" && round !== null && round > client.failed_round;
  // It failed, and takes part in a later round: its part is not over.
  if (cameBack && client.end?.status === "failed") changes.end = null;
  return { ...client, ...changes };
}

function afterFailure(client: ClientState, message: Said, round: number | null, time: string): Changes {
  const error = textOrEmpty(message.error) || "it did not say why";
  const current = round || Math.max(client.round, round ?? 0);
  const changes: Changes = { failed_round: Math.max(client.failed_round, current), error };
  const wentOn = round !== null && client.round > round;
  if (!wentOn && (client.end === null || before(time, client.end.time))) {
    changes.end = {
      status: "failed",
      time,
      error,
      detail: textOrEmpty(message.detail),
      by: null,
      reason: null,
    };
  }
  return changes;
}

function afterRoundEnd(client: ClientState, message: Said, round: number, time: string): Changes {
  const changes: Changes = { sent_round: Math.max(client.sent_round, round) };
  const begun = seconds(client.started);
  const done = seconds(time);
  if (round === client.round && round > client.sent_round && begun !== null && done !== null) {
    changes.durations = [...client.durations, Math.max(0, done - begun)].slice(-KEPT_DURATIONS);
  }
  const samples = whole(record(message.eval_metrics).num_samples);
  if (samples !== null && round >= client.sent_round) changes.num_samples = samples;
  if (client.total_rounds !== null && round >= client.total_rounds && client.end === null) {
    changes.end = { status: "completed", time, error: null, detail: null, by: null, reason: null };
  }
  return changes;
}

/** The pace after a message of that time; how long somebody waited on request is nobody's usual gap. */
export function paced(pace: Pace, time: string, type: string): Pace {
  const last = seconds(pace.last);
  const now = seconds(time);
  if (now === null || (last !== null && now < last)) return pace;
  if (type === "training_resumed") return { ...pace, last: time };
  if (last === null) return { last: time, gaps: [], longest: 0 };
  const gap = now - last;
  return { last: time, gaps: [...pace.gaps, gap].slice(-KEPT_GAPS), longest: Math.max(pace.longest, gap) };
}

/** A count after what a message adds to it; what is no count adds nothing. */
export function more(before_: number | null, told: unknown): number | null {
  const added = whole(told);
  return added === null || added < 0 ? before_ : (before_ ?? 0) + added;
}

/** The end that a terminal message tells. */
export function endOf(message: Said, time: string): EndState {
  const status = ENDS[textOrEmpty(message.type)] ?? "failed";
  const nothing = { error: null, detail: null, by: null, reason: null };
  if (status === "failed") {
    const error = textOrEmpty(message.error) || "it did not say why";
    return { ...nothing, status, time, error, detail: textOrEmpty(message.detail) };
  }
  if (status === "cancelled") {
    return { ...nothing, status, time, by: textOrEmpty(message.by), reason: textOrEmpty(message.reason) };
  }
  return { ...nothing, status, time };
}
