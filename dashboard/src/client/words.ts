/**
 * Words for states: pure functions of a run's state and a clock (`hub/words.py` in TypeScript, tested on the same
 * recordings), so that the page, the terminal and the API say the same sentence.
 *
 * The first half says what the run waits for: the reason of a failure, else a trainer that is silent, else the
 * latest straggler, else aggregating, else training. The second half counts the hospitals and gives the time left.
 */

import { ended } from "./fold.state";
import { number, whole } from "./reading";
import type { ClientState, ClientStatus, Pace, RunState } from "./state";
import { isLost } from "./state";
import { timeLeft, timeLeftWords } from "./timeLeft";
import { seconds } from "./times";
import { countOf, durationWords, expected, isFederated, median, ofTotal, progressOf } from "./wording";

const SILENT_AT_LEAST_S = 30;
const SILENT_UNKNOWN_S = 300;
const USUAL_NEEDS_GAPS = 3;
const LATE_AT_LEAST_S = 10;
const LATE_NEEDS_ROUNDS = 2;
const ERROR_LETTERS = 28;
const NAMES: Readonly<Record<string, string>> = { auroc: "AUROC", f1: "F1" };
const SPLITS: Readonly<Record<string, string>> = { val: "validation", train: "training", test: "test" };

/**
 * The state with everything that needs a clock: its sentences, and its clients' states in words.
 *
 * @param now milliseconds, by the clock of whoever wrote the messages.
 */
export function described(state: RunState, now: number): RunState {
  const at = now / 1000;
  const clients = state.clients.map((client) => describedClient(state, client, at));
  const whole_: RunState = {
    ...state,
    clients,
    num_clients: expected({ ...state, clients }) || null,
    n: nOf(state),
    eta: timeLeft(state, at),
  };
  const [sentence, detail] = sentences(whole_, at);
  return { ...whole_, sentence, detail_sentence: detail };
}

/** Seconds since the run was heard last, where that is long enough to mean something; else `null`. */
export function silentFor(state: RunState, now: number): number | null {
  if (ended(state) || state.status === "queued") return null;
  if (state.cancel_asked !== null || state.paused !== null) return null;
  const heard = seconds(state.heard);
  if (heard === null) return null;
  const silent = now / 1000 - heard;
  return silent < silentAfter(usualPaces(state)) ? null : silent;
}

/* The sentence. */

function sentences(state: RunState, at: number): readonly [string, string] {
  if (ended(state)) return endedSentences(state);
  if (state.status === "queued") return ["Waiting to start.", ""];
  if (state.cancel_asked !== null) return ["Stopping, as somebody asked.", lastWords(state)];
  if (state.paused !== null) {
    return [`Paused${state.paused_by ? ` by ${state.paused_by}` : ""}.`, lastWords(state)];
  }
  const silence = silenceSentence(state, at);
  if (silence !== null) return [silence, lastWords(state)];
  if (state.status === "started") return ["Starting; nothing is trained yet.", ""];
  if (isFederated(state))
    return [roundSentence(state, at), joined(hospitals(state), timeLeftWords(state, state.eta))];
  const { best } = state;
  const soFar =
    best === null ? "" : `Best ${metricWords(best.metric)} so far ${rate(best.value)} at epoch ${best.at}.`;
  return [
    `Training ${ofTotal("epoch", state.epoch, state.total_epochs)}.`,
    joined(timeLeftWords(state, state.eta), soFar),
  ];
}

function endedSentences(state: RunState): readonly [string, string] {
  const { unit, at, total } = progressOf(state);
  const where = at ? ` in ${unit} ${at}` : "";
  if (state.status === "failed") return [`Failed${where}: ${bare(state.error)}.`, lastGood(state)];
  if (state.status === "lost") return [`Lost${where}: ${bare(state.error)}.`, lastGood(state)];
  if (state.status === "cancelled") {
    const by = state.stopped_by ? ` by ${state.stopped_by}` : "";
    const done = at ? ` in ${ofTotal(unit, at, total)}` : "";
    return [`Stopped${by}${done}.`, state.reason ? capital(`${bare(state.reason)}.`) : ""];
  }
  const began = seconds(state.start_time);
  const finished = seconds(state.end_time);
  const took =
    began === null || finished === null ? "" : ` in ${durationWords(Math.max(0, finished - began))}`;
  return [`Finished${took}${finishedHow(state)}.`, results(state)];
}

function finishedHow(state: RunState): string {
  const { unit, at, total } = progressOf(state);
  if (unit === "round") {
    const failures = state.rounds_with_failures.length;
    const said = at && total ? `, ${at} of ${total} rounds` : at ? `, ${countOf(at, "round")}` : "";
    return said + (failures ? `, ${failures} with a failure` : "");
  }
  // Whoever trained knows best which epoch it kept; ours is only the best of the key metric.
  const best = whole(state.final_metrics?.best_epoch) || state.best?.at;
  if (best && total) return `; best epoch ${best} of ${total}`;
  return at && total ? `, ${at} of ${total} epochs` : at ? `, ${countOf(at, "epoch")}` : "";
}

function results(state: RunState): string {
  const final = state.final_metrics ?? {};
  for (const name of ["test_auroc", "test_recall", "test_accuracy", "test_loss"]) {
    const value = number(final[name]);
    if (value === null) continue;
    const n = state.split_sizes.test || whole(final.test_num_samples);
    return `${capital(metricWords(name))} ${rate(value)}${n === null ? "" : `, n ${n}`}.`;
  }
  if (state.best === null) return "";
  const { metric, value, at } = state.best;
  return `Best ${metricWords(metric)} ${rate(value)} at ${progressOf(state).unit} ${at}.`;
}

function lastGood(state: RunState): string {
  if (state.key_metric === null || state.metrics_at === null) return "";
  const value = number(state.metrics[state.key_metric]);
  if (value === null) return "";
  return `Last good: ${progressOf(state).unit} ${state.metrics_at}, ${metricWords(state.key_metric)} ${rate(value)}.`;
}

function lastWords(state: RunState): string {
  const { unit, at } = progressOf(state);
  if (!at) return "";
  const step = unit === "epoch" && state.step !== null ? `, step ${state.step}` : "";
  return `Last: ${unit} ${at}${step}.`;
}

/** The sentence of a trainer that nobody has heard for too long. */
function silenceSentence(state: RunState, at: number): string | null {
  const silent = silentFor(state, at * 1000);
  if (silent === null) return null;
  const said = `No message for ${durationWords(silent)}`;
  const usual = usualPaces(state);
  if (usual.length === 0) return `${said}; it may still run.`;
  return `${said}; messages usually come every ${gapWords(Math.min(...usual.map((pace) => median(pace.gaps))))}.`;
}

function usualPaces(state: RunState): readonly Pace[] {
  return [state.pace, ...state.clients.map((client) => client.pace)].filter(
    (pace) => pace.gaps.length >= USUAL_NEEDS_GAPS,
  );
}

/**
 * After how many seconds a silence means something: ten usual gaps, and at least thirty seconds. Twice the longest
 * gap so far as well: who validates for a minute after each epoch is not silent then.
 */
function silentAfter(usual: readonly Pace[]): number {
  if (usual.length === 0) return SILENT_UNKNOWN_S;
  const tenUsual = 10 * Math.min(...usual.map((pace) => median(pace.gaps)));
  return Math.max(SILENT_AT_LEAST_S, tenUsual, 2 * Math.min(...usual.map((pace) => pace.longest)));
}

function roundSentence(state: RunState, at: number): string {
  const name = ofTotal("Round", state.round, state.total_rounds);
  if (state.aggregated_round >= state.round) return `${name} is done.`;
  let latest: { readonly by: number; readonly id: string } | null = null;
  for (const client of state.clients) {
    if (client.status !== "late") continue;
    const by = lateBy(state, client, at);
    const later = latest === null || by > latest.by || (by === latest.by && client.client_id > latest.id);
    if (later) latest = { by, id: client.client_id };
  }
  if (latest !== null) return `${name} is waiting for ${latest.id}, late by ${durationWords(latest.by)}.`;
  const lost = state.clients.find((client) => client.status === "lost");
  if (lost !== undefined) return `${name} is waiting for ${lost.client_id}, of which nothing is heard.`;
  if (waitingFor(state) === 0 && state.clients.some((client) => client.status === "sent")) {
    return state.led ? `${name} is being aggregated.` : `${name} is done.`;
  }
  return `${name} is training.`;
}

function hospitals(state: RunState): string {
  const total = expected(state);
  if (!total || state.aggregated_round >= state.round) return "";
  const count = (...statuses: ClientStatus[]): number =>
    state.clients.filter((client) => statuses.includes(client.status)).length;
  const sent = count("sent", "finished");
  const training = count("training", "late", "silent");
  const failed = count("failed");
  const lost = count("lost");
  const waiting = total - sent - training - failed - lost;
  const parts = [
    `${sent} of ${total} ${total === 1 ? "hospital" : "hospitals"} ${sent === 1 ? "has" : "have"} sent`,
  ];
  if (training) parts.push(`${training} ${training === 1 ? "is" : "are"} training`);
  if (waiting) parts.push(`${waiting} ${waiting === 1 ? "has" : "have"} not started`);
  if (failed) parts.push(`${failed} failed`);
  if (lost) parts.push(`nothing is heard of ${lost}`);
  return `${parts.join(", ")}.`;
}

/* Clients. */

function describedClient(state: RunState, client: ClientState, at: number): ClientState {
  const { round } = state;
  const sent = round > 0 && client.sent_round >= round;
  const failed = !sent && ((round > 0 && client.failed_round >= round) || client.end?.status === "failed");
  const now: ClientState = { ...client, status: clientStatus(state, client, at, sent, failed), sent, failed };
  return { ...now, words: clientWords(state, now, at) };
}

function clientStatus(
  state: RunState,
  client: ClientState,
  at: number,
  sent: boolean,
  failed: boolean,
): ClientStatus {
  if (failed) return "failed";
  if (ended(state) || (client.end !== null && !sent)) return "finished";
  if (sent) return "sent";
  if (isLost(client)) return "lost";
  if (state.round > 0 && client.round < state.round) return "waiting";
  if (lateBy(state, client, at) > 0) return "late";
  return isSilent(client, at) ? "silent" : "training";
}

function clientWords(state: RunState, client: ClientState, at: number): string {
  switch (client.status) {
    case "failed":
      return `Failed: ${shortened(bare(client.error))}`;
    case "finished":
      return "Finished";
    case "sent": {
      const waiting = state.aggregated_round >= state.round ? 0 : waitingFor(state);
      return waiting ? `Sent, waiting for ${waiting}` : "Sent";
    }
    case "late":
      return `Late by ${durationWords(lateBy(state, client, at))}`;
    case "silent":
      return "Silent, may still run";
    case "lost":
      return "Lost: no word for a minute";
    case "training":
      return "Training, in time";
    case "waiting":
      return "Waiting to start";
  }
}

/** By how many seconds a client is past its own median, 0 where that is within what is usual. */
export function lateBy(state: RunState, client: ClientState, at: number): number {
  const started = seconds(client.started);
  if (client.round < state.round || client.sent_round >= client.round || started === null) return 0;
  if (client.durations.length < LATE_NEEDS_ROUNDS) return 0;
  const usual = median(client.durations);
  const by = at - started - usual;
  return by > Math.max(LATE_AT_LEAST_S, 0.1 * usual) ? by : 0;
}

function isSilent(client: ClientState, at: number): boolean {
  const heard = seconds(client.heard);
  const usual = client.pace.gaps.length >= USUAL_NEEDS_GAPS ? [client.pace] : [];
  return heard !== null && at - heard >= silentAfter(usual);
}

/** How many hospitals have neither sent nor failed in the open round. */
function waitingFor(state: RunState): number {
  const done = state.clients.filter(
    (client) =>
      client.sent_round >= state.round ||
      client.failed_round >= state.round ||
      client.end?.status === "failed",
  ).length;
  return Math.max(0, expected(state) - done);
}

/* Small things. */

function nOf(state: RunState): number | null {
  if (state.n !== null || !isFederated(state)) return state.n;
  const told = state.clients.filter(
    (client) => client.num_samples !== null && client.sent_round >= (state.metrics_at || 0),
  );
  return told.length > 0 ? told.reduce((sum, client) => sum + (client.num_samples ?? 0), 0) : null;
}

function gapWords(gap: number): string {
  return gap < 10 ? `${(Math.floor(gap * 10 + 0.5) / 10).toFixed(1)} s` : durationWords(gap);
}

/** "validation AUROC" for `val_auroc`. */
export function metricWords(name: string): string {
  const [split = "", ...more] = name.split("_");
  const rest = more.join("_");
  const words = SPLITS[split];
  return words === undefined || rest === "" ? name : `${words} ${NAMES[rest] ?? rest.replaceAll("_", " ")}`;
}

function rate(value: number): string {
  return value.toFixed(3).replace("-", "\u2212");
}

function bare(sentence: string | null): string {
  return (sentence ?? "").trim().replace(/\.+$/, "") || "it did not say why";
}

function shortened(line: string): string {
  const letters = [...line];
  return letters.length <= ERROR_LETTERS ? line : `${letters.slice(0, ERROR_LETTERS).join("").trimEnd()}…`;
}

function capital(line: string): string {
  return line.slice(0, 1).toUpperCase() + line.slice(1);
}

function joined(...sentences: readonly string[]): string {
  return sentences.filter((sentence) => sentence !== "").join(" ");
}
