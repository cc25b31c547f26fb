import type { Line, RunModel, Sentence } from "../client/model";
import { emptyModel } from "../client/model";

/** What a run screen gets. `model` is `null` until the first state is here. */
export interface RunView {
  readonly model: RunModel | null;
  readonly sentence: Sentence;
  readonly line: Line;
  /** "unknown": the server knows no such run. */
  readonly state: "loading" | "ready" | "unknown";
  /** True after `recovered: false`, until `closeRebuilt()`: "The server's log was rebuilt; shown afresh from message 1". */
  readonly rebuilt: boolean;
  readonly closeRebuilt: () => void;
}

/** Follows one run, live, as long as a component uses it. Any number of components share one connection. */
export function useRun(runId: string): RunView {
  return {
    model: emptyModel(runId),
    sentence: { first: "", second: "" },
    line: { kind: "connecting" },
    state: "loading",
    rebuilt: false,
    closeRebuilt: () => undefined,
  };
}
