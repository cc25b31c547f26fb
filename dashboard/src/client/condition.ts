/**
 * Why is nothing moving? From what is known of a run to its condition and the sentence a person needs first
 * (`hub/condition.py` in TypeScript, tested on the same recordings).
 */

import { ended } from "./fold.state";
import { silentSeconds, usualGap } from "./lateness";
import { outcome } from "./outcome";
import { ago, roundTold, type Told } from "./roundWords";
import type { RunState } from "./state";
import { isHalted } from "./state";
import { seconds } from "./times";
import {
  bare,
  capital,
  countOf,
  durationWords,
  gapWords,
  isFederated,
  joined,
  listed,
  metricWords,
  ofTotal,
  progressOf,
  rate,
} from "./wording";

/**
 * What a run does or waits for, in one word and in sentences.
 *
 * @param at seconds since 1970, by the clock that gave the times of this side; clients are described already.
 */
export function condition(state: RunState, at: number): Told {
  if (ended(state)) return outcome(state, at);
  if (state.status === "queued") return { condition: "queued", first: queue(state) };
  if (state.cancel_asked !== null) {
    return { condition: "stopping", first: "Stopping, as somebody asked.", second: lastWords(state) };
  }
  if (state.paused !== null) {
    return { condition: "paused", first: pause(state, at), second: lastWords(state) };
  }
  const told = atWork(state, at);
  if (state.disk_full === null) return told;
  // Nothing newer than this can be seen, whatever else was so until then.
  const since = ago(state.disk_full, at);
  const first = `${capital(bare(state.disk_full[1]))}: nothing new is seen (${since}), the training goes on.`;
  return { ...told, first, second: joined(told.first, told.second ?? "") };
}

function atWork(state: RunState, at: number): Told {
  if (state.halted !== null && isHalted(state)) {
    const since = ago(state.halted, at);
    const first = `${capital(bare(state.halted[1]))} (${since}); nothing is trained until it is continued.`;
    return { condition: "paused", first, second: lastWords(state) };
  }
  const wait = waitForClients(state, at);
  if (wait !== null) return wait;
  const inRound = isFederated(state) && state.round ? roundTold(state, at) : null;
  if (inRound?.isTrouble) return inRound;
  const silent = silentSeconds(state, at);
  if (silent !== null) {
    return { condition: "lost_contact", first: silence(state, silent), second: lastWords(state) };
  }
  if (state.stage?.name === "testing") {
    return { condition: "evaluating", first: "Testing the best model.", second: bestSoFar(state) };
  }
  if (state.status === "started") {
    return { condition: "starting", first: starting(state) };
  }
  return inRound ?? epoch(state);
}

function starting(state: RunState): string {
  const kept = state.attempts.at(-1)?.from ?? 0;
  if (kept === 0) return "Starting; nothing is trained yet.";
  return `Starting; attempt ${state.attempt} goes on from ${isFederated(state) ? "round" : "epoch"} ${kept}.`;
}

function pause(state: RunState, at: number): string {
  const since = seconds(state.paused);
  const by = state.paused_by ? ` by ${state.paused_by}` : "";
  return `Paused${by}${since === null || at - since < 1 ? "" : ` ${durationWords(at - since)} ago`}.`;
}

function queue(state: RunState): string {
  const [first] = state.waits_behind;
  if (first === undefined) return "Waiting to start.";
  if (state.waits_behind.length === 1) return `Waiting to start: ${first} goes first.`;
  return `Waiting to start: ${countOf(state.waits_behind.length, "run")} go first, ${first} at the front.`;
}

/** The server waits for hospitals to connect: how many are here, which, and which are not. */
function waitForClients(state: RunState, at: number): Told | null {
  const { stage } = state;
  if (stage === null || stage.name !== "waiting_for_clients" || stage.expected === null) return null;
  const here = stage.connected ?? [];
  if (here.length >= stage.expected) return null;
  const what = stage.round ? `${ofTotal("Round", stage.round, state.total_rounds)} is waiting` : "Waiting";
  let first = `${what} for hospitals: ${here.length} of ${stage.expected} ${here.length === 1 ? "is" : "are"} here`;
  if (here.length > 0) first += ` (${listed(here)})`;
  const missing = state.clients.filter((client) => !here.includes(client.client_id));
  if (missing.length > 0) {
    first += `, ${listed(missing.map((client) => client.client_id))} ${missing.length === 1 ? "is" : "are"} not`;
  }
  const why = missing.flatMap((client) =>
    client.trouble === null ? [] : [`${client.client_id}: ${bare(client.trouble[1])}.`],
  );
  const since = seconds(stage.since);
  const waited = since === null || at - since < 1 ? "" : `It has waited for ${durationWords(at - since)}.`;
  return {
    condition: "waiting_for_clients",
    first: `${first}.`,
    second: joined(...why, waited),
    isTrouble: true,
  };
}

function silence(state: RunState, silent: number): string {
  const gap = usualGap(state);
  const usually = gap === null ? "" : ` (usually one every ${gapWords(gap)})`;
  return `No message for ${durationWords(silent)}${usually}; it may still run.`;
}

function epoch(state: RunState): Told {
  const { stage } = state;
  const name = ofTotal("epoch", state.epoch, state.total_epochs);
  const validates = stage?.name === "evaluating" && stage.epoch === state.epoch;
  if (validates && (state.metrics_at === null || state.metrics_at < state.epoch)) {
    return {
      condition: "evaluating",
      first: `Validating ${name}.`,
      second: bestSoFar(state),
      hasTimeLeft: true,
    };
  }
  return { condition: "training", first: `Training ${name}.`, second: bestSoFar(state), hasTimeLeft: true };
}

function bestSoFar(state: RunState): string {
  const { best } = state;
  if (best === null) return "";
  return `Best ${metricWords(best.metric)} so far ${rate(best.value)} at ${progressOf(state).unit} ${best.at}.`;
}

function lastWords(state: RunState): string {
  const { unit, at } = progressOf(state);
  if (!at) return "";
  const step = unit === "epoch" && state.step !== null ? `, step ${state.step}` : "";
  return `Last: ${unit} ${at}${step}.`;
}
