/** What is true of a run as a whole, taken from its state into the model. */

import type { End, RunModel } from "./model";
import { millis } from "./reading";
import type { RunState } from "./state";

/** The model with status, end and stop request as its state has them. */
export function withStatus(model: RunModel): RunModel {
  const { state } = model;
  const asked = millis(state.cancel_asked);
  const started = millis(state.start_time);
  return {
    ...model,
    status: state.status,
    started,
    attempt: state.start_time === null ? model.attempt : state.attempt,
    end: endOf(model),
    hearsCancel: state.hears_cancel,
    hearsPause: state.hears_pause,
    paused: pausedOf(state),
    cancelAsked: asked === null || state.end_time !== null ? null : { at: asked, by: null },
  };
}

function pausedOf(state: RunState): RunModel["paused"] {
  const since = state.end_time === null ? millis(state.paused) : null;
  return since === null ? null : { at: since, by: state.paused_by };
}

const ENDS: ReadonlySet<string> = new Set(["completed", "failed", "cancelled", "lost"]);

function endOf(model: RunModel): End | null {
  const { state } = model;
  if (!ENDS.has(state.status)) return null;
  const at = millis(state.end_time) ?? millis(state.lost?.[0]) ?? model.lastHeard ?? 0;
  if (model.end?.status === state.status && model.end.at === at) return model.end;
  return {
    status: state.status as End["status"],
    at,
    offset: model.offset,
    error: state.error || null,
    detail: state.detail || null,
    by: state.stopped_by || null,
    reason: state.reason || null,
  };
}

/**
 * The model with what the server said of the run. Before the messages are all here (`complete` false) the server's
 * word on where the run stands is the newer one, so the totals come first; afterwards only what no message
 * carries is taken from it.
 */
export function withTold(model: RunModel, told: RunState, complete: boolean): RunModel {
  const facts: RunModel = {
    ...model,
    runId: told.run_id,
    hearsCancel: told.hears_cancel,
    hearsPause: told.hears_pause,
    state: {
      ...model.state,
      hears_cancel: told.hears_cancel,
      waits_behind: told.waits_behind,
      hears_pause: told.hears_pause,
      pid: told.pid,
    },
  };
  if (complete) return facts;
  const federated = told.mode === "federated" || model.federated;
  return {
    ...facts,
    experimentName: told.experiment_name || model.experimentName,
    name: told.name || told.experiment_name || model.name,
    mode: told.mode,
    federated,
    status: told.status,
    started: millis(told.start_time) ?? model.started,
    totalEpochs: federated ? null : (told.total_epochs ?? model.totalEpochs),
    totalRounds: told.total_rounds ?? model.totalRounds,
    expectedClients: told.num_clients ?? model.expectedClients,
    epoch: Math.max(model.epoch, told.epoch),
    round: Math.max(model.round, told.round),
    data: model.data.name === null ? { ...model.data, phantom: told.phantom } : model.data,
  };
}
