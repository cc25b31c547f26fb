/** What a client's message changes of it (the second half of `hub/state.py`). */

import { ENDS, endOf, HUB_SAYS, int, paced, textOf } from "./fold.state";
import { record } from "./reading";
import type { ClientState, RunState, Values } from "./state";
import { emptyClient } from "./state";
import { before, later, seconds } from "./times";

const KEPT_DURATIONS = 5;

type Changes = { -readonly [Key in keyof ClientState]?: ClientState[Key] };

export function foldClient(
  state: RunState,
  type: string,
  clientId: string,
  message: Values,
  time: string,
): RunState {
  const known = new Map(state.clients.map((client) => [client.client_id, client]));
  known.set(clientId, clientAfter(known.get(clientId) ?? emptyClient(clientId, time), type, message, time));
  // By first appearance in the writers' own time, so that the order does not depend on who was read first.
  const at = (client: ClientState): number => seconds(client.first_seen) ?? 0;
  const clients = [...known.values()].sort((a, b) => at(a) - at(b) || (a.client_id < b.client_id ? -1 : 1));
  return { ...state, clients };
}

function clientAfter(client: ClientState, type: string, message: Values, time: string): ClientState {
  const round = int(message.round);
  const changes: Changes = {};
  if (!HUB_SAYS.has(type)) {
    changes.pace = paced(client.pace, time);
    changes.last_seen = later(client.last_seen, time);
    if (before(time, client.first_seen)) changes.first_seen = time;
  }
  if (round !== null && round > client.round && type !== "client_failed") {
    Object.assign(changes, { round, local_epoch: 0, step: null, total_steps: null, started: null });
  }
  const current = Math.max(client.round, round ?? 0);
  const here = round === null || round === current;
  if (type === "round_start" && round === current) {
    changes.started = time;
    changes.total_rounds = int(message.total_rounds) || client.total_rounds;
  } else if (type === "local_epoch" && here) {
    changes.local_epoch = Math.max(changes.local_epoch ?? client.local_epoch, int(message.local_epoch) || 0);
  } else if (type === "step" && here) {
    changes.step = int(message.step);
    changes.total_steps = int(message.total_steps);
  } else if (type === "round_end" && round !== null) {
    Object.assign(changes, afterRoundEnd(client, message, round, time));
  } else if (type === "client_failed" || type === "training_error") {
    Object.assign(changes, afterFailure(client, message, round || current, time));
  } else if (type in ENDS && client.end === null) {
    changes.end = endOf(message, time);
  }
  const back = type === "round_start" && client.end?.status === "failed" && round !== null;
  // It failed, and came back in a later round: its part is not over.
  if (back && round > client.failed_round) changes.end = null;
  return { ...client, ...changes };
}

function afterFailure(client: ClientState, message: Values, round: number, time: string): Changes {
  const error = textOf(message.error) || "it did not say why";
  const changes: Changes = { failed_round: Math.max(client.failed_round, round), error };
  if (client.end === null || before(time, client.end.time)) {
    changes.end = { status: "failed", time, error, detail: textOf(message.detail), by: null, reason: null };
  }
  return changes;
}

function afterRoundEnd(client: ClientState, message: Values, round: number, time: string): Changes {
  const changes: Changes = { sent_round: Math.max(client.sent_round, round) };
  const begun = seconds(client.started);
  const done = seconds(time);
  if (round === client.round && round > client.sent_round && begun !== null && done !== null) {
    changes.durations = [...client.durations, Math.max(0, done - begun)].slice(-KEPT_DURATIONS);
  }
  const samples = int(record(message.eval_metrics).num_samples);
  if (samples !== null && round >= client.sent_round) changes.num_samples = samples;
  if (client.total_rounds !== null && round >= client.total_rounds && client.end === null) {
    changes.end = { status: "completed", time, error: null, detail: null, by: null, reason: null };
  }
  return changes;
}
