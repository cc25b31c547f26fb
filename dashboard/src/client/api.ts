/** Requests to the server; what goes wrong is a `Problem`, never a bare status. */

import type { Message } from "./model";
import { list, record } from "./reading";
import type { RunState } from "./state";

/** One fault the server found in a request. */
export interface Fault {
  readonly where: string;
  readonly wrong: string;
  readonly right: string;
}

/**
 * An RFC 9457 problem document, or what comes nearest to one: `status` 0 means that no answer came at all.
 */
export class Problem extends Error {
  override readonly name = "Problem";
  constructor(
    readonly status: number,
    /** What was wrong, in one sentence. */
    readonly title: string,
    /** What would be right. */
    readonly detail: string = "",
    readonly errors: readonly Fault[] = [],
  ) {
    super(title);
  }
}

const SESSION = "/api/session";

export interface RunPage {
  readonly runs: readonly RunState[];
  readonly total: number;
  readonly page: number;
  readonly limit: number;
}

export interface RunQuery {
  readonly q?: string;
  readonly status?: readonly string[];
  readonly mode?: string;
  readonly sort?: string;
  readonly page?: number;
  readonly limit?: number;
}

export interface CentralizedBody {
  readonly source_path?: string | null;
  readonly experiment_name?: string;
  readonly epochs?: number | null;
  readonly config?: Readonly<Record<string, unknown>>;
}

export interface FederatedBody extends Omit<CentralizedBody, "epochs"> {
  readonly num_clients?: number;
  readonly num_rounds?: number;
  readonly local_epochs?: number;
  readonly partition?: string;
  readonly alpha?: number;
  readonly strategy?: string;
  readonly engine?: string;
}

export function listRuns(query: RunQuery = {}, signal?: AbortSignal): Promise<RunPage> {
  return get<RunPage>(`/api/runs${search(query)}`, signal);
}

export function getRun(runId: string, signal?: AbortSignal): Promise<RunState> {
  return get<RunState>(runPath(runId), signal);
}

/** All that the page needs to open a run, up to `top` of the log `log_id`. */
export interface RunOpening {
  readonly log_id: string;
  readonly top: number;
  readonly state: RunState;
  readonly messages: readonly Message[];
  /** Columns, as in an answer of `series`. */
  readonly steps: readonly unknown[];
  /** True where the run has more steps than an opening carries: `series` has them. */
  readonly steps_left_out?: boolean;
}

export async function getRunOpening(runId: string, signal?: AbortSignal): Promise<RunOpening> {
  const answer = await get<RunOpening>(`${runPath(runId)}/page`, signal);
  if (Array.isArray(answer.messages) && typeof answer.log_id === "string") return answer;
  throw new Problem(200, "The server's answer is of another form.", "It may be of another version.");
}

/** Columns of steps and epochs, as `series.ts` reads them. */
export function getSeries(
  runId: string,
  query: { since?: number; metric?: string; attempt?: "all" | number; points?: number } = {},
  signal?: AbortSignal,
): Promise<unknown> {
  return get<unknown>(`${runPath(runId)}/series${search(query)}`, signal);
}

/** A source that may be looked at. */
export interface NamedSource {
  readonly source_path: string;
  readonly name: string;
  readonly kind: string;
}

/** What a source holds. */
export interface Source {
  readonly source_path: string;
  readonly name: string;
  readonly phantom: boolean;
  readonly counts: Readonly<Record<string, { readonly normal?: number; readonly pneumonia?: number }>>;
  /** For each split a digit for each image: 0 normal, 1 pneumonia. */
  readonly labels: Readonly<Record<string, string>>;
  readonly notes: readonly string[];
  readonly digest: string;
  readonly image_size: number;
  readonly seed: number;
}

export function listSources(
  signal?: AbortSignal,
): Promise<{ sources: readonly NamedSource[]; more: boolean }> {
  return get("/api/data/sources", signal);
}

export function getSource(source_path: string, signal?: AbortSignal): Promise<Source> {
  return get(`/api/data/source${search({ source_path })}`, signal);
}

/** `same`: whether it is still what the run saw; `null` where only the counts could be compared. */
export function getRunSource(
  runId: string,
  signal?: AbortSignal,
): Promise<{ source: Source; same: boolean | null }> {
  return get(`/api/data/runs/${encodeURIComponent(runId)}`, signal);
}

/** Where an image of a source is to be had; the browser asks for it with our cookie. */
export function imageUrl({ source_path, image_size, seed }: Source, split: string, place: number): string {
  return `/api/data/images/${split}/${place}${search({ source_path, image_size, seed, side: 224 })}`;
}

/** The output of the training process, as text. */
export async function runLog(runId: string, signal?: AbortSignal): Promise<string> {
  return (await ask(`${runPath(runId)}/log`, signal ? { signal } : {})).text();
}

export function exportUrl(runId: string, format: "csv" | "jsonl"): string {
  return `${runPath(runId)}/export?format=${format}`;
}

/** The JSON Schema of `config`, for the form. */
export function getConfigSchema(kind: "centralized" | "federated", signal?: AbortSignal): Promise<unknown> {
  return get<unknown>(`/api/config/schema${search({ kind })}`, signal);
}

/** The `run_start` of a run (of its newest attempt), or `null`. */
export async function getRunStart(
  runId: string,
  signal?: AbortSignal,
): Promise<Readonly<Record<string, unknown>> | null> {
  const page = record(
    await get<unknown>(`${runPath(runId)}/events${search({ after: 0, limit: 1000 })}`, signal),
  );
  return (
    list(page.messages)
      .map(record)
      .findLast((message) => message.type === "run_start") ?? null
  );
}

export function startCentralized(body: CentralizedBody): Promise<{ run_id: string }> {
  return send("POST", "/api/centralized/train", body);
}

export function startFederated(body: FederatedBody): Promise<{ run_id: string }> {
  return send("POST", "/api/federated/train", body);
}

export async function cancelRun(runId: string, reason?: string): Promise<void> {
  await send("POST", `${runPath(runId)}/cancel`, reason === undefined ? {} : { reason });
}

export async function pauseRun(runId: string, reason?: string): Promise<void> {
  await send("POST", `${runPath(runId)}/pause`, reason === undefined ? {} : { reason });
}

export interface Resumed {
  /** `goes_on`: it waited; `again`: it had ended, and goes on as another attempt. */
  readonly how: "goes_on" | "again";
  readonly attempt: number;
  readonly from_point: number | null;
}

/** Lets a run go on: one that waits at once, one that has ended from an epoch or a round. */
export function resumeRun(runId: string, from?: number): Promise<Resumed> {
  return send<Resumed>("POST", `${runPath(runId)}/resume`, from === undefined ? {} : { from });
}

/** From where a run could go on. */
export interface Checkpoints {
  readonly unit: "epoch" | "round";
  readonly points: readonly number[];
  readonly total: number | null;
  /** Why it cannot go on now; `null` where it can. */
  readonly why_not: string | null;
}

export function getCheckpoints(runId: string, signal?: AbortSignal): Promise<Checkpoints> {
  return get<Checkpoints>(`${runPath(runId)}/checkpoints`, signal);
}

export async function deleteRun(runId: string): Promise<void> {
  await ask(runPath(runId), { method: "DELETE" });
}

export type Level = "info" | "warning" | "error";

/** One thing that somebody should look at; `offset` is its place in the server's log. */
export interface AlertLine {
  readonly offset: number;
  readonly run_id: string;
  readonly client_id: string | null;
  readonly level: Level;
  readonly title: string;
  readonly text: string;
  readonly timestamp: string;
  readonly type: string;
  /** The rule that told it. */
  readonly rule: string | null;
  readonly round: number | null;
  readonly attempt: number;
  readonly run_name: string;
  readonly experiment_name: string;
}

export interface AlertPage {
  readonly alerts: readonly AlertLine[];
  readonly log_id: string;
  readonly top: number;
}

export interface AlertQuery {
  readonly level?: readonly Level[];
  readonly run_id?: string;
  readonly before?: number;
  readonly after?: number;
  readonly limit?: number;
}

export async function listAlerts(query: AlertQuery = {}, signal?: AbortSignal): Promise<AlertPage> {
  const answer = await get<AlertPage>(`/api/alerts${search(query)}`, signal);
  if (Array.isArray(answer.alerts)) return answer;
  throw new Problem(200, "The server's answer is of another form.", "It may be of another version.");
}

export interface Rule {
  readonly id: string;
  readonly when: string;
  readonly runs: string;
  readonly to: readonly string[];
  readonly source: "file" | "page";
  readonly since: string;
  readonly by: string;
}

export interface Target {
  readonly name: string;
  readonly service: string;
  readonly waiting: number;
  readonly told: number;
  /** Why it does not take messages at the moment. */
  readonly trouble: string | null;
  readonly trouble_since: number | null;
}

export interface RuleList {
  readonly rules: readonly Rule[];
  readonly targets: readonly Target[];
  readonly quiet: {
    readonly begins: string;
    readonly ends: string;
    readonly zone: string | null;
    readonly failures: "held" | "through";
  } | null;
  /** Whether the operator has named targets in a file at all. */
  readonly file: boolean;
}

export function listRules(signal?: AbortSignal): Promise<RuleList> {
  return get<RuleList>("/api/rules", signal);
}

export function makeRule(when: string, runs: string): Promise<Rule> {
  return send<Rule>("POST", "/api/rules", { when, runs: runs.trim() === "" ? "*" : runs });
}

export async function removeRule(id: string): Promise<void> {
  await ask(`/api/rules/${encodeURIComponent(id)}`, { method: "DELETE" });
}

export interface RunEdit {
  readonly name?: string;
  readonly tags?: readonly string[];
  readonly notes?: string;
}

export function editRun(runId: string, edit: RunEdit): Promise<RunState> {
  return send<RunState>("PATCH", runPath(runId), edit);
}

/** Whether the server lives, and which version it is. */
export function getHealth(signal?: AbortSignal): Promise<{ status: string; version?: string }> {
  return get("/healthz", signal);
}

/** Whether it is ready: what is new goes into its log. */
export function getReady(signal?: AbortSignal): Promise<{ status: string }> {
  return get("/readyz", signal);
}

export interface Caller {
  readonly name: string;
  readonly role: string;
  /** Whether this server demands tokens; where it does not, there is nothing to sign out of. */
  readonly tokens: boolean;
}

export function getSession(): Promise<Caller> {
  return get<Caller>(SESSION);
}

export function postSession(token: string): Promise<Caller> {
  return send<Caller>("POST", SESSION, { token });
}

export async function deleteSession(): Promise<void> {
  await ask(SESSION, { method: "DELETE" });
}

let server = "";

/** Asks this server from now on, where it is not the one that the page came from (a notebook's cell). */
export function serveFrom(origin: string): void {
  server = origin;
}

let unauthenticated: () => void = () => undefined;

/** What to do when an answer says that no token, or none that holds, was shown. */
export function whenUnauthenticated(act: () => void): void {
  unauthenticated = act;
}

export function runPath(runId: string): string {
  return `/api/runs/${encodeURIComponent(runId)}`;
}

function search(query: object): string {
  const pairs: [string, string][] = [];
  for (const [key, value] of Object.entries(query)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== undefined && each !== null && each !== "") pairs.push([key, String(each)]);
    }
  }
  return pairs.length === 0 ? "" : `?${new URLSearchParams(pairs)}`;
}

async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return json<T>(await ask(path, signal ? { signal } : {}));
}

async function send<T>(method: string, path: string, body: unknown): Promise<T> {
  const answer = await ask(path, {
    method,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return json<T>(answer);
}

async function json<T>(answer: Response): Promise<T> {
  if (answer.status === 204) return undefined as T;
  try {
    return (await answer.json()) as T;
  } catch {
    throw new Problem(
      answer.status,
      "The server's answer is not JSON.",
      "Something between page and server may have changed it.",
    );
  }
}

async function ask(path: string, init: RequestInit): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(server + path, { credentials: "same-origin", ...init });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Problem(
      0,
      "The server does not answer.",
      "Training does not need it; nothing written is lost.",
    );
  }
  if (answer.ok) return answer;
  if (answer.status === 401 && path !== SESSION) unauthenticated();
  throw await problemOf(answer);
}

async function problemOf(answer: Response): Promise<Problem> {
  const plain = new Problem(
    answer.status,
    `The server answered ${answer.status} ${answer.statusText}`.trim(),
  );
  let document: unknown;
  try {
    document = await answer.json();
  } catch {
    return plain;
  }
  if (typeof document !== "object" || document === null) return plain;
  const { title, detail, errors } = document as Record<string, unknown>;
  return new Problem(
    answer.status,
    typeof title === "string" && title !== "" ? title : plain.title,
    typeof detail === "string" ? detail : "",
    Array.isArray(errors) ? errors.filter(isFault) : [],
  );
}

function isFault(value: unknown): value is Fault {
  if (typeof value !== "object" || value === null) return false;
  const { where, wrong, right } = value as Record<string, unknown>;
  return typeof where === "string" && typeof wrong === "string" && typeof right === "string";
}
