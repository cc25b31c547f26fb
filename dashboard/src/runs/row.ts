/** What one row says: arithmetic and words, no drawing. */

import { writtenDate } from "../client/clock";
import { type Interval, intervalOf } from "../client/intervals";
import { count, plural, rate } from "../client/numbers";
import { millis, number } from "../client/reading";
import type { ClientState, RunState } from "../client/state";
import { isHalted } from "../client/state";
import { durationWords } from "../client/wording";
import type { Metric } from "./filter";
import type { Points } from "./sparkline";

export type Tone = "act" | "ok" | "warn" | "bad" | "plain";
export type Sign = "running" | "silent" | "waiting" | "done" | "failed" | "stopped" | "lost";

export interface RowState {
  readonly tone: Tone;
  readonly sign: Sign;
}

/** The colour and icon beside the sentence; the sentence itself says it in words. */
export function rowState(run: RunState, silent: boolean): RowState {
  switch (run.status) {
    case "completed":
      return { tone: "ok", sign: "done" };
    case "failed":
      return { tone: "bad", sign: "failed" };
    case "cancelled":
      return { tone: "plain", sign: "stopped" };
    case "lost":
      return { tone: "warn", sign: "lost" };
    case "queued":
    case "started":
      return { tone: run.condition === "waiting_for_clients" ? "warn" : "plain", sign: "waiting" };
    case "running":
      return silent || isHeldUp(run) ? { tone: "warn", sign: "silent" } : { tone: "act", sign: "running" };
  }
}

/** Whether a person should look: somebody has fallen in the open round, or is waited for. */
export function isHeldUp(run: RunState): boolean {
  const isWaiting = ["waiting_for_straggler", "waiting_for_clients", "lost_contact"].includes(run.condition);
  const isTrouble = (client: ClientState): boolean =>
    client.status === "failed" || client.status === "lost" || isHalted(client);
  return isWaiting || run.clients.some(isTrouble);
}

/**
 * The row's sentence: the run's own without what other columns say, silence in the words of the state; while the
 * server is away no more than what was heard last.
 */
export function sentence(run: RunState, away: boolean, silentS: number | null): string {
  if (away && (run.status === "running" || run.status === "started")) {
    return run.status === "running" ? "Running when last heard" : "Starting when last heard";
  }
  // Who has fallen comes before the silence that follows from it.
  if (silentS !== null && !run.clients.some((client) => client.failed))
    return `Silent for ${durationWords(silentS)}, may still run`;
  return run.sentence.replace(/\.$/, "").replace(/^Finished in [^;,]+/, "Finished");
}

/** Done epochs (or rounds), the open one in part; `null` where nobody knows how many there will be. */
export function progress(run: RunState): number | null {
  const total = run.mode === "federated" ? run.total_rounds : run.total_epochs;
  if (total === null || total <= 0) return null;
  return Math.min(1, Math.max(0, done(run)) / total);
}

function done(run: RunState): number {
  if (run.mode === "federated") {
    const open = run.round > run.aggregated_round && run.clients.length > 0;
    const sent = run.clients.filter((client) => client.sent_round >= run.round).length;
    return open
      ? run.round - 1 + (sent / Math.max(1, run.num_clients ?? run.clients.length)) * 0.95
      : run.round;
  }
  const last = run.spans.at(-1);
  if (last !== undefined && last.number === run.epoch && last.closed !== null && run.metrics_at === run.epoch)
    return run.epoch;
  const part =
    run.step !== null && run.total_steps !== null && run.total_steps > 0 ? run.step / run.total_steps : 0;
  return run.epoch - 1 + Math.min(1, part);
}

/** "epoch 7 of 10", "round 3", "epoch 4, step 18". */
export function place(run: RunState): string {
  const [word, at, total] =
    run.mode === "federated"
      ? ["round", run.round, run.total_rounds]
      : ["epoch", run.epoch, run.total_epochs];
  if (at === 0) return "";
  return total === null ? `${word} ${at}` : `${word} ${at} of ${total}`;
}

/** The second line: time left while it runs, the test result or the cause afterwards. */
export function secondLine(run: RunState): string {
  if (run.status === "running")
    return timeLeft(run.detail_sentence) ?? (run.detail_sentence.replace(/\.$/, "") || place(run));
  if (run.status === "completed") return testResult(run) ?? bestResult(run) ?? "";
  if (run.status === "failed") return lastGood(run) ?? "before the first result";
  if (run.status === "cancelled") return run.reason || lastGood(run) || "";
  return place(run);
}

/** While the server is away: where the run was, and how long ago that is. */
export function heardLast(run: RunState, now: number): string {
  const heard = millis(run.updated_at);
  const age = heard === null ? "" : `, ${durationWords(Math.max(0, now - heard) / 1000)} ago`;
  return `${place(run) || "before its first message"}${age}`;
}

/** The time left as the sentence gives it: "about 39 min left (90 % within 47 min)". */
export function timeLeft(detail: string): string | null {
  const found =
    /(?:(?:About [\dhmin ]+ left|Less than a minute left)(?: \([^)]*\))?|Time left after[^.]*)/.exec(detail);
  return found === null ? null : found[0].charAt(0).toLowerCase() + found[0].slice(1);
}

function testResult(run: RunState): string | null {
  const final = run.final_metrics ?? {};
  for (const [name, words] of [
    ["test_auroc", "test AUROC"],
    ["test_accuracy", "test accuracy"],
    ["test_recall", "test recall"],
  ] as const) {
    const value = number(final[name]);
    if (value === null) continue;
    const n = run.split_sizes.test;
    return `${words} ${rate(value)}, ${n === undefined ? "n not reported" : `n ${count(n)}`}`;
  }
  return null;
}

const NAMES: Readonly<Record<string, string>> = { auroc: "AUROC", f1: "F1" };

function bestResult(run: RunState): string | null {
  if (run.best === null) return null;
  const short = run.best.metric.replace(/^val_/, "");
  return `best validation ${NAMES[short] ?? short} ${rate(run.best.value)}, ${unit(run)} ${run.best.at}`;
}

function lastGood(run: RunState): string | null {
  if (run.best === null) return null;
  const short = run.best.metric.replace(/^val_/, "");
  return `best so far: ${unit(run)} ${run.best.at}, ${NAMES[short] ?? short} ${rate(run.best.value)}`;
}

function unit(run: RunState): string {
  return run.mode === "federated" ? "round" : "epoch";
}

export interface Latest {
  readonly value: number | null;
  readonly interval: Interval | null;
  /** Why there is no interval, where there is a value. */
  readonly without: string;
}

export function latest(run: RunState, metric: Metric): Latest {
  const value = number(run.metrics[`val_${metric}`]);
  const interval = intervalOf(metric, value, casesOf(run));
  const without =
    value === null ? "" : metric === "loss" ? "" : run.n === null ? "n not reported" : "no interval";
  return { value, interval, without };
}

/** The validation cases, by class where somebody told them. */
function casesOf(run: RunState) {
  const cases = run.split_cases.val;
  const whole = cases !== undefined && (run.n === null || run.n === run.split_sizes.val);
  return {
    n: run.n,
    normal: whole ? (cases.normal ?? null) : null,
    pneumonia: whole ? (cases.pneumonia ?? null) : null,
  };
}

/** The sparkline's points where the row itself has them: the run's key metric. */
export function pointsOf(run: RunState, metric: Metric): Points | null {
  return run.key_metric === `val_${metric}` ? run.key_series : null;
}

/** "Federated, patient split, seed 42", as far as it was told. */
export function setUp(run: RunState): string {
  const config = run.setup;
  const parts = [run.mode === "federated" ? "Federated" : "Centralised"];
  if (run.mode === "federated" && typeof config.partition === "string")
    parts.push(split(config.partition, config.alpha));
  if (run.mode !== "federated" && typeof config.model === "string") parts.push(config.model);
  if (typeof config.seed === "number") parts.push(`seed ${config.seed}`);
  if (run.attempt > 1) parts.push(`attempt ${run.attempt}`);
  return parts.join(", ");
}

function split(partition: string, alpha: unknown): string {
  if (partition === "dirichlet") return typeof alpha === "number" ? `Dirichlet ${alpha}` : "Dirichlet";
  return `${partition === "iid" ? "IID" : partition} split`;
}

export function hospitals(run: RunState): string {
  if (run.mode !== "federated") return "central";
  const n = run.num_clients ?? run.clients.length;
  return n === 0 ? "–" : count(n);
}

/** Milliseconds the run has taken, or has been running for; while the server is away as far as it was heard. */
export function took(run: RunState, now: number, away = false): number | null {
  const started = millis(run.start_time);
  if (started === null) return null;
  const ended =
    millis(run.end_time) ??
    (!away && (run.status === "running" || run.status === "started") ? now : millis(run.updated_at));
  return ended === null ? null : Math.max(0, ended - started);
}

/** "10:00" today, "Mon 16:40" within a week, "3 Nov 16:40" before. */
export function startedWords(at: number, now: number): string {
  const then = writtenDate(at);
  const time = `${two(then.getHours())}:${two(then.getMinutes())}`;
  const midnight = writtenDate(now);
  midnight.setHours(0, 0, 0, 0);
  if (then >= midnight) return time;
  if (then.getTime() >= midnight.getTime() - 6 * 86_400_000)
    return `${then.toLocaleDateString("en-GB", { weekday: "short" })} ${time}`;
  return `${then.getDate()} ${then.toLocaleDateString("en-GB", { month: "short" })} ${time}`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

export function runName(run: RunState): string {
  return run.name || run.experiment_name || run.run_id;
}

export function heading(live: number, ended: number): string {
  return `${count(live)} live, ${plural(ended, "run").replace(/ runs?$/, "")} finished or stopped`;
}
