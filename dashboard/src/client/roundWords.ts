/**
 * The open round of a federated run in sentences: who has fallen, who is waited for, who is where
 * (`hub/round_words.py`).
 *
 * What is wrong comes first and names who; then what the round does. Hospitals that were not asked in a round are none
 * of its business.
 */

import { lateBy, outlasts, usualRound } from "./lateness";
import type { ClientState, ClientStatus, Condition, RunState, Seen, StageState } from "./state";
import { isDead, isHalted } from "./state";
import { seconds } from "./times";
import { bare, durationWords, expected, joined, listed, ofTotal, shortened, withinBrackets } from "./wording";

const CAUSE_LETTERS = 90;
const NAMED_AT_MOST = 4;
const UPDATE_LATE_S = 15;

/** What is said of a run. */
export interface Told {
  readonly condition: Condition;
  /** What happens, and why. */
  readonly first: string;
  /** Details and counts. */
  readonly second?: string;
  /** The time left belongs behind it. */
  readonly hasTimeLeft?: boolean;
  /** It comes before everything else that may be said. */
  readonly isTrouble?: boolean;
}

/** Who is where in the open round. */
interface Round {
  readonly state: RunState;
  readonly at: number;
  readonly stage: StageState | null;
  readonly asked: ReadonlySet<string> | null;
  readonly clients: readonly ClientState[];
  readonly fallen: readonly ClientState[];
  readonly sent: readonly ClientState[];
  readonly atWork: readonly ClientState[];
  readonly total: number;
}

function roundOf(state: RunState, at: number): Round {
  const stage = state.stage !== null && state.stage.round === state.round ? state.stage : null;
  const asked = stage !== null && stage.connected !== null ? new Set(stage.connected) : null;
  const isAsked = (client: ClientState): boolean => asked?.has(client.client_id) ?? false;
  const takesPart = (client: ClientState): boolean =>
    asked === null || isAsked(client) || client.round >= state.round;
  /** Whether it fell in this round, or is asked in it although it is dead. */
  const fellNow = (client: ClientState): boolean =>
    (client.failed_round >= state.round && client.status === "failed") ||
    (isDead(client) && (isAsked(client) || client.round >= state.round));
  const clients = state.clients.filter(takesPart);
  const fallen = clients.filter(fellNow);
  const by = (...statuses: ClientStatus[]): readonly ClientState[] =>
    clients.filter((client) => statuses.includes(client.status));
  return {
    state,
    at,
    stage,
    asked,
    clients,
    fallen,
    sent: by("sent", "finished"),
    atWork: by("training", "late", "silent", "lost").filter((client) => !fallen.includes(client)),
    total: asked?.size ?? expected(state),
  };
}

/** The open round. @param at seconds since 1970. */
export function roundTold(state: RunState, at: number): Told {
  const now = roundOf(state, at);
  const name = ofTotal("Round", state.round, state.total_rounds);
  if (state.aggregated_round >= state.round && !now.fallen.some(isDead)) {
    return { condition: "training", first: `${name} is done${before(now)}.`, hasTimeLeft: true };
  }
  const what = conditionOf(now);
  const trouble = troubleOf(now, name);
  if (trouble !== null) {
    const second = joined(causes(now), counts(now));
    return { condition: what, first: trouble, second, hasTimeLeft: true, isTrouble: true };
  }
  return { condition: what, first: `${course(now, name)}${before(now)}.`, hasTimeLeft: true };
}

/** How many hospitals have neither sent nor failed in the open round. */
export function waitingFor(state: RunState): number {
  const now = roundOf(state, 0);
  const done = now.clients.filter(
    (client) =>
      client.sent_round >= state.round ||
      client.failed_round >= state.round ||
      client.end?.status === "failed",
  );
  return Math.max(0, now.total - done.length);
}

/** How long it is that something was seen: `12 s ago`, `just now`. */
export function ago(seen: Seen, at: number): string {
  return agoWords(at - (seconds(seen[0]) || at));
}

function agoWords(duration: number): string {
  return duration < 1 ? "just now" : `${durationWords(duration)} ago`;
}

/* What it does. */

function conditionOf(now: Round): Condition {
  const { stage } = now;
  if (stage?.name === "aggregating" || stage?.name === "evaluating") return stage.name;
  if (lateOf(now) || outlasting(now) || updatesLate(now).length > 0) return "waiting_for_straggler";
  const heldUp = now.atWork.filter(
    (client) => client.status === "lost" || client.status === "silent" || isHalted(client),
  );
  const waitedFor = now.fallen.some((client) => client.given_up < now.state.round);
  if ((heldUp.length > 0 || waitedFor) && heldUp.length === now.atWork.length && noneToCome(now)) {
    return "waiting_for_straggler";
  }
  if (stage === null && now.atWork.length === 0 && now.sent.length > 0 && noneToCome(now))
    return "aggregating";
  return "training";
}

function fellWithout(now: Round): number {
  return now.fallen.filter((client) => !now.sent.includes(client)).length;
}

function noneToCome(now: Round): boolean {
  return now.sent.length + now.atWork.length + fellWithout(now) >= now.total;
}

function course(now: Round, name: string): string {
  const { state, stage } = now;
  if (stage?.name === "aggregating") return `${name} is being aggregated`;
  if (stage?.name === "evaluating") {
    return `${name} is being evaluated${stage.connected?.length ? ` by ${listed(stage.connected)}` : ""}`;
  }
  const allSent = waitingFor(state) === 0 && now.sent.length > 0;
  if (allSent && stage === null) return state.led ? `${name} is being aggregated` : `${name} is done`;
  if (allSent) {
    const missing = unanswered(now);
    const whose = missing.length > 0 ? `the update of ${listed(missing)} is` : "the updates are";
    return `${name}: all have trained, ${whose} on the way`;
  }
  if (now.atWork.length === 0 && now.sent.length === 0) return `${name} has begun, nobody trains yet`;
  if (now.total > NAMED_AT_MOST) {
    return `${name}: ${now.sent.length} of ${now.total} hospitals have sent, ${now.atWork.length} train`;
  }
  return `${name}: ${whoIsWhere(now).join(", ")}`;
}

function whoIsWhere(now: Round): readonly string[] {
  const names = (clients: readonly ClientState[]): readonly string[] =>
    clients.map((client) => client.client_id);
  const training = names(now.atWork);
  const sent = names(now.sent);
  const heard = now.clients.map((client) => client.client_id);
  const waiting = [
    ...names(now.clients.filter((client) => client.status === "waiting")),
    ...(now.stage?.connected ?? []).filter((name) => !heard.includes(name)),
  ];
  const unheard = now.total - new Set([...heard, ...waiting]).size;
  if (unheard > 0) waiting.push(waiting.length > 0 ? `${unheard} more` : `${unheard}`);
  const have = (many: number): string => (many === 1 ? "has" : "have");
  const parts: string[] = [];
  if (training.length > 0) parts.push(`${listed(training)} ${training.length === 1 ? "trains" : "train"}`);
  if (sent.length > 0) parts.push(`${listed(sent)} ${have(sent.length)} sent`);
  if (waiting.length > 0) {
    parts.push(`${listed(waiting)} ${unheard > 1 || waiting.length > 1 ? "have" : "has"} not started`);
  }
  return parts;
}

/** Who has fallen in an earlier round, as the end of a sentence. */
function before(now: Round): string {
  const fallen = now.state.clients.filter(
    (client) => (client.status === "failed" || isDead(client)) && !now.fallen.includes(client),
  );
  if (fallen.length === 0) return "";
  const names = listed(fallen.map((client) => client.client_id));
  const rounds = new Set(fallen.map((client) => client.failed_round || client.round));
  const [only] = rounds;
  const where = rounds.size === 1 && only ? ` in round ${only}` : "";
  return `; ${names} ${fallen.every(isDead) ? "died" : "failed"}${where}`;
}

/* What is wrong. */

function troubleOf(now: Round, name: string): string | null {
  if (now.fallen.length > 0) return `${name}: ${fell(now)}.`;
  const ids = (clients: readonly ClientState[]): string => listed(clients.map((each) => each.client_id));
  const lost = now.atWork.filter((client) => client.status === "lost");
  if (lost.length > 0) {
    const newest = lost
      .flatMap((client) => (client.lost === null ? [] : [client.lost]))
      .reduce((a, b) => ((seconds(b[0]) ?? 0) > (seconds(a[0]) ?? 0) ? b : a));
    return `${name}: contact with ${ids(lost)} was lost ${ago(newest, now.at)}, ${may(lost)} still train.`;
  }
  const halted = now.atWork.filter(isHalted);
  const [first] = halted;
  if (first !== undefined && first.halted !== null) {
    const [was, does] = halted.length === 1 ? ["was", "does"] : ["were", "do"];
    return `${name}: ${ids(halted)} ${was} stopped by a signal ${ago(first.halted, now.at)} and ${does} nothing.`;
  }
  const late = lateOf(now);
  if (late !== null) {
    const usual = usualRound(late.client) ?? 0;
    const told = `late by ${durationWords(late.by)}; its rounds usually take ${durationWords(usual)}`;
    return `${name} is waiting for ${late.client.client_id}, ${told}.`;
  }
  const longest = outlasting(now);
  if (longest !== null) {
    const slowest = durationWords(longest.slowest);
    const told = `${durationWords(longest.elapsed)} so far; nobody else took more than ${slowest}`;
    return `${name} is waiting for ${longest.client.client_id}, ${told}.`;
  }
  const missing = updatesLate(now);
  if (missing.length > 0) {
    const since = durationWords(now.at - (lastSent(now) ?? now.at));
    const told =
      missing.length === 1 ? `update of ${listed(missing)} has` : `updates of ${listed(missing)} have`;
    return `${name}: all have trained ${since} ago, but the ${told} not come.`;
  }
  const silent = now.atWork.filter((client) => client.status === "silent");
  if (silent.length > 0 && silent.length < now.atWork.length) {
    const heard = Math.max(...silent.map((client) => seconds(client.heard) ?? 0));
    return `${name}: nothing from ${ids(silent)} for ${durationWords(now.at - heard)}, ${may(silent)} still run.`;
  }
  return null;
}

function fell(now: Round): string {
  const newest = newestFallen(now);
  if (newest === null) return "";
  const died = isDead(newest);
  const alike = now.fallen.filter((client) => isDead(client) === died).map((client) => client.client_id);
  const since = agoWords(now.at - (fellAt(newest) || now.at));
  const cause = shortened(withinBrackets(causeOf(newest)), CAUSE_LETTERS);
  return `${listed(alike)} ${died ? "died" : "failed"} ${since} (${cause}); ${rest(now)}`;
}

function newestFallen(now: Round): ClientState | null {
  return now.fallen.reduce<ClientState | null>((a, b) => (a === null || fellAt(b) > fellAt(a) ? b : a), null);
}

function fellAt(client: ClientState): number {
  return seconds(client.died !== null && isDead(client) ? client.died[0] : client.failed_at) ?? 0;
}

function causeOf(client: ClientState): string {
  return bare(client.died !== null && isDead(client) ? client.died[1] : client.error);
}

/** What becomes of the round without those who fell. */
function rest(now: Round): string {
  const { state } = now;
  const left = now.clients.filter((client) => !now.fallen.includes(client)).map((each) => each.client_id);
  const unheard = Math.max(0, now.total - now.clients.length);
  if (left.length === 0 && unheard === 0) return "nobody is left in it";
  if (state.aggregated_round >= state.round || fellWithout(now) === 0)
    return `the run goes on with ${listed(left)}`;
  const awaited = now.fallen.some(
    (client) => client.given_up < state.round && client.sent_round < state.round,
  );
  if (awaited && now.asked !== null && now.atWork.length === 0 && noneToCome(now)) {
    return "the others have sent, and the server still waits for its answer";
  }
  return left.length === 0 ? "the round goes on without it" : `the round goes on with ${listed(left)}`;
}

interface Late {
  readonly by: number;
  readonly client: ClientState;
}

function lateOf(now: Round): Late | null {
  let latest: Late | null = null;
  for (const client of now.atWork) {
    if (client.status !== "late") continue;
    const by = lateBy(now.state, client, now.at);
    const later =
      latest === null || by > latest.by || (by === latest.by && client.client_id > latest.client.client_id);
    if (later) latest = { by, client };
  }
  return latest;
}

interface Outlasting {
  readonly client: ClientState;
  readonly elapsed: number;
  readonly slowest: number;
}

function outlasting(now: Round): Outlasting | null {
  let longest: Outlasting | null = null;
  for (const client of now.atWork) {
    const took = outlasts(now.state, client, now.at);
    if (took === null) continue;
    const [elapsed, slowest] = took;
    const longer =
      longest === null ||
      elapsed > longest.elapsed ||
      (elapsed === longest.elapsed && client.client_id > longest.client.client_id);
    if (longer) longest = { client, elapsed, slowest };
  }
  return longest;
}

function unanswered(now: Round): readonly string[] {
  const { stage } = now;
  if (stage === null || stage.name !== "training" || stage.answered === null) return [];
  const answered = new Set(stage.answered);
  return now.sent.flatMap((client) => (answered.has(client.client_id) ? [] : [client.client_id]));
}

/** Whose update the server has not got, although everybody has long trained. */
function updatesLate(now: Round): readonly string[] {
  const last = lastSent(now);
  const missing = unanswered(now);
  if (missing.length === 0 || last === null || waitingFor(now.state) > 0) return [];
  return now.at - last < UPDATE_LATE_S ? [] : missing;
}

function lastSent(now: Round): number | null {
  const heard = now.sent.flatMap((client) => seconds(client.heard) ?? []);
  return heard.length === 0 ? null : Math.max(...heard);
}

function may(clients: readonly ClientState[]): string {
  return clients.length > 1 ? "which may" : "it may";
}

/* Details. */

/** Causes that the first sentence had no room for. */
function causes(now: Round): string {
  const newest = newestFallen(now);
  const told = now.fallen.filter(
    (client) => client !== newest || [...causeOf(client)].length > CAUSE_LETTERS,
  );
  return joined(...told.slice(0, NAMED_AT_MOST).map((client) => `${client.client_id}: ${causeOf(client)}.`));
}

function counts(now: Round): string {
  const { total } = now;
  if (!total) return "";
  const sent = now.sent.length;
  const training = now.atWork.length;
  const failed = fellWithout(now);
  const waiting = Math.max(0, total - sent - training - failed);
  const parts = [
    `${sent} of ${total} ${total === 1 ? "hospital" : "hospitals"} ${sent === 1 ? "has" : "have"} sent`,
  ];
  if (training) parts.push(`${training} ${training === 1 ? "is" : "are"} training`);
  if (waiting) parts.push(`${waiting} ${waiting === 1 ? "has" : "have"} not started`);
  if (failed) parts.push(`${failed} failed`);
  return `${parts.join(", ")}.`;
}
