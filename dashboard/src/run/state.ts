/** The one word for a run's state, with its tone; the sentence beside it says the rest. */

import type { Line, RunModel } from "../client/model";

export type Tone = "act" | "ok" | "warn" | "bad" | "plain";

export interface StateBadge {
  word: string;
  tone: Tone;
  icon: "play" | "done" | "failed" | "stop" | "pause" | "silent" | "wait" | "lost" | "heard";
}

/** @param silent No message for so long that the page says so; the run may go on. */
export function badgeOf(model: RunModel, line: Line, silent: boolean): StateBadge {
  const running = model.status === "started" || model.status === "running";
  if (running && (line.kind === "away" || line.kind === "refused")) {
    return { word: "Running when last heard", tone: "plain", icon: "heard" };
  }
  switch (model.status) {
    case "queued":
      return { word: "Waiting to start", tone: "plain", icon: "wait" };
    case "started":
    case "running":
      if (model.cancelAsked) return { word: "Stopping", tone: "warn", icon: "stop" };
      if (model.paused) return { word: "Paused", tone: "plain", icon: "pause" };
      return silent
        ? { word: "Silent", tone: "warn", icon: "silent" }
        : { word: "Running", tone: "act", icon: "play" };
    case "completed":
      return { word: "Finished", tone: "ok", icon: "done" };
    case "failed":
      return { word: "Failed", tone: "bad", icon: "failed" };
    case "cancelled":
      return { word: "Stopped", tone: "plain", icon: "stop" };
    case "lost":
      return { word: "Lost", tone: "warn", icon: "lost" };
  }
}
