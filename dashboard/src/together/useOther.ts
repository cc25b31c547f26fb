import { useEffect, useSyncExternalStore } from "react";
import { useSearchParams } from "wouter";
import { feeds } from "../client/feeds";
import type { RunModel } from "../client/model";

export interface Other {
  /** The run beside this one, as the URL names it (`with`); `null`: none. */
  readonly runId: string | null;
  /** `null` until something of it is here. */
  readonly model: RunModel | null;
  readonly isUnknown: boolean;
  readonly choose: (runId: string | null) => void;
}

const NOTHING = (): null => null;
const NEVER = (): (() => void) => () => undefined;

/** The run that is shown beside another one, live like that. */
export function useOther(): Other {
  const [params, setParams] = useSearchParams();
  const runId = params.get("with") || null;
  const feed = runId === null ? null : feeds().run(runId);
  useEffect(() => (feed === null ? undefined : feeds().hold(feed)), [feed]);
  const view = useSyncExternalStore(feed?.store.subscribe ?? NEVER, feed?.store.get ?? NOTHING);
  const choose = (next: string | null) => {
    setParams(
      (before) => {
        const after = new URLSearchParams(before);
        if (next === null) after.delete("with");
        else after.set("with", next);
        return after;
      },
      { replace: true },
    );
  };
  return { runId, model: view?.model ?? null, isUnknown: view?.known === "unknown", choose };
}
