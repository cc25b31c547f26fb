/** The list of events in words: lifecycle messages and alerts, newest first. */

import { isCurrent } from "../client/attempts";
import { lessIsBetter } from "../client/best";
import type { Message, Metrics, RunEvent, RunModel } from "../client/model";
import { count, rate } from "../client/numbers";
import { metricsOf, namesOf, number, record, text } from "../client/reading";
import { withheldWords } from "../federated/cellDetail";
import { metricName } from "./figures";

export type EventIcon =
  | "play"
  | "again"
  | "check"
  | "best"
  | "alert"
  | "failed"
  | "done"
  | "stop"
  | "pause"
  | "flag"
  | "note"
  | "late";

export interface EventLine {
  /** Unique in a run: the offset, or the time and type for what has none. */
  key: string;
  at: number;
  icon: EventIcon;
  strong: string;
  rest: string;
  /** More to be read on demand. */
  detail?: string | null;
  alert: boolean;
}

/**
 * The newest events of a run in words. What is only half of another line (the train half of an epoch) has none of
 * its own.
 */
export function eventLines(model: RunModel, most = 300): EventLine[] {
  const best = bestOffsets(model);
  const lines: EventLine[] = [];
  const withheld = new Set<string>();
  for (let i = model.events.length - 1; i >= 0 && lines.length < most; i--) {
    const event = model.events[i];
    const line = event && lineOf(event, model, best.has(event.offset));
    if (!event || !line) continue;
    if (event.type === "withheld") {
      // The same again is no news.
      const words = `${line.strong} ${line.rest}`;
      if (withheld.has(words)) continue;
      withheld.add(words);
    }
    if (isSuperseded(model, event)) line.rest += ", superseded";
    const key = event.offset > 0 ? String(event.offset) : `${event.type}-${event.at}-${i}`;
    lines.push({ key, at: event.at, alert: event.type === "alert", ...line });
  }
  return lines;
}

/** Whether what it tells of is a result that is no part of the run's curve any more. */
function isSuperseded(model: RunModel, { type, message }: RunEvent): boolean {
  if (!["epoch_end", "round_end", "round_aggregated"].includes(type)) return false;
  const number_ = number(message.round) ?? number(message.epoch);
  return number_ !== null && !isCurrent(model, number(message.attempt) ?? 1, number_);
}

type Words = Omit<EventLine, "key" | "at" | "alert">;

function lineOf(event: RunEvent, model: RunModel, isBest: boolean): Words | null {
  const { message, clientId } = event;
  switch (event.type) {
    case "run_queued":
      return { icon: "note", strong: "Waiting to start", rest: "" };
    case "run_start":
      return begun(model, message);
    case "run_edited":
      return { icon: "note", strong: "Renamed or noted", rest: "" };
    case "epoch_start":
      return epochStarted(model, message);
    case "epoch_end":
      return epochEnded(message, isBest);
    case "round_start":
      return clientId === null ? { icon: "flag", strong: `Round ${message.round}`, rest: "opened" } : null;
    case "round_end":
      return clientId === null
        ? null
        : { icon: "check", strong: clientId, rest: `${didInRound(message)} round ${message.round}` };
    case "round_aggregated":
      return aggregated(model, message, isBest);
    case "client_failed":
      return {
        icon: "failed",
        strong: clientId === null ? "A hospital" : clientId,
        rest: `failed: ${text(message.error) ?? "no reason was given"}`,
        detail: text(message.detail),
      };
    case "test_curves":
      return { icon: "play", strong: "", rest: testRead(model) };
    case "alert":
      return { icon: "alert", strong: `${text(message.title) ?? "Alert"}:`, rest: text(message.text) ?? "" };
    case "training_complete":
      return clientId === null
        ? { icon: "done", strong: "Finished.", rest: finished(message) }
        : { icon: "check", strong: clientId, rest: "has finished its part" };
    case "training_error":
      return {
        icon: "failed",
        strong: clientId === null ? "Failed:" : `${clientId} failed:`,
        rest: text(message.error) ?? "no reason was given",
        detail: text(message.detail),
      };
    case "training_cancelled":
      return { icon: "stop", strong: stopped(message), rest: text(message.reason) ?? "" };
    case "withheld": {
      const told = Object.entries(record(message.withheld)).map(
        ([what, why]) => [what, String(why)] as const,
      );
      return {
        icon: "note",
        strong: clientId ?? "The site",
        rest: `withholds ${withheldWords(told) ?? "something"}`,
      };
    }
    case "stage":
      return staged(message);
    case "training_paused":
      return {
        icon: "pause",
        strong: `${clientId ?? "Paused"}${clientId === null ? "" : " paused"}${byWhom(message)}`,
        rest: text(message.reason) ?? "",
      };
    case "training_resumed":
      return {
        icon: "play",
        strong: `${clientId ?? "Went on"}${clientId === null ? "" : " went on"}${byWhom(message)}`,
        rest: "",
      };
    case "local_epoch":
      // The small multiples show them; a line for each would bury the rest.
      return null;
    default:
      return { icon: "note", strong: event.type.replaceAll("_", " "), rest: plain(message) };
  }
}

/** Only a wait has a line: what else is done, the lines of its beginning and its end tell. */
function staged(message: Message): Words | null {
  if (message.stage !== "waiting_for_clients") return null;
  const there = namesOf(message.connected)?.length ?? 0;
  const of = number(message.expected);
  return {
    icon: "late",
    strong: "Waiting for hospitals:",
    rest: of === null ? `${there} here` : `${there} of ${of} here`,
  };
}

function begun(model: RunModel, message: Message): Words {
  const attempt = number(message.attempt) ?? 1;
  if (attempt < 2) return { icon: "play", strong: "Started:", rest: imagesWords(model) };
  const round = number(message.from_round) ?? 0;
  const epoch = number(message.from_epoch) ?? 0;
  let where = "begins at the start";
  if (round > 0) where = `goes on from round ${round}`;
  else if (epoch > 0) where = `goes on from epoch ${epoch}`;
  return { icon: "again", strong: `Attempt ${attempt}`, rest: where };
}

function imagesWords(model: RunModel): string {
  const { splits } = model.data;
  const parts: string[] = [];
  if (splits.train) parts.push(`${count(splits.train.n)} train`);
  if (splits.val) parts.push(`${count(splits.val.n)} validation`);
  if (splits.test) parts.push(`${count(splits.test.n)} test`);
  return parts.length > 0 ? `${parts.join(", ")} images` : "images not reported";
}

function byWhom(message: Message): string {
  const by = text(message.by);
  return by ? `, asked by ${by}` : "";
}

function epochStarted(model: RunModel, message: Message): Words | null {
  // Only the open epoch has a line of its own; a validated one has its result.
  if (model.end || message.epoch !== model.epoch) return null;
  if ((number(message.attempt) ?? 1) !== model.attempt && model.attempts.length > 0) return null;
  const epoch = model.epochs.find((each) => each.epoch === model.epoch);
  return epoch?.val ? null : { icon: "play", strong: `Epoch ${message.epoch}`, rest: "training" };
}

function epochEnded(message: Message, best: boolean): Words | null {
  if (message.phase === "train") return null;
  const metrics = metricsOf(message.metrics);
  const prefix = message.phase === "test" ? "test" : "val";
  const isBest = prefix === "val" && best;
  const words = figures(metrics, prefix);
  return {
    icon: isBest ? "best" : "check",
    strong: `Epoch ${message.epoch}`,
    rest: `${prefix === "val" ? "validated" : "tested"}${words ? `: ${words}` : ""}${isBest ? ". Best so far" : ""}`,
  };
}

function aggregated(model: RunModel, message: Message, isBest: boolean): Words {
  const metrics = metricsOf(message.metrics);
  const sent = number(message.num_clients);
  const of = model.expectedClients ?? model.clients.length;
  const parts = [
    figures(metrics, "val"),
    metrics.epsilon == null ? "" : `epsilon ${rate(metrics.epsilon)} spent`,
    sent === null ? "" : `${sent} of ${Math.max(of, sent)} sent`,
  ];
  return {
    icon: isBest ? "best" : "check",
    strong: `Round ${message.round}`,
    rest: `aggregated: ${parts.filter(Boolean).join(", ")}`,
  };
}

/** A client that evaluates after it has trained tells its round's end twice. */
function didInRound(message: Message): string {
  const trained = Object.keys(metricsOf(message.fit_metrics)).length > 0;
  return trained || Object.keys(metricsOf(message.eval_metrics)).length === 0 ? "sent" : "evaluated";
}

/** The rate the run is judged by, and its loss. */
function figures(metrics: Metrics, prefix: string): string {
  const rateName = ["auroc", "recall", "accuracy"]
    .map((name) => `${prefix}_${name}`)
    .find((name) => metrics[name] != null);
  const parts: string[] = [];
  if (rateName) {
    const name = metricName(rateName);
    parts.push(`${name === "AUROC" ? name : name.toLowerCase()} ${rate(metrics[rateName])}`);
  }
  if (metrics[`${prefix}_loss`] != null) parts.push(`loss ${rate(metrics[`${prefix}_loss`])}`);
  return parts.join(", ");
}

function testRead(model: RunModel): string {
  const n = model.data.splits.test?.n;
  return `Test split read once${n === undefined ? "" : `, n ${count(n)}`}`;
}

function finished(message: Message): string {
  const final = record(message.final_metrics);
  const auroc = number(final.test_auroc);
  const epoch = number(final.best_epoch);
  const parts: string[] = [];
  if (auroc !== null) parts.push(`test AUROC ${rate(auroc)}`);
  if (epoch !== null) parts.push(`best epoch ${epoch}`);
  const words = parts.join(", ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function stopped(message: Message): string {
  const by = text(message.by);
  return by ? `Stopped by ${by}.` : "Stopped.";
}

function plain(message: Message): string {
  const data = record(message.data);
  const source = Object.keys(data).length > 0 ? data : message;
  const known = new Set(["type", "timestamp", "run_id", "offset", "client_id", "round", "row"]);
  return Object.entries(source)
    .filter(([key, value]) => !known.has(key) && (typeof value !== "object" || value === null))
    .slice(0, 4)
    .map(([key, value]) => `${key.replaceAll("_", " ")} ${String(value)}`)
    .join(", ");
}

/** The offsets of the results that were the best when they were told. */
function bestOffsets(model: RunModel): ReadonlySet<number> {
  const results = model.federated
    ? model.rounds.flatMap((round) => (round.aggregated ? [round.aggregated] : []))
    : model.epochs.flatMap((epoch) => (epoch.val ? [epoch.val] : []));
  const metric = model.best?.metric;
  const found = new Set<number>();
  if (!metric) return found;
  let best: number | null = null;
  for (const result of [...results].sort((a, b) => a.offset - b.offset)) {
    const value = result.metrics[metric];
    if (value == null) continue;
    if (best !== null && !(lessIsBetter(metric) ? value < best : value > best)) continue;
    best = value;
    found.add(result.offset);
  }
  return found;
}

/** The number of alerts, for the switch above the list. */
export function alertCount(model: RunModel): number {
  return model.alerts.length;
}
