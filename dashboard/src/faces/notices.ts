/** What the page has to say beside the run: about the line to the server, a silent trainer, an end. In words, as values. */

import type { Line, RunModel, Sentence } from "../client/model";
import { count, rate } from "../client/numbers";
import { clockTime, durationWords } from "../run/time";

export type NoticeKind =
  | "catching_up"
  | "away"
  | "refused"
  | "rebuilt"
  | "polling"
  | "silent"
  | "failed"
  | "stopped"
  | "lost";

export interface Notice {
  kind: NoticeKind;
  tone: "act" | "warn" | "bad" | "plain";
  /** What is so. */
  first: string;
  /** What it means. */
  rest: string;
  /** From 0 to 1, where something is under way. */
  progress?: number;
}

/** The state of the line; never the state of a run. `null` while there is nothing to say. */
export function lineNotice(line: Line, websocketBlocked: boolean, now: number): Notice | null {
  switch (line.kind) {
    case "catching_up": {
      const whole = line.top - line.from;
      const share = whole > 0 ? (line.offset - line.from) / whole : 1;
      return {
        kind: "catching_up",
        tone: "act",
        first: `Catching up: message ${count(line.offset)} of ${count(line.top)}.`,
        rest: "Nothing was lost while this page was away.",
        progress: Math.min(1, Math.max(0, share)),
      };
    }
    case "away": {
      const next = Math.max(0, Math.ceil((line.nextTry - now) / 1000));
      const tried = line.tries === 1 ? "Tried once" : `Tried ${line.tries} times`;
      const on = line.offset === null ? "" : ` The page goes on from message ${count(line.offset)}.`;
      return {
        kind: "away",
        tone: "warn",
        first: "The server does not answer. Training does not need it; nothing written is lost.",
        rest: `${tried}; ${next > 0 ? `next try in ${next} s` : "trying now"}.${on}`,
      };
    }
    case "refused":
      return { kind: "refused", tone: "bad", first: "The server refused this page.", rest: line.reason };
    case "live":
      if (line.via === "poll") {
        return {
          kind: "polling",
          tone: "plain",
          first: "Polling every 2 s.",
          rest: "WebSocket is blocked on this network. The same messages arrive, up to 2 s later.",
        };
      }
      if (line.via === "document") {
        return {
          kind: "polling",
          tone: "plain",
          first: "By the run's document, every 2 s.",
          rest: "Nothing else comes through this network. The same messages arrive, up to 2 s later.",
        };
      }
      return websocketBlocked
        ? {
            kind: "polling",
            tone: "plain",
            first: "By Server-Sent Events.",
            rest: "WebSocket is blocked on this network. The same messages arrive all the same.",
          }
        : null;
    case "connecting":
    case "file":
      return null;
  }
}

export const REBUILT: Notice = {
  kind: "rebuilt",
  tone: "plain",
  first: "The server’s log was rebuilt; shown afresh from message 1.",
  rest: "",
};

/** A trainer that nobody has heard for long: it may still run. */
export function silentNotice(model: RunModel, silentSeconds: number): Notice {
  const last = model.lastHeard === null ? "" : ` The last message came at ${clockTime(model.lastHeard)}.`;
  return {
    kind: "silent",
    tone: "warn",
    first: "It may still run.",
    rest: `Nothing was heard for ${durationWords(silentSeconds * 1000)}.${last} A full disk stops messages, not training; a process that is gone is told as a failure.`,
  };
}

/** How a run ended, when it did not end well: the status sentence with its reason, then what is safe. */
export function endNotice(model: RunModel, said: Sentence): Notice | null {
  const { end } = model;
  if (!end || end.status === "completed") return null;
  const took = model.started === null ? "" : ` after ${durationWords(end.at - model.started)}`;
  const kind = end.status === "cancelled" ? "stopped" : end.status;
  const tone = { failed: "bad", stopped: "plain", lost: "warn" } as const;
  const when = `At ${clockTime(end.at)}${took}.`;
  const reason = end.status === "cancelled" && end.reason ? said.second : "";
  return {
    kind,
    tone: tone[kind],
    first: said.first,
    rest: [reason, when, safeWords(model)].filter(Boolean).join(" "),
  };
}

/** "Best so far: epoch 1 (validation AUROC 0.731). Last loss 0.694 at step 60 of epoch 2." */
export function safeWords(model: RunModel): string {
  const parts: string[] = [];
  if (model.best) {
    const unit = model.federated ? "round" : "epoch";
    const name = model.best.metric.replace(/^val_/, "").replace("auroc", "AUROC");
    parts.push(`Best so far: ${unit} ${model.best.at} (validation ${name} ${rate(model.best.value)}).`);
  } else parts.push("No epoch had been validated.");
  const { step } = model;
  const loss = step?.metrics.train_loss ?? step?.metrics.loss;
  if (step && loss != null)
    parts.push(`Last loss ${rate(loss)} at step ${count(step.step)} of epoch ${step.epoch ?? "?"}.`);
  return parts.join(" ");
}

/** Everything one would paste into a report of a failure. */
export function report(model: RunModel, sentenceOfRun: string): string {
  const { end } = model;
  return [
    `${model.name} (${model.runId})`,
    sentenceOfRun,
    end ? `${end.status} at ${new Date(end.at).toISOString()}` : "",
    end?.error ?? "",
    safeWords(model),
    `config: ${JSON.stringify(model.config)}`,
    `data: ${JSON.stringify({ name: model.data.name, digest: model.data.digest, phantom: model.data.phantom })}`,
    `software: ${JSON.stringify(model.software)}`,
    end?.detail ?? "",
  ]
    .filter((line) => line !== "")
    .join("\n");
}

/** What the question before a stop says is kept and lost; only what is known. */
export function stopWords(model: RunModel): string {
  const ends = "It ends after the current batch.";
  const unit = model.federated ? "round" : "epoch";
  const at = model.federated ? model.round : model.epoch;
  const kept = model.best
    ? `The best so far (${unit} ${model.best.at}) is kept.`
    : "Nothing has been validated yet, so there is no best checkpoint.";
  const lost = at > 0 && model.best?.at !== at ? `What ${unit} ${at} has done is lost.` : "";
  return [ends, kept, lost, "Later it can go on from a checkpoint."].filter(Boolean).join(" ");
}
