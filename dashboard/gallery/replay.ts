/** Plays a recorded run, message by message in its own order, for what only moves: layout shifts and frames. */

import { useEffect, useState } from "react";
import { fold } from "../src/client/fold";
import { emptyModel, type Message, type RunModel } from "../src/client/model";
import { centralised } from "../test/fixtures/centralised";
import { federated } from "../test/fixtures/federated";
import { type Scene, sceneOf } from "./scenes";

const RUNS: Record<string, () => { messages: Message[]; now: number }> = {
  live: () => centralised(),
  failed: () => centralised({ upTo: 3.4, end: "failed" }),
  stopped: () => centralised({ upTo: 3.4, end: "cancelled" }),
  bare: () => centralised({ bare: true }),
  federated: () => federated({ open: 21 }),
  three: () => federated({ open: 4, hospitals: 3, totalRounds: 3, localEpochs: 1, phantom: true }),
};

const PARTS = 200;
const EVERY_MS = 40;

export function useReplay(name: string): Scene & { done: boolean } {
  const [state, setState] = useState(() => {
    const run = (RUNS[name] ?? RUNS.live ?? centralised)();
    const first = run.messages.slice(0, 1);
    return {
      run,
      at: 1,
      model: { ...fold(emptyModel(first[0]?.run_id ?? "run"), first), hearsCancel: true } as RunModel,
    };
  });
  const done = state.at >= state.run.messages.length;
  useEffect(() => {
    if (done) return;
    const timer = setInterval(() => {
      setState((before) => {
        const size = Math.max(1, Math.ceil(before.run.messages.length / PARTS));
        const batch = before.run.messages.slice(before.at, before.at + size);
        const model = { ...fold(before.model, batch), hearsCancel: true };
        return { ...before, at: before.at + size, model };
      });
    }, EVERY_MS);
    return () => clearInterval(timer);
  }, [done]);
  const now = state.model.lastHeard ?? state.run.now;
  return { ...sceneOf(state.model, now, { kind: "live", via: "websocket" }), done };
}
