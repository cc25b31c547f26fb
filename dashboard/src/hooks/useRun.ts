import { useEffect, useMemo, useSyncExternalStore } from "react";
import { feeds } from "../client/feeds";
import type { Line, RunModel, Sentence } from "../client/model";
import type { RunState } from "../client/state";
import { described } from "../client/words";
import { useNow } from "./useNow";

/** What a run screen gets. `model` is `null` until the first state is here. */
export interface RunView {
  readonly model: RunModel | null;
  readonly sentence: Sentence;
  readonly line: Line;
  /** "unknown": the server knows no such run. */
  readonly state: "loading" | "ready" | "unknown";
  /** False while messages are still on their way: the curves are filling in. */
  readonly complete: boolean;
  /** The run's state with its sentences, and each client's words and status, made for this second. */
  readonly told: RunState | null;
  /** True after `recovered: false`, until `closeRebuilt()`: "The server's log was rebuilt; shown afresh from message 1". */
  readonly rebuilt: boolean;
  readonly closeRebuilt: () => void;
  /** Asks the server again what no message tells (after a stop was asked for). */
  readonly refresh: () => void;
}

/** Follows one run, live, as long as a component uses it. Any number of components share one line. */
export function useRun(runId: string): RunView {
  const feed = feeds().run(runId);
  useEffect(() => feeds().hold(feed), [feed]);
  const view = useSyncExternalStore(feed.store.subscribe, feed.store.get);
  const now = useNow();
  const told = useMemo(
    // Until the messages are here the server's own words are the newest there are.
    () => (view.complete && view.model !== null ? described(view.model.state, now) : view.state),
    [view, now],
  );
  return {
    model: view.model,
    sentence: { first: told?.sentence ?? "", second: told?.detail_sentence ?? "" },
    line: view.line,
    state: view.known,
    complete: view.complete,
    told,
    rebuilt: view.rebuilt,
    closeRebuilt: () => feed.closeRebuilt(),
    refresh: () => feed.refresh(),
  };
}
