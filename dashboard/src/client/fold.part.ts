/**
 * A client's rounds, and how its part of the run ended (`hub/fold_part.py`): whatever order its journals and the
 * server's are read in. Nothing here goes by what came last.
 */

import type { RunStatus, Said } from "./model";
import { record, textOrEmpty, whole } from "./reading";
import type { ClientRoundState, ClientState, EndState, FailureState } from "./state";
import { before, earlier, later, seconds } from "./times";
import { waitedS } from "./waits";

export const ENDS: Readonly<Record<string, RunStatus>> = {
  training_complete: "completed",
  training_error: "failed",
  training_cancelled: "cancelled",
};
const KEPT_ROUNDS = 6;
const NOTHING = { error: null, detail: null, by: null, reason: null, died: false };
const KEPT_DURATIONS = 5;

/** The client after one more message of its rounds or its end; its newest round stands there already. */
export function partAfter(
  client: ClientState,
  type: string,
  message: Said,
  round: number | null,
  time: string,
): ClientState {
  if (type === "round_start") return settled(started(client, message, round, time));
  if (type === "round_end" && round !== null) return settled(sent(client, message, round, time));
  if (type === "client_failed" || type in ENDS) return settled(over(client, type, message, round, time));
  return client;
}

/** It starts a round; of two processes that do, the later one. */
function started(client: ClientState, message: Said, round: number | null, time: string): ClientState {
  const total = whole(message.total_rounds);
  const told =
    total === null ? client : { ...client, total_rounds: Math.max(client.total_rounds ?? 0, total) };
  if (round === null) return told;
  const one = roundOf(client, round);
  if (later(one.started, time) !== time) return told;
  const began = textOrEmpty(message.received) || time;
  return { ...told, rounds: put(client, { ...one, started: time, began }) };
}

/** It ends a round; told again (it has evaluated, too), the first time holds. */
function sent(client: ClientState, message: Said, round: number, time: string): ClientState {
  const one = roundOf(client, round);
  const samples = whole(record(message.eval_metrics).num_samples);
  const most = samples === null ? one.samples : Math.max(one.samples ?? samples, samples);
  const rounds = put(client, { ...one, sent: earlier(one.sent, time), samples: most });
  return {
    ...client,
    rounds,
    sent_round: Math.max(client.sent_round, round),
    num_samples: rounds.findLast((each) => each.samples !== null)?.samples ?? client.num_samples,
  };
}

/** A terminal message of its own, or somebody's word that it failed. */
function over(
  client: ClientState,
  type: string,
  message: Said,
  round: number | null,
  time: string,
): ClientState {
  if (type !== "client_failed" && type !== "training_error") {
    const end = endOf(message, time);
    return client.said_end === null || isFirst(end, client.said_end) ? { ...client, said_end: end } : client;
  }
  const failure: FailureState = {
    round,
    own: type === "training_error",
    time,
    error: textOrEmpty(message.error) || "it did not say why",
    detail: textOrEmpty(message.detail),
    seen: textOrEmpty(message.received) || time,
    died: textOrEmpty(message.about).startsWith("death:"),
  };
  const known = client.failures.find((each) => (each.round === null) === (round === null));
  if (known !== undefined && !isLess(weight(known), weight(failure))) return client;
  const others = client.failures.filter((each) => each !== known);
  return { ...client, failures: round === null ? [...others, failure] : [failure, ...others] };
}

function settled(client: ClientState): ClientState {
  const failure = failureOf(client);
  const durations = client.rounds.flatMap((one) => {
    const [begun, done] = [seconds(one.started), seconds(one.sent)];
    return begun === null || done === null
      ? []
      : [Math.max(0, done - begun - waitedS(client.waits, begun, done))];
  });
  const now = client.rounds.find((one) => one.number === client.round);
  return {
    ...client,
    started: now?.started ?? null,
    began: now?.began ?? null,
    durations: durations.slice(-KEPT_DURATIONS),
    failed_round: failure?.round ?? 0,
    error: failure?.error ?? null,
    failed_at: failure?.seen ?? null,
    end: endOfPart(client, failure),
  };
}

/** Its failure in the newest round it failed in; one that names no round is of the round it then was in. */
function failureOf(client: ClientState): FailureState | null {
  let found: FailureState | null = null;
  for (const failure of client.failures) {
    const placed = failure.round === null ? { ...failure, round: roundAt(client, failure.time) } : failure;
    if (found === null || isLess(weight(found), weight(placed))) found = placed;
  }
  return found;
}

/** By its own clock: it is the client itself that says so. */
function roundAt(client: ClientState, time: string): number {
  const begun = client.rounds.filter((one) => one.started !== null);
  const first = begun.find((one) => before(time, one.started));
  if (first === undefined) return client.round;
  return begun.findLast((one) => one.number < first.number)?.number ?? 0;
}

/** Its end: what it said itself, or its last round; else a failure after which it has begun no other round. */
function endOfPart(client: ClientState, failure: FailureState | null): EndState | null {
  const total = client.total_rounds || Number.POSITIVE_INFINITY;
  const ends = client.rounds.flatMap((one): EndState[] =>
    one.sent === null || one.number < total ? [] : [{ ...NOTHING, status: "completed", time: one.sent }],
  );
  if (client.said_end !== null) ends.push(client.said_end);
  if (ends.length > 0) return ends.reduce((a, b) => (isFirst(b, a) ? b : a));
  if (failure === null || client.round > (failure.round ?? 0)) return null;
  const { time, error, detail, died } = failure;
  return { ...NOTHING, status: "failed", time, error, detail, died };
}

/** The end that a terminal message tells. */
export function endOf(message: Said, time: string): EndState {
  const status = ENDS[textOrEmpty(message.type)] ?? "failed";
  if (status === "failed") {
    const error = textOrEmpty(message.error) || "it did not say why";
    const died = textOrEmpty(message.about).startsWith("death:");
    return { ...NOTHING, status, time, error, detail: textOrEmpty(message.detail), died };
  }
  if (status === "cancelled") {
    return { ...NOTHING, status, time, by: textOrEmpty(message.by), reason: textOrEmpty(message.reason) };
  }
  return { ...NOTHING, status, time };
}

function roundOf(client: ClientState, number: number): ClientRoundState {
  return (
    client.rounds.find((one) => one.number === number) ?? {
      number,
      started: null,
      began: null,
      sent: null,
      samples: null,
    }
  );
}

/** The newest by number: what is dropped comes back in no order. */
function put(client: ClientState, one: ClientRoundState): readonly ClientRoundState[] {
  const others = client.rounds.filter((each) => each.number !== one.number);
  return [...others, one].sort((a, b) => a.number - b.number).slice(-KEPT_ROUNDS);
}

type Key = readonly (number | string)[];

function isFirst(one: EndState, other: EndState): boolean {
  const key = (end: EndState): Key => [seconds(end.time) ?? 0, end.status, end.by ?? "", end.reason ?? ""];
  return isLess(key(one), key(other));
}

/** Of a round's failures the client's own word says most, and the first of several. */
function weight(failure: FailureState): Key {
  const { round, own, time, error, detail } = failure;
  return [round ?? 0, own ? 1 : 0, -(seconds(time) ?? 0), error, detail ?? ""];
}

function isLess(one: Key, other: Key): boolean {
  for (const [i, a] of one.entries()) {
    const b = other[i];
    if (b !== undefined && a !== b) return a < b;
  }
  return false;
}
