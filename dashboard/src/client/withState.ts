/** What the server says of a run and no message tells, put into the model. */

import type { RunModel } from "./model";
import { millis } from "./reading";
import type { RunState } from "./state";

/**
 * Before the messages are all here (`complete` false) the server's word on where the run stands is the newer one,
 * so the sentence and the totals come first; afterwards only what no message carries is taken from it.
 */
export function withState(model: RunModel, state: RunState, complete: boolean): RunModel {
  const asked = millis(state.cancel_asked);
  const facts: RunModel = {
    ...model,
    runId: state.run_id,
    hearsCancel: state.hears_cancel,
    cancelAsked: asked === null || model.end !== null ? null : { at: asked, by: null },
    // A run that nobody can vouch for any more is told by no message of its own.
    status:
      state.status === "lost" && model.end === null
        ? "lost"
        : model.status === "lost"
          ? "running"
          : model.status,
  };
  if (complete) return facts;
  return {
    ...facts,
    experimentName: state.experiment_name || model.experimentName,
    name: state.name || state.experiment_name || model.name,
    mode: state.mode,
    federated: state.mode === "federated" || model.federated,
    status: state.status,
    started: millis(state.start_time) ?? model.started,
    totalEpochs: state.mode === "federated" ? null : (state.total_epochs ?? model.totalEpochs),
    totalRounds: state.total_rounds ?? model.totalRounds,
    expectedClients: state.num_clients ?? model.expectedClients,
    epoch: Math.max(model.epoch, state.epoch),
    round: Math.max(model.round, state.round),
    data: model.data.name === null ? { ...model.data, phantom: state.phantom } : model.data,
  };
}
