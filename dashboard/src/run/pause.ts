/** What the pause button is, says and does. */

import { useEffect, useState } from "react";
import { Problem, pauseRun, resumeRun } from "../client/api";
import type { RunModel } from "../client/model";

/** How long a run is given to say that it has heard, before one may ask again. */
const ANSWERS_WITHIN_MS = 15_000;

export interface Pausing {
  /** What was asked and not answered yet. */
  readonly asked: "pause" | "go_on" | null;
  /** Why it was refused, until it is asked again. */
  readonly problem: string | null;
  readonly toggle: () => void;
}

interface PauseState {
  readonly kind: "pause" | "go_on" | "none";
  readonly words: string;
  /** Why it cannot be asked; empty where it can. */
  readonly why: string;
}

export function pauseState(model: RunModel, asked: Pausing["asked"]): PauseState {
  if (model.end || model.cancelAsked || model.started === null) return { kind: "none", words: "", why: "" };
  if (model.paused) return { kind: "go_on", words: asked === "go_on" ? "Going on" : "Go on", why: "" };
  const why =
    model.hearsPause === false ? "Whatever writes this run’s log does not listen to requests to wait." : "";
  return { kind: "pause", words: asked === "pause" ? "Pausing" : "Pause", why };
}

/** Asks a run to wait, or to go on; what it says of itself is the answer. */
export function usePausing(model: RunModel, refresh: () => void): Pausing {
  const [asked, setAsked] = useState<Pausing["asked"]>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const waits = model.paused !== null;
  useEffect(() => {
    if ((asked === "pause" && waits) || (asked === "go_on" && !waits)) setAsked(null);
    if (asked === null) return;
    const given = setTimeout(() => setAsked(null), ANSWERS_WITHIN_MS);
    return () => clearTimeout(given);
  }, [asked, waits]);
  const toggle = () => {
    if (asked !== null || pauseState(model, asked).kind === "none") return;
    setProblem(null);
    setAsked(waits ? "go_on" : "pause");
    const request: Promise<unknown> = waits
      ? resumeRun(model.runId)
      : pauseRun(model.runId, "asked on the page");
    request.then(refresh).catch((error: unknown) => {
      setAsked(null);
      if (!(error instanceof Problem)) throw error;
      setProblem(`${error.title} ${error.detail}`.trim());
    });
  };
  return { asked, problem, toggle };
}
